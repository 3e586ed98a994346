//! What can go wrong between text and ids.
use std::path::PathBuf;

/// An error of training, reading or writing a tokenizer.
#[derive(Debug, thiserror::Error)]
pub enum TextError {
    /// The asked vocabulary cannot hold what comes first and one piece.
    #[error("vocab_size {asked} is too small: {what}, ask for at least {least}")]
    VocabTooSmall {
        /// The vocabulary size asked for.
        asked: usize,
        /// The smallest possible one.
        least: usize,
        /// What comes first.
        what: &'static str,
    },
    /// No word is frequent enough to be in the vocabulary.
    #[error(
        "no word is seen {min} times, as `text.min_frequency` asks, so there would be nothing to write; the most frequent one is seen {most} times, set it to that or less"
    )]
    TooRare {
        /// How often a word must be seen.
        min: u64,
        /// How often the most frequent one is.
        most: u64,
    },
    /// The training of `tokenizers` failed.
    #[error("cannot train a tokenizer: {reason}")]
    Train {
        /// What `tokenizers` said.
        reason: String,
    },
    /// A tokenizer file cannot be used.
    #[error("{name}: {reason}")]
    Invalid {
        /// The file, or the name given by the caller.
        name: String,
        /// What is wrong and where.
        reason: String,
    },
    /// A tokenizer file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A folder holds no tokenizer.
    #[error("{}: no tokenizer.json and no pair of tokenizer.src.json and tokenizer.tgt.json", dir.display())]
    Missing {
        /// The folder.
        dir: PathBuf,
    },
    /// A folder holds a joint tokenizer and separate ones.
    #[error("{}: tokenizer.json and {other} are both there; remove the one that does not belong to the model", dir.display())]
    Ambiguous {
        /// The folder.
        dir: PathBuf,
        /// The separate file found beside the joint one.
        other: &'static str,
    },
}
