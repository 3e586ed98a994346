//! What is said of the place where the sides of a corpus drift apart.
use super::super::{DataError, PairFiles};
use super::drift::{Departure, Drift};
use super::hole::{Hole, Place};
use super::row::Rows;

/// Lines between the first and the last possible place that are still one place.
const NARROW: u64 = 30;

/// What is known of the place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Apart {
    /// The line, and what is the matter from there on.
    pub(super) place: Option<(u64, String)>,
    /// What is said about files of unequal length instead.
    pub(super) unplaced: String,
}

/// The place where the sides of files that were read to their end drift apart. Files of unequal length are read once more.
pub(super) fn apart(files: &PairFiles, rows: &Rows, drift: Drift) -> Apart {
    let ratio = drift.ratio();
    let counts = match rows.files() {
        [src, tgt] => [src.number(), tgt.number()],
        _ => [0, 0],
    };
    let departure = drift.finish();
    let place = if counts[0] == counts[1] { Place::Unknown } else { again(files, counts, ratio) };
    let is_earlier = |departure: &Departure| match place {
        Place::Known { first, .. } | Place::Open { first } => departure.line + NARROW < first,
        Place::Unknown => true,
    };
    if let Some(Departure { line, shift }) = departure.filter(is_earlier) {
        let there = if rows.is_parallel() {
            format!("from about here on, line n of the source fits line n{shift:+} of the target")
        } else {
            format!("from about here on, the source of line n fits the target of line n{shift:+}")
        };
        return Apart { place: Some((line, there)), unplaced: String::new() };
    }
    let shift = counts[1] as i64 - counts[0] as i64;
    match place {
        Place::Known { first, line, last, is_followed } => {
            let is_narrow = last - first <= NARROW;
            let from = if is_narrow {
                "from about here on".to_owned()
            } else {
                format!("from here on, or from line {last} at the latest")
            };
            let what = if is_followed {
                format!("line n of the source fits line n{shift:+} of the target")
            } else {
                "the sides do not fit".to_owned()
            };
            Apart {
                place: Some((if is_narrow { line } else { first }, format!("{from}, {what}"))),
                unplaced: String::new(),
            }
        }
        Place::Open { first } => {
            let fits = if first > 1 { format!("up to line {} the sides fit, and ", first - 1) } else { String::new() };
            let unplaced = format!("; {fits}the shorter file may just end too early");
            Apart { place: None, unplaced }
        }
        Place::Unknown => Apart { place: None, unplaced: "; lengths, numbers and names do not tell where".to_owned() },
    }
}

/// Reads files of unequal length again. What cannot be read twice has no place.
fn again(files: &PairFiles, counts: [u64; 2], ratio: f64) -> Place {
    if !files.paths().iter().all(|path| path.is_file()) {
        return Place::Unknown;
    }
    let read = || -> Result<Place, DataError> {
        let (mut rows, mut hole) = (Rows::open(files)?, Hole::new(counts, ratio));
        while rows.advance()? {
            let [src, tgt] = rows.signs();
            hole.push(src, tgt);
        }
        Ok(hole.finish())
    };
    read().unwrap_or(Place::Unknown)
}
