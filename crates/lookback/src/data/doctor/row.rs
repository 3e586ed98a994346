//! A row of a corpus, a pair or what should be one: read from one file or two, judged, and as it would be after cleaning.
use std::borrow::Cow;

use super::super::{Columns, DataError, MAX_LINE, PairFiles};
use super::characters::{clean, marks};
use super::check::{Check, Checks};
use super::raw::RawLines;
use super::signs::Signs;

/// A row by its corpus and its line, in one number: rows of earlier corpora come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowId(u64);

/// Bits of a line's number.
const LINE_BITS: u32 = 48;

impl RowId {
    /// Line 0 is the corpus as a whole.
    pub(super) fn new(corpus: usize, line: u64) -> Self {
        Self((corpus as u64) << LINE_BITS | line & ((1 << LINE_BITS) - 1))
    }

    pub(super) fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }

    pub(super) fn corpus(self) -> usize {
        usize::try_from(self.0 >> LINE_BITS).unwrap_or(usize::MAX)
    }

    pub(super) fn line(self) -> u64 {
        self.0 & ((1 << LINE_BITS) - 1)
    }
}

/// A corpus, row by row: one file, or two side by side.
pub(super) struct Rows {
    files: Vec<RawLines>,
    /// Which of the files have a line in the row at hand.
    is_present: [bool; 2],
    columns: Option<Columns>,
    number: u64,
}

/// Why training would refuse a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) check: Check,
    /// Which file.
    pub(super) file: usize,
    pub(super) detail: String,
}

/// A row's sides after cleaning.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    pub(super) src: Cow<'a, str>,
    pub(super) tgt: Cow<'a, str>,
    /// What stands in the texts as they are, side by side.
    pub(super) marks: [Checks; 2],
}

impl Rows {
    pub(super) fn open(files: &PairFiles) -> Result<Self, DataError> {
        let columns = if let PairFiles::Table(_, columns) = files { *columns } else { None };
        let files = files.paths().into_iter().map(RawLines::open).collect::<Result<_, _>>()?;
        Ok(Self { files, is_present: [false; 2], columns, number: 0 })
    }

    /// Goes to the next row; `false` once all files are at their end. Where one file ends earlier, the rows that follow lack it.
    pub(super) fn advance(&mut self) -> Result<bool, DataError> {
        for (is_present, file) in self.is_present.iter_mut().zip(&mut self.files) {
            *is_present = file.advance()?;
            file.check_encoding()?;
        }
        let is_any = self.is_present.contains(&true);
        self.number += u64::from(is_any);
        Ok(is_any)
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn files(&self) -> &[RawLines] {
        &self.files
    }

    pub(super) fn is_parallel(&self) -> bool {
        self.files.len() == 2
    }

    /// The numbers of those of the files that have a line in the row.
    pub(super) fn present(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.files.len()).filter(|&file| self.is_present[file])
    }

    /// Which file a side stands in.
    pub(super) fn file_of(&self, side: usize) -> usize {
        if self.is_parallel() { side } else { 0 }
    }

    /// Gives what is left of the line at hand of a file.
    pub(super) fn drain<E: From<DataError>>(
        &mut self,
        file: usize,
        to: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        self.files[file].drain(to)
    }

    /// The text of a file's line, or why it is none.
    fn text(&self, file: usize) -> Result<&str, Flaw> {
        let bytes = self.files[file].text();
        let flaw = |check, detail| Flaw { check, file, detail };
        if bytes.len() > MAX_LINE {
            return Err(flaw(Check::TooLong, String::new()));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| flaw(Check::Utf8, format!("byte {} of the line", error.valid_up_to() + 1)))?;
        match text.find('\0') {
            Some(at) => Err(flaw(Check::Nul, format!("byte {} of the line", at + 1))),
            None => Ok(text),
        }
    }

