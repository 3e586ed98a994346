//! The examination of files.
use std::path::PathBuf;

use super::apart::{Apart, apart};
use super::characters::folded;
use super::check::Check;
use super::drift::Drift;
use super::raw::RawLines;
use super::repeats::{Near, Repeats, Verdicts};
use super::report::{ExaminedFile, Findings, Report, Spot, shown};
use super::row::{Flaw, RowId, Rows, Sides};
use super::shape::{Shape, Usual};
use super::signs::Signs;
use super::{CorpusFiles, DoctorError, Options, Part};
use crate::data::DataError;
use crate::data::sort::Sorter;

/// Rows between two tellings of progress.
const TELL_EVERY: u64 = 10_000;
/// Characters of each side that an example shows.
const SHOWN: usize = 40;

/// What was found, and what [`fix`](super::fix) needs to know of it.
#[derive(Debug)]
pub struct Examination {
    /// What was found.
    pub report: Report,
    pub(super) usual: Usual,
    /// Rows to be removed for what stands elsewhere.
    pub(super) verdicts: Sorter,
    /// SHA-256 of the files of each corpus, unpacked; none if a file could not be read.
    pub(super) hashes: Vec<Option<Vec<[u8; 32]>>>,
    /// Corpora of which no line can be trusted, and why.
    pub(super) beyond: Vec<(PathBuf, String)>,
}

/// Looks at pairs, one after another; what it is told of files it only counts.
#[derive(Debug)]
pub(super) struct Examiner {
    pub(super) findings: Findings,
    options: Options,
    shape: Shape,
    repeats: Repeats,
    verdicts: Verdicts,
    pub(super) pairs: u64,
}

impl Examiner {
    pub(super) fn new(options: &Options, near: Near) -> Self {
        let (memory, folder) = (options.memory, options.temporary.as_deref());
        // A quarter of the memory for the rows to be removed.
        Self {
            findings: Findings::new(options.examples),
            options: options.clone(),
            shape: Shape::default(),
            repeats: Repeats::new(memory / 4 * 3, folder, near),
            verdicts: Verdicts::new(options, memory / 4),
            pairs: 0,
        }
    }

    /// A pair; `files` says in which of a row's files its sides stand.
    pub(super) fn pair(
        &mut self,
        row: RowId,
        part: Part,
        sides: [&str; 2],
        files: [usize; 2],
    ) -> Result<(), DoctorError> {
        self.pairs += 1;
        let looked = Sides::of(sides, self.options.changes);
        for ((text, marks), (file, side)) in
            sides.iter().zip(looked.marks).zip(files.into_iter().zip(["source", "target"]))
        {
            for check in marks.iter() {
                self.findings.add(check, (row, file), || format!("{side}: {}", detail(text, check)));
            }
        }
        let (src, tgt) = (&*looked.src, &*looked.tgt);
        if is_copied(src, tgt) {
            self.findings.add(Check::Copied, (row, files[0]), || excerpt(src));
        }
        let is_removed = !looked.marks[0].or(looked.marks[1]).and(self.options.removes_from(part)).is_empty();
        let most = self.findings.most();
        self.shape.see((row, files[0]), src, tgt, most, || format!("{} ||| {}", excerpt(src), excerpt(tgt)));
        // What goes for its own sake is nothing that others repeat.
        if is_removed {
            return Ok(());
        }
        self.repeats.see(row, part, src, tgt).map_err(|source| DoctorError::Temporary { source })
    }

    /// Ends the examination; `name` names a spot's file and line.
    pub(super) fn finish(
        mut self,
        name: &dyn Fn(Spot) -> String,
    ) -> Result<(Findings, Usual, Sorter, u64), DoctorError> {
        let usual = self.shape.finish(&mut self.findings);
        let repeated = self.repeats.finish(&mut self.findings, &mut self.verdicts, name);
        repeated.map_err(|source| DoctorError::Temporary { source })?;
        Ok((self.findings, usual, self.verdicts.into_sorter(), self.pairs))
    }
}

/// Whether the target is the source again, with other capitals, punctuation or spaces perhaps.
pub(super) fn is_copied(src: &str, tgt: &str) -> bool {
    folded(src).eq(folded(tgt)) && src.chars().any(char::is_alphabetic)
}

fn detail(text: &str, check: Check) -> String {
    match check {
        Check::Long => format!("{} characters", text.chars().count()),
        Check::Quotes => excerpt(text),
        Check::Normalisation => super::characters::first_decomposed(text),
        _ => super::characters::first_of(text, check),
    }
}

/// The start of a text.
pub(super) fn excerpt(text: &str) -> String {
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(SHOWN).collect();
    if chars.next().is_some() { start + "…" } else { start }
}

/// Examines corpora: what is wrong with them is in the report. `progress` is told now and then how many lines were read.
///
/// # Errors
/// Only if hashes cannot be sorted in the temporary folder.
pub fn examine(
    corpora: &[CorpusFiles],
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Examination, DoctorError> {
    let mut examiner = Examiner::new(options, Near::Sought);
    let mut reading = Reading { files: Vec::new(), hashes: Vec::new(), beyond: Vec::new(), rows: 0, progress };
    for (number, corpus) in corpora.iter().enumerate() {
        reading.corpus(number, corpus, &mut examiner)?;
    }
    let path = |(row, file): Spot| {
        let paths = corpora.get(row.corpus()).map(|corpus| corpus.files.paths()).unwrap_or_default();
        paths.get(file).or(paths.first()).copied().map(shown).unwrap_or_default()
    };
    let name = |spot: Spot| format!("{}:{}", path(spot), spot.0.line());
    let Reading { files, hashes, beyond, .. } = reading;
    let (findings, usual, verdicts, pairs) = examiner.finish(&name)?;
    let report = Report {
        files,
        pairs,
        scripts: usual.scripts.map(|scripts| scripts.map(str::to_owned)),
        length_ratio: usual.ratio,
        findings: findings.into_findings(path),
    };
    Ok(Examination { report, usual, verdicts, hashes, beyond })
}

/// Files as they are read.
struct Reading<'a> {
    files: Vec<ExaminedFile>,
    hashes: Vec<Option<Vec<[u8; 32]>>>,
    beyond: Vec<(PathBuf, String)>,
    rows: u64,
    progress: &'a mut dyn FnMut(u64),
}

