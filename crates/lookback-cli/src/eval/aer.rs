//! `eval --aer`: alignment error rate of a file of links.

use std::io::{self, Write};
use std::path::Path;

use lookback::data::{Corpus, DataError};
use lookback::eval::{AlignmentErrorRate, Alignments, Base, Gold, LinkError, LinkFile};
use lookback::train::GoldPairs;
use serde_json::json;

use super::args::{EvalArgs, GoldFormat};
use super::measures::settings;
use crate::args::Common;
use crate::data::{lines, read_once};
use crate::display::{Screen, counted};
use crate::exit::{Done, Usage};

pub(super) fn run(args: &EvalArgs, common: Common, gold_path: &Path, hyp_path: &Path) -> anyhow::Result<Done> {
    refuse_others(args)?;
    let texts = [&args.src, &args.alignment.tgt].into_iter().filter_map(Option::as_deref);
    read_once(texts.chain([gold_path, hyp_path]))?;
    let lengths = lengths(args)?;
    let lengths = lengths.as_deref();
    let (hyp_lines, gold_lines) = (lines(hyp_path)?, lines(gold_path)?);
    let alignment = &args.alignment;
    let file = |path, lines, first| LinkFile { path, lines, base: base(first), lengths };
    let hyp = Alignments::pharaoh(&file(hyp_path, &hyp_lines, alignment.hyp_base))?;
    let gold_file = file(gold_path, &gold_lines, alignment.gold_base);
    let gold = read_gold(&gold_file, alignment.gold_format, hyp_lines.len())?;
    let aer = AlignmentErrorRate::corpus(gold_path, &gold, &hyp)?;
    let notes = [
        (hyp.duplicates, format!("{} again in {}, counted once", counted(hyp.duplicates, "link"), hyp_path.display())),
        (
            gold.duplicates,
            format!("{} again in {}, counted once", counted(gold.duplicates, "link"), gold_path.display()),
        ),
        (gold.null_links, format!("{} to the empty word, not counted", counted(gold.null_links, "link"))),
        (
            gold.unmentioned,
            format!("{} without a line in {}", counted(gold.unmentioned, "sentence"), gold_path.display()),
        ),
    ];
    let mut screen = Screen::new(common);
    for (_, note) in notes.iter().filter(|(count, _)| *count > 0) {
        screen.line(note);
    }
    let mut out = io::stdout().lock();
    if args.json {
        let report = json!({
            "name": "AER",
            "score": aer.score(),
            "precision": aer.precision(),
            "recall": aer.recall(),
            "f_measure": aer.f_measure(),
            "links": aer.links,
            "sure": aer.sure,
            "possible": aer.possible,
            "hits_sure": aer.hits_sure,
            "hits_possible": aer.hits_possible,
            "sentences": gold.len(),
            "duplicates": { "hyp": hyp.duplicates, "gold": gold.duplicates },
            "null_links": gold.null_links,
            "sentences_without_gold": gold.unmentioned,
        });
        writeln!(out, "{report:#}")?;
    } else {
        writeln!(out, "{aer}")?;
    }
    out.flush()?;
    Ok(Done::Whole)
}

/// Where positions start, 0 or 1.
pub(crate) fn base(first: u8) -> Base {
    if first == 1 { Base::One } else { Base::Zero }
}

/// Gold links of `sentences` pairs, in the form that was said or that the file's name tells.
fn read_gold(file: &LinkFile<'_>, format: Option<GoldFormat>, sentences: usize) -> Result<Gold, LinkError> {
    match format.unwrap_or_else(|| named(file.path)) {
        GoldFormat::Pharaoh => Gold::pharaoh(file),
        GoldFormat::Naacl => Gold::naacl(file, sentences),
    }
}

/// `pairs` and their known links in `path`; positions start at `first`.
pub(crate) fn gold_pairs(
    pairs: Corpus,
    path: &Path,
    first: u8,
    format: Option<GoldFormat>,
) -> anyhow::Result<GoldPairs> {
    let words = |text: &str| text.split_whitespace().count();
    let lengths = pairs.pairs.iter().map(|pair| pair.map(|pair| (words(&pair.src), words(&pair.tgt))));
    let lengths = lengths.collect::<Result<Vec<_>, _>>()?;
    let lines = lines(path)?;
    let file = LinkFile { path, lines: &lines, base: base(first), lengths: Some(&lengths) };
    let gold = read_gold(&file, format, pairs.pairs.len())?;
    Ok(GoldPairs { pairs, gold, path: path.to_owned() })
}

/// Links are not translations: what scores those has no place here.
fn refuse_others(args: &EvalArgs) -> Result<(), Usage> {
    let others = [
        (args.pairs.is_some(), "PAIRS"),
        (!args.reference.is_empty(), "--ref"),
        (!args.metrics.is_empty(), "--metrics"),
        (args.sentence_level, "--sentence-level"),
        (!args.by_length.is_empty(), "--by-length"),
        (args.confusions.is_some(), "--confusions"),
        (args.n_best.is_some(), "--n-best"),
        (args.hyp_out.is_some(), "--hyp-out"),
        (args.resampling.test.is_some(), "--test"),
        (args.resampling.samples.is_some(), "--samples"),
        (args.resampling.seed.is_some(), "--seed"),
        (args.search.is_given(), "options of the search"),
        (args.src.is_some() && args.alignment.tgt.is_none(), "--src without --tgt"),
    ];
    let settings = settings(args).map(|(given, option, _)| (given, option));
    match others.iter().chain(&settings).find(|(given, _)| *given) {
        Some((_, other)) => Err(Usage(format!("--aer scores links, not translations; it cannot be used with {other}"))),
        None => Ok(()),
    }
}

/// Tokens of every source and target.
fn lengths(args: &EvalArgs) -> anyhow::Result<Option<Vec<(usize, usize)>>> {
    let (Some(src_path), Some(tgt_path)) = (&args.src, &args.alignment.tgt) else { return Ok(None) };
    let (src, tgt) = (lines(src_path)?, lines(tgt_path)?);
    if src.len() != tgt.len() {
        let (src_lines, tgt_lines) = (src.len() as u64, tgt.len() as u64);
        let (src, tgt) = (src_path.clone(), tgt_path.clone());
        return Err(DataError::LineCounts { src, src_lines, tgt, tgt_lines }.into());
    }
    let tokens = |line: &String| line.split_whitespace().count();
    Ok(Some(src.iter().zip(&tgt).map(|(src, tgt)| (tokens(src), tokens(tgt))).collect()))
}

/// NAACL's files have `.wa` in their names: `test.wa`, `test.wa.nonullalign`, `test.wa.gz`.
fn named(path: &Path) -> GoldFormat {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.split('.').skip(1).any(|part| part == "wa") { GoldFormat::Naacl } else { GoldFormat::Pharaoh }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_naacl_files() {
        for (name, format) in [
            ("d/test.wa", GoldFormat::Naacl),
            ("test.wa.nonullalign", GoldFormat::Naacl),
            ("wa.gold.talp", GoldFormat::Pharaoh),
            ("d.wa/gold", GoldFormat::Pharaoh),
        ] {
            assert_eq!(named(Path::new(name)), format, "{name}");
        }
    }
}
