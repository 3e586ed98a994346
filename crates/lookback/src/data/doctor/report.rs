//! What was found, with the first places of each kind.
use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::Part;
use super::check::{Check, Severity};
use super::row::RowId;

/// What an examination found.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The files that were read.
    pub files: Vec<ExaminedFile>,
    /// Pairs that training would take.
    pub pairs: u64,
    /// The scripts most sources and most targets are written in, if they have letters.
    pub scripts: Option<[String; 2]>,
    /// The median of target characters per source character.
    pub length_ratio: Option<f64>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
}

/// A file that was examined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExaminedFile {
    /// Its name.
    pub path: String,
    /// What it is for.
    pub part: Part,
    /// Its lines.
    pub lines: u64,
    /// Its bytes, unpacked.
    pub bytes: u64,
}

/// Everything of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was found.
    pub check: Check,
    /// How much it matters.
    pub severity: Severity,
    /// How many there are.
    pub count: u64,
    /// What is counted.
    pub about: &'static str,
    /// The first of them.
    pub examples: Vec<Place>,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1; none if the file as a whole is meant.
    pub line: Option<u64>,
    /// What stands there.
    pub detail: String,
}

impl Report {
    /// Whether training would refuse the corpus.
    pub fn is_refused(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// How many of a kind were found.
    pub fn count(&self, check: Check) -> u64 {
        self.findings.iter().find(|finding| finding.check == check).map_or(0, |finding| finding.count)
    }
}

/// Findings as they come.
#[derive(Debug)]
pub(super) struct Findings {
    most: usize,
    kinds: BTreeMap<Check, Kind>,
}

#[derive(Debug, Default)]
struct Kind {
    count: u64,
    /// The least by rank, then place.
    examples: Examples<String>,
}

/// The `most` things of least rank, by rank, place and the order they came in.
#[derive(Debug)]
pub(super) struct Examples<T> {
    kept: BTreeMap<(i64, Spot, u64), T>,
    came: u64,
}

impl<T> Default for Examples<T> {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), came: 0 }
    }
}

/// A row, and which of its files.
pub(super) type Spot = (RowId, usize);

impl<T> Examples<T> {
    /// Whether something of this rank would be kept.
    pub(super) fn has_room(&self, most: usize, rank: i64, spot: Spot) -> bool {
        self.kept.len() < most || self.kept.last_key_value().is_some_and(|(&(r, s, _), _)| (rank, spot) < (r, s))
    }

    pub(super) fn keep(&mut self, most: usize, rank: i64, spot: Spot, what: T) {
        self.kept.insert((rank, spot, self.came), what);
        self.came += 1;
        if self.kept.len() > most {
            self.kept.pop_last();
        }
    }

    pub(super) fn into_items(self) -> impl Iterator<Item = (Spot, T)> {
        self.kept.into_iter().map(|((_, spot, _), what)| (spot, what))
    }
}

impl Findings {
    /// Findings with at most `most` examples of a kind.
    pub(super) fn new(most: usize) -> Self {
        Self { most, kinds: BTreeMap::new() }
    }

    /// Counts one at `spot`; the first of a kind are its examples.
    pub(super) fn add(&mut self, check: Check, spot: Spot, detail: impl FnOnce() -> String) {
        self.add_ranked(check, spot, 0, detail);
    }

    /// Counts one; those of least rank are the examples.
    pub(super) fn add_ranked(&mut self, check: Check, spot: Spot, rank: i64, detail: impl FnOnce() -> String) {
        self.count(check, 1);
        self.show(check, spot, rank, detail);
    }

    /// Counts some without a place.
    pub(super) fn count(&mut self, check: Check, count: u64) {
        self.kinds.entry(check).or_default().count += count;
    }

    /// An example of what is counted elsewhere.
    pub(super) fn show(&mut self, check: Check, spot: Spot, rank: i64, detail: impl FnOnce() -> String) {
        let examples = &mut self.kinds.entry(check).or_default().examples;
        if examples.has_room(self.most, rank, spot) {
            examples.keep(self.most, rank, spot, detail());
        }
    }

    pub(super) fn most(&self) -> usize {
        self.most
    }

    /// All kinds; `name` gives a spot's file.
    pub(super) fn into_findings(self, name: impl Fn(Spot) -> String) -> Vec<Finding> {
        let finding = |(check, kind): (Check, Kind)| Finding {
            check,
            severity: check.severity(),
            count: kind.count,
            about: check.about(),
            examples: (kind.examples.into_items())
                .map(|(spot, detail)| {
                    let line = spot.0.line();
                    Place { file: name(spot), line: (line > 0).then_some(line), detail }
                })
                .collect(),
        };
        self.kinds.into_iter().filter(|(_, kind)| kind.count > 0).map(finding).collect()
    }
}

/// A path as it stands in a report.
pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_the_first_in_the_file_in_whatever_order_they_are_found() {
        let mut findings = Findings::new(2);
        for line in [7, 3, 9, 1] {
            findings.add(Check::Duplicate, (RowId::new(0, line), 0), || format!("n{line}"));
        }
        findings.count(Check::Quotes, 0);
        let found = findings.into_findings(|_| "p".into());
        assert_eq!(found.len(), 1);
        let lines: Vec<_> = found[0].examples.iter().map(|place| place.line.unwrap()).collect();
        assert_eq!((found[0].count, lines), (4, vec![1, 3]));
    }
}