impl Reading<'_> {
    fn corpus(&mut self, number: usize, corpus: &CorpusFiles, examiner: &mut Examiner) -> Result<(), DoctorError> {
        let unreadable = |examiner: &mut Examiner, line: u64, error: &DataError| {
            let name = match error {
                DataError::Io { path, .. }
                | DataError::Compression { path, .. }
                | DataError::Empty { path }
                | DataError::Encoding { path, .. } => Some(path),
                _ => None,
            };
            let file =
                corpus.files.paths().into_iter().position(|path| Some(path) == name.map(PathBuf::as_path)).unwrap_or(0);
            examiner.findings.add(Check::Unreadable, (RowId::new(number, line), file), || error.to_string());
        };
        let mut rows = match Rows::open(&corpus.files) {
            Ok(rows) => rows,
            Err(error) => {
                unreadable(examiner, 0, &error);
                self.beyond.push((corpus.files.paths()[0].to_owned(), error.to_string()));
                self.hashes.push(None);
                return Ok(());
            }
        };
        let mut counted = Counted::default();
        let ended = self.rows(number, corpus.part, &mut rows, examiner, &mut counted);
        self.files(corpus, &rows);
        match ended {
            // Of what was not read to its end nothing is known as a whole.
            Err(DoctorError::Data(error)) => {
                unreadable(examiner, rows.number(), &error);
                self.beyond.push((corpus.files.paths()[0].to_owned(), error.to_string()));
                self.hashes.push(None);
                Ok(())
            }
            ended => {
                self.end(number, corpus, &rows, examiner, counted);
                ended
            }
        }
    }

    fn rows(
        &mut self,
        number: usize,
        part: Part,
        rows: &mut Rows,
        examiner: &mut Examiner,
        counted: &mut Counted,
    ) -> Result<(), DoctorError> {
        while rows.advance()? {
            self.rows += 1;
            if self.rows.is_multiple_of(TELL_EVERY) {
                (self.progress)(self.rows);
            }
            let row = RowId::new(number, rows.number());
            counted.see(rows);
            let files = [rows.file_of(0), rows.file_of(1)];
            let judged = rows.judge();
            let [src, tgt] = match &judged {
                Ok(Some(sides)) => sides.map(|side| Some(Signs::of(side))),
                _ => rows.signs(),
            };
            counted.drift.push(rows.number(), src, tgt);
            match judged {
                Ok(Some(sides)) => examiner.pair(row, part, sides, files)?,
                Ok(None) => {}
                Err(flaws) => {
                    for Flaw { check, file, detail } in flaws {
                        examiner.findings.add(check, (row, file), || detail);
                    }
                }
            }
        }
        Ok(())
    }

    fn files(&mut self, corpus: &CorpusFiles, rows: &Rows) {
        self.files.extend(rows.files().iter().map(|lines| ExaminedFile {
            path: shown(lines.path()),
            part: corpus.part,
            lines: lines.number(),
            bytes: lines.bytes(),
        }));
    }

    /// Tells what is known at the end of a corpus.
    fn end(&mut self, number: usize, corpus: &CorpusFiles, rows: &Rows, examiner: &mut Examiner, counted: Counted) {
        let whole = RowId::new(number, 0);
        for (file, lines) in rows.files().iter().enumerate() {
            if counted.byte_order_marks[file] {
                examiner.findings.add(Check::ByteOrderMark, (whole, file), String::new);
            }
            let returns = counted.carriage_returns[file];
            if returns > 0 {
                examiner
                    .findings
                    .add(Check::CarriageReturn, (whole, file), || format!("{returns} of {} lines", lines.number()));
            }
        }
        self.hashes.push(Some(rows.files().iter().map(RawLines::sha256).collect()));
        let Apart { place, unplaced } = apart(&corpus.files, rows, counted.drift);
        if let [src, tgt] = rows.files()
            && src.number() != tgt.number()
        {
            let counts = format!("{} lines, {} has {}", src.number(), shown(tgt.path()), tgt.number());
            examiner.findings.add(Check::LineCount, (whole, 0), || format!("{counts}{unplaced}"));
            self.beyond.push((src.path().to_owned(), format!("its lines do not belong to those beside it ({counts})")));
        }
        if let Some((line, detail)) = place {
            examiner.findings.add(Check::Drift, (RowId::new(number, line), 0), || detail);
        }
    }
}

/// What is counted of the files of a corpus.
#[derive(Default)]
struct Counted {
    drift: Drift,
    carriage_returns: [u64; 2],
    byte_order_marks: [bool; 2],
}

impl Counted {
    fn see(&mut self, rows: &Rows) {
        for file in rows.present() {
            let lines = &rows.files()[file];
            self.carriage_returns[file] += u64::from(lines.has_carriage_return());
            self.byte_order_marks[file] |= lines.has_byte_order_mark();
        }
    }
}
