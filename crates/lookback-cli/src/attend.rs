//! `lookback attend`.

use std::path::Path;

use lookback::config::TextMode;
use lookback::data::{Corpus, Pair, read_tsv};
use lookback::search::{KeepWeights, SearchOptions};
use lookback::view::{Links, Style};
use lookback::{TranslateError, Translator};

use crate::args::{AttendArgs, Common, Drawing, Format};
use crate::exit::{Done, Usage};
use crate::input::{Rounds, at_line, name, up_to_fault};
use crate::maps::{Form, MapOutput, Unit};
use crate::translate::{model_folder, no_files};
use crate::written::spare;

/// Sentences looked at together.
const ROUND: usize = 256;

pub(crate) fn run(args: &AttendArgs, common: Common) -> anyhow::Result<Done> {
    let format = format(args)?;
    let translator = args.search.translator(std::slice::from_ref(&args.model), &args.processor.cpu(common)?)?;
    translator.need_attention()?;
    let unit = match (args.words, args.pieces) {
        (true, _) => Unit::Words,
        (_, true) => Unit::Pieces,
        _ => usual_unit(&translator),
    };
    let style = if args.style == Some(Drawing::Boxes) { Style::Boxes } else { Style::Heat };
    let links = args.threshold.map_or(Links::Strongest, Links::Above);
    let model = args.model.display().to_string();
    let form = Form { format, unit, links, style, colour: common.color, model };
    spare(args.output.as_deref(), [&args.input, &args.pairs].into_iter().filter_map(Option::as_deref))?;
    // What stood in the file that is written to is gone once it is open, so whatever can be known to fail fails before.
    let given = Given::open(&translator, args)?;
    let mut out = MapOutput::open(args.output.as_deref(), form)?;
    let ending = match given {
        Given::Pairs { corpus, path } => of_pairs(&translator, &corpus, path, &mut out),
        Given::Sentences { rounds, options } => {
            let name = name(&args.sentences, args.input.as_deref());
            of_sentences(&translator, rounds, &name, &options, &mut out)
        }
    };
    if let Err(error) = ending {
        // Maps that came before are not lost; that they cannot be written would not be the error.
        drop(out.finish());
        return Err(error);
    }
    out.finish()?;
    Ok(Done::Whole)
}

/// What is looked at.
enum Given<'a> {
    /// Given translations.
    Pairs { corpus: Corpus, path: &'a Path },
    /// Sentences that the model translates.
    Sentences { rounds: Rounds, options: SearchOptions },
}

impl<'a> Given<'a> {
    fn open(translator: &Translator, args: &'a AttendArgs) -> anyhow::Result<Self> {
        if let Some(path) = &args.pairs {
            return Ok(Self::Pairs { corpus: read_tsv(path, args.columns)?, path });
        }
        let config = args.search.over(&translator.config().search);
        // A beam asked for is a beam to be seen.
        let nbest = args.search.beam_size.unwrap_or(1);
        let options = SearchOptions { nbest, weights: KeepWeights::Yes, ..config.into() };
        options.check().map_err(TranslateError::from)?;
        let rounds = Rounds::of(&args.sentences, args.input.as_deref(), ROUND)?;
        Ok(Self::Sentences { rounds, options })
    }
}

fn of_pairs(translator: &Translator, corpus: &Corpus, path: &Path, out: &mut MapOutput) -> anyhow::Result<()> {
    let (mut pairs, mut seen) = (corpus.pairs.iter(), 0);
    loop {
        let round = pairs.by_ref().take(ROUND).collect::<Result<Vec<Pair>, _>>()?;
        if round.is_empty() {
            return Ok(());
        }
        let given: Vec<(&str, &str)> = round.iter().map(|p| (p.src.as_str(), p.tgt.as_str())).collect();
        let (maps, fault) = up_to_fault(&given, |given| translator.attend_pairs(given))
            .map_err(|error| at_line(error, path.display(), seen + 1))?;
        for (i, map) in maps.into_iter().enumerate() {
            out.take(vec![map.with_id(seen + i)])?;
        }
        if let Some(fault) = fault {
            return Err(fault.at(path.display(), seen + 1));
        }
        seen += round.len();
    }
}

fn of_sentences(
    translator: &Translator,
    mut rounds: Rounds,
    name: &str,
    options: &SearchOptions,
    out: &mut MapOutput,
) -> anyhow::Result<()> {
    let mut seen = 0;
    while let Some(lines) = rounds.next()? {
        let sources: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (maps, fault) = up_to_fault(&sources, |sources| translator.attend(sources, options))
            .map_err(|error| at_line(error, name, seen + 1))?;
        for (i, maps) in maps.into_iter().enumerate() {
            out.take(maps.into_iter().map(|map| map.with_id(seen + i)).collect())?;
        }
        out.flush()?;
        if let Some(fault) = fault {
            return Err(fault.at(name, seen + 1));
        }
        seen += lines.len();
    }
    Ok(())
}

/// Words, unless the model reads characters.
pub(crate) fn usual_unit(translator: &Translator) -> Unit {
    if translator.config().text.mode == Some(TextMode::Char) { Unit::Pieces } else { Unit::Words }
}

/// The form, and what cannot go with it.
fn format(args: &AttendArgs) -> Result<Format, Usage> {
    if let Some(dir) = model_folder(&args.sentences) {
        return Err(Usage(format!("`{dir}` is a model folder; attention is shown of one model, the one of -m")));
    }
    no_files(&args.sentences)?;
    let format = Format::chosen(args.format, args.output.as_deref(), "--format")?;
    if matches!(format, Format::Jsonl | Format::Npz | Format::Html) && (args.words || args.pieces) {
        return Err(Usage("JSON Lines, .npz and HTML hold words and pieces; leave out --words and --pieces".into()));
    }
    if args.style.is_some() && format != Format::Svg {
        return Err(Usage("--style is for --format svg; HTML offers both".into()));
    }
    if args.threshold.is_some() && format != Format::Pharaoh {
        return Err(Usage("--threshold is for --format pharaoh; the other forms hold the weights".into()));
    }
    Ok(format)
}
