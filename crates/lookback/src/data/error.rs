//! What can be wrong with data.
use std::fmt;
use std::path::PathBuf;

/// A side of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What is read.
    Src,
    /// What is written.
    Tgt,
}

/// The variable that says where temporary files are.
const TEMPORARY: &str = if cfg!(windows) { "TMP" } else { "TMPDIR" };

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Src => "source",
            Self::Tgt => "target",
        })
    }
}

/// An error of reading or dividing a corpus. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// The file cannot be opened, read or unpacked.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system or the decompressor said.
        source: std::io::Error,
    },
    /// Name and content do not agree about compression.
    #[error("{}: the name says {named}, the content is {found}; rename the file", path.display())]
    Compression {
        /// The file.
        path: PathBuf,
        /// What the suffix stands for.
        named: &'static str,
        /// What the first bytes are.
        found: &'static str,
    },
    /// The file has no line.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file as a whole is no UTF-8, or its lines do not end at `\n`.
    #[error("{}: the file is {encoding}", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What it is, and how to convert it.
        encoding: &'static str,
    },
    /// A line is not UTF-8.
    #[error("{}:{line}: not UTF-8 at byte {byte} of the line; convert the file to UTF-8", path.display())]
    Utf8 {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The first invalid byte of the line, from 1.
        byte: usize,
    },
    /// A line is longer than [`MAX_LINE`](super::MAX_LINE).
    #[error("{}:{line}: the line is longer than 1,000,000 bytes; split it into sentences, one a line", path.display())]
    LineTooLong {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// A line holds U+0000.
    #[error("{}:{line}: a NUL character; this is not a text file, or UTF-16", path.display())]
    Nul {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// A side of a pair is empty or only white space.
    #[error("{}:{line}: the {side} is empty; remove the pair", path.display())]
    EmptySide {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// The side.
        side: Side,
    },
    /// A line has too few columns.
    #[error("{}:{line}: {found} column(s), at least {needed} separated by tabs are needed", path.display())]
    TooFewColumns {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// How many there are.
        found: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A line has more than two columns and nobody said which ones are meant.
    #[error("{}:{line}: {found} columns; say which two are source and target with --columns, counted from 1, as in `--columns 1,2`", path.display())]
    TooManyColumns {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// How many there are.
        found: usize,
    },
    /// Two parallel files do not have equally many lines.
    #[error("{}:{src_lines} and {}:{tgt_lines}: the files end after {src_lines} and {tgt_lines} lines; line n of one must translate line n of the other", src.display(), tgt.display())]
    LineCounts {
        /// The source file.
        src: PathBuf,
        /// Its lines.
        src_lines: u64,
        /// The target file.
        tgt: PathBuf,
        /// Its lines.
        tgt_lines: u64,
    },
    /// Word vectors that are not as wide as the embeddings.
    #[error("{}:{line}: vectors of {found} numbers, `model.embedding` is {expected}; set `model.embedding = {found}`", path.display())]
    VectorWidth {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// How many numbers a vector has.
        found: usize,
        /// How many an embedding has.
        expected: usize,
    },
    /// A line that is not a word and its numbers.
    #[error("{}:{line}: {message}", path.display())]
    BadVector {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
        /// What is wrong.
        message: String,
    },
    /// Fewer or more vectors than the header says.
    #[error("{}: the first line says {declared} vectors, there are {found}; was the file cut off?", path.display())]
    VectorCount {
        /// The file.
        path: PathBuf,
        /// By the header.
        declared: u64,
        /// In the file.
        found: u64,
    },
    /// What does not fit into memory cannot be written to a temporary file, or read back.
    #[error("cannot keep the pairs in a temporary file in `{}`; set {TEMPORARY} to a folder with room: {source}", folder.display())]
    Temporary {
        /// Where the system keeps temporary files.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There are too few different pairs to hold any, or as many as asked, out.
    #[error("cannot hold {asked} pair(s) out of {distinct} different one(s); give a validation file or more data")]
    TooSmall {
        /// How many were to be held out.
        asked: usize,
        /// How many different pairs there are.
        distinct: usize,
    },
    /// Every pair shares a sentence with all others.
    #[error("no pair can be held out: each one shares its source or target with all others; give a validation file")]
    Entangled,
}

impl DataError {
    /// Of a temporary file.
    pub(super) fn temporary(source: std::io::Error) -> Self {
        Self::Temporary { folder: std::env::temp_dir(), source }
    }
}