    /// The sides as they stand there, or everything training would refuse in the row. Of a row that lacks a line, none.
    pub(super) fn judge(&self) -> Result<Option<[&str; 2]>, Vec<Flaw>> {
        let texts: Vec<_> = self.present().map(|file| self.text(file)).collect();
        let flaws: Vec<Flaw> = texts.iter().filter_map(|text| text.as_ref().err().cloned()).collect();
        if !flaws.is_empty() {
            return Err(flaws);
        }
        match texts[..] {
            [Ok(line)] if !self.is_parallel() => self.cells(line).map(Some).map_err(|flaw| vec![flaw]),
            [Ok(src), Ok(tgt)] => blank([src, tgt], [0, 1]).map(Some).map_err(|flaw| vec![flaw]),
            _ => Ok(None),
        }
    }

    /// What tells of a row that is no pair where it belongs: of the lines of two files, as far as they are text.
    pub(super) fn signs(&self) -> [Option<Signs>; 2] {
        let signs = |file| self.text(file).map_or_else(|_| Signs::default(), Signs::of);
        [0, 1].map(|file| (self.is_parallel() && self.is_present[file]).then(|| signs(file)))
    }

    /// The cells of a line that are meant.
    fn cells<'a>(&self, line: &'a str) -> Result<[&'a str; 2], Flaw> {
        let flaw = |check, detail| Flaw { check, file: 0, detail };
        if line.trim().is_empty() && !line.contains('\t') {
            return Err(flaw(Check::Blank, String::new()));
        }
        let Columns { src, tgt } = self.meant();
        let needed = src.max(tgt) + 1;
        let found = line.split('\t').count();
        if found < needed || self.columns.is_none() && found > needed {
            let least = if self.columns.is_some() { "at least " } else { "" };
            return Err(flaw(Check::Columns, format!("{found}, not {least}{needed}")));
        }
        let cell = |number| line.split('\t').nth(number).unwrap_or_default();
        blank([cell(src), cell(tgt)], [0, 0])
    }

    fn meant(&self) -> Columns {
        self.columns.unwrap_or(Columns { src: 0, tgt: 1 })
    }

    /// The line of a file as it is after cleaning what is in `changes`, without line end.
    pub(super) fn cleaned(&self, file: usize, changes: Checks) -> Result<(Cow<'_, str>, Checks), Flaw> {
        let line = self.text(file)?;
        if self.is_parallel() {
            return Ok(clean(line, changes));
        }
        let Columns { src, tgt } = self.meant();
        let mut done = Checks::default();
        let cells: Vec<Cow<str>> = (line.split('\t').enumerate())
            .map(|(number, cell)| {
                if number != src && number != tgt {
                    return Cow::Borrowed(cell);
                }
                let (cell, changed) = clean(cell, changes);
                done = done.or(changed);
                cell
            })
            .collect();
        Ok(if done.is_empty() { (Cow::Borrowed(line), done) } else { (Cow::Owned(cells.join("\t")), done) })
    }
}

impl<'a> Sides<'a> {
    /// Looks at the sides of a pair; `changes` says what would be cleaned.
    pub(super) fn of([src, tgt]: [&'a str; 2], changes: Checks) -> Self {
        Self { marks: [src, tgt].map(marks), src: clean(src, changes).0, tgt: clean(tgt, changes).0 }
    }
}

/// The sides, if neither is blank.
fn blank(sides: [&str; 2], files: [usize; 2]) -> Result<[&str; 2], Flaw> {
    let flaw = |check, side: usize, detail: &str| Flaw { check, file: files[side], detail: detail.to_owned() };
    match sides.map(|side| side.trim().is_empty()) {
        [false, false] => Ok(sides),
        [true, true] => Err(flaw(Check::Blank, 0, "")),
        [true, false] => Err(flaw(Check::OneSided, 0, "no source")),
        [false, true] => Err(flaw(Check::OneSided, 1, "no target")),
    }
}
