//! What is scored: translations from a file or a model, references, sources.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use lookback::data::{DataError, read_tsv};
use lookback::eval::{AttentionHealth, NbestFormat, parse_nbest};
use lookback::search::{KeepWeights, SearchOptions};
use lookback::{TranslateError, Translator};

use super::args::{EvalArgs, Nbest};
use crate::args::Common;
use crate::data::lines;
use crate::display::Screen;
use crate::exit::{BadData, Usage};
use crate::input::at_line;
use crate::translate::one_line;

/// Sentences translated between two drawings of the progress.
const ROUND: usize = 128;

/// References, and sources where they were given.
#[derive(Debug)]
pub(super) struct Test {
    /// One or more for each sentence.
    pub(super) refs: Vec<Vec<String>>,
    pub(super) sources: Option<Vec<String>>,
    /// The file of the (first) references, for messages.
    path: PathBuf,
}

impl Test {
    pub(super) fn read(args: &EvalArgs) -> anyhow::Result<Self> {
        match (&args.pairs, args.reference.as_slice()) {
            (Some(pairs), _) => {
                let corpus = read_tsv(pairs, args.columns)?;
                let (mut sources, mut refs) = (Vec::new(), Vec::new());
                for pair in corpus.pairs.iter() {
                    let pair = pair?;
                    sources.push(pair.src);
                    refs.push(vec![pair.tgt]);
                }
                Ok(Self { refs, sources: Some(sources), path: pairs.clone() })
            }
            (None, paths) => {
                let path = paths.first().ok_or_else(|| Usage("give references: --ref FILE, or PAIRS".into()))?.clone();
                let refs = references(paths)?;
                let sources = args.src.as_deref().map(|src| aligned(src, &path, refs.len())).transpose()?;
                Ok(Self { refs, sources, path })
            }
        }
    }

    /// A file of translations: a line for each reference, or lists of them as `--n-best` says.
    pub(super) fn lists(&self, path: &Path, n_best: Option<Nbest>) -> anyhow::Result<Vec<Vec<String>>> {
        let format = match n_best {
            None => {
                return Ok(aligned(path, &self.path, self.refs.len())?.into_iter().map(|line| vec![line]).collect());
            }
            Some(Nbest::Moses) => NbestFormat::Moses,
            Some(Nbest::Count(k)) => NbestFormat::Lines(k),
        };
        let lists = parse_nbest(path, &lines(path)?, format)?;
        if lists.len() != self.refs.len() {
            let (path, wanted, found) = (path.display(), self.refs.len(), lists.len());
            let text = format!("{path}: translations of {found} sentences, but {} has {wanted}", self.path.display());
            return Err(BadData(text).into());
        }
        Ok(lists)
    }
}

/// Lines of `path`, as many as the references in `other` have.
fn aligned(path: &Path, other: &Path, count: usize) -> Result<Vec<String>, DataError> {
    let lines = lines(path)?;
    if lines.len() == count {
        return Ok(lines);
    }
    let (src_lines, tgt_lines) = (lines.len() as u64, count as u64);
    Err(DataError::LineCounts { src: path.to_owned(), src_lines, tgt: other.to_owned(), tgt_lines })
}

/// References of each line. An empty line of one file means that it has none there; one file must.
fn references(paths: &[PathBuf]) -> anyhow::Result<Vec<Vec<String>>> {
    let mut refs: Vec<Vec<String>> = lines(&paths[0])?.into_iter().map(|line| vec![line]).collect();
    for path in &paths[1..] {
        let further = aligned(path, &paths[0], refs.len())?;
        refs.iter_mut().zip(further).for_each(|(refs, line)| refs.push(line));
    }
    refs.iter_mut().for_each(|refs| refs.retain(|line| !line.trim().is_empty()));
    if let Some(i) = refs.iter().position(Vec::is_empty) {
        let place = format!("{}:{}", paths[0].display(), i + 1);
        let where_else = if paths.len() > 1 { " in every file" } else { "" };
        let what = format!("the reference is empty{where_else}; give one, or remove the line from all files");
        return Err(BadData(format!("{place}: {what}")).into());
    }
    Ok(refs)
}

