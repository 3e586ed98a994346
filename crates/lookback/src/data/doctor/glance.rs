//! A quick look at pairs that were read: what every training can afford.
use super::check::Check;
use super::drift::Drift;
use super::examine::Examiner;
use super::repeats::Near;
use super::report::{Findings, Report, Spot, shown};
use super::row::RowId;
use super::signs::Signs;
use super::{DoctorError, Options, Part};
use crate::data::{Corpus, DataError};

/// Looks at what is learned from and, if it was given and not held out, what is validated on. All of [`examine`](super::examine) but near
/// duplicates and what reading refuses; hashes stay in memory as far as `options` lets them.
///
/// # Errors
/// If hashes cannot be sorted in the temporary folder.
pub fn glance(train: &Corpus, valid: Option<&Corpus>, options: &Options) -> Result<Report, DoctorError> {
    glance_at(train, valid, options).map_err(|error| match error {
        // Whoever trains has named no folder.
        DoctorError::Temporary { source } if options.temporary.is_none() => DataError::temporary(source).into(),
        other => other,
    })
}

fn glance_at(train: &Corpus, valid: Option<&Corpus>, options: &Options) -> Result<Report, DoctorError> {
    let mut examiner = Examiner::new(options, Near::Ignored);
    let parts: Vec<(Part, usize, &Corpus)> = [(Part::Train, 0, Some(train)), (Part::Valid, train.corpora(), valid)]
        .into_iter()
        .filter_map(|(part, first, corpus)| Some((part, first, corpus?)))
        .collect();
    for &(part, first, corpus) in &parts {
        look(&mut examiner, part, first, corpus)?;
    }
    let files = parts.iter().map(|(_, first, corpus)| (*first, files(corpus))).collect::<Vec<_>>();
    let path = |(row, side): Spot| {
        let (first, files) = files.iter().rev().find(|(first, _)| *first <= row.corpus()).unwrap_or(&files[0]);
        let files = files.get(row.corpus() - first).map(Vec::as_slice).unwrap_or_default();
        files.get(side).or(files.first()).cloned().unwrap_or_default()
    };
    let name = |spot: Spot| format!("{}:{}", path(spot), spot.0.line());
    let (findings, usual, _, pairs) = examiner.finish(&name)?;
    Ok(Report {
        files: Vec::new(),
        pairs,
        scripts: usual.scripts.map(|scripts| scripts.map(str::to_owned)),
        length_ratio: usual.ratio,
        findings: Findings::into_findings(findings, path),
    })
}

fn look(examiner: &mut Examiner, part: Part, first: usize, corpus: &Corpus) -> Result<(), DoctorError> {
    let (mut drift, mut at) = (Drift::default(), None);
    let tell = |examiner: &mut Examiner, drift: Drift, number: u32| {
        if let Some(departure) = drift.finish() {
            let row = RowId::new(first + number as usize, departure.line);
            examiner.findings.add(Check::Drift, (row, 0), String::new);
        }
    };
    let mut pairs = corpus.pairs.reader();
    while let Some(pair) = pairs.next()? {
        if let Some(before) = at.replace(pair.corpus).filter(|&before| before != pair.corpus) {
            tell(examiner, std::mem::take(&mut drift), before);
        }
        drift.push(pair.line, Some(Signs::of(pair.src)), Some(Signs::of(pair.tgt)));
        // Which of a corpus' files a side stands in is known by their number.
        let row = RowId::new(first + pair.corpus as usize, pair.line);
        examiner.pair(row, part, [pair.src, pair.tgt], [0, 1])?;
    }
    if let Some(last) = at {
        tell(examiner, drift, last);
    }
    Ok(())
}

/// The files of each corpus: one, or one for each side.
fn files(corpus: &Corpus) -> Vec<Vec<String>> {
    let names: Vec<String> = corpus.report.files.iter().map(|file| shown(&file.path)).collect();
    let each = names.len() / corpus.corpora().max(1);
    names.chunks(each.max(1)).map(<[String]>::to_vec).collect()
}