/// What is scored.
#[derive(Debug)]
pub(super) struct Translations {
    /// Of each sentence, the best one first.
    pub(super) lists: Vec<Vec<String>>,
    /// How a model that has attention looked while it wrote the best ones.
    pub(super) attention: Option<AttentionHealth>,
}

/// Translations from the file or the model that was named.
pub(super) fn translations(args: &EvalArgs, common: Common, test: &Test) -> anyhow::Result<Translations> {
    match (&args.hyp, args.n_best) {
        (Some(hyp), n_best) => Ok(Translations { lists: test.lists(hyp, n_best)?, attention: None }),
        (None, Some(Nbest::Moses)) => {
            Err(Usage("--n-best moses says how files are written; with --model give a number".into()).into())
        }
        (None, Some(Nbest::Count(k))) => translated(args, common, test, k),
        (None, None) => translated(args, common, test, 1),
    }
}

/// The model's translations.
fn translated(args: &EvalArgs, common: Common, test: &Test, nbest: usize) -> anyhow::Result<Translations> {
    let sources = test.sources.as_ref().ok_or_else(|| Usage("give PAIRS, or --src and --ref".into()))?;
    let translator = args.search.translator(&args.model, &args.processor.cpu(common)?)?;
    let mut config = args.search.over(&translator.config().search);
    if nbest > config.beam_size {
        if let Some(beam) = args.search.beam_size {
            return Err(Usage(format!("--n-best {nbest} needs --beam-size {nbest} or more; it is {beam}")).into());
        }
        config.beam_size = nbest;
    }
    let weights = if translator.need_attention().is_ok() { KeepWeights::Yes } else { KeepWeights::No };
    let options = SearchOptions { nbest, weights, ..config.into() };
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let mut screen = Screen::new(common);
    let file = args.src.as_deref().unwrap_or(&test.path);
    let found =
        lists_of(&translator, &sources, &options, &mut screen).map_err(|error| at_line(error, file.display(), 1))?;
    if let Some(path) = &args.hyp_out {
        let text: String = found.lists.iter().flat_map(|list| [first(list), "\n"]).collect();
        fs::write(path, text).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(found)
}

/// The best of a list.
pub(super) fn first(list: &[String]) -> &str {
    list.first().map_or("", String::as_str)
}

/// Translations of each source, the best one first.
fn lists_of(
    translator: &Translator,
    sources: &[&str],
    options: &SearchOptions,
    screen: &mut Screen,
) -> Result<Translations, TranslateError> {
    let (mut lists, mut attention) = (Vec::with_capacity(sources.len()), None::<AttentionHealth>);
    for round in sources.chunks(ROUND) {
        screen.progress("translating", lists.len(), sources.len());
        let found =
            translator.translate_with(round, options).map_err(|error| error.of_sentence(|i| lists.len() + i))?;
        for best in found.iter().filter_map(|list| list.first()) {
            if let Some(weights) = best.hypothesis.weights.as_ref().filter(|weights| !weights.is_empty()) {
                attention.get_or_insert_default().add(weights, best.src_ids.len());
            }
        }
        lists.extend(found.iter().map(|list| list.iter().map(|t| one_line(&t.text)).collect::<Vec<_>>()));
    }
    screen.clear();
    Ok(Translations { lists, attention })
}

/// The best translation of each source, a line each.
pub(crate) fn best_of(
    translator: &Translator,
    sources: &[&str],
    options: &SearchOptions,
    screen: &mut Screen,
) -> Result<Vec<String>, TranslateError> {
    let lists = lists_of(translator, sources, options, screen)?.lists;
    Ok(lists.into_iter().map(|list| list.into_iter().next().unwrap_or_default()).collect())
}
