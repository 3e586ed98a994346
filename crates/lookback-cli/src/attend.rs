//! `lookback attend`.

use lookback::config::TextMode;
use lookback::data::{Pair, read_tsv};
use lookback::search::{KeepWeights, SearchOptions};
use lookback::view::{Links, Style};
use lookback::{TranslateError, Translator};

use crate::args::{AttendArgs, Common, Drawing, Format};
use crate::exit::{Done, Usage};
use crate::input::Rounds;
use crate::maps::{Form, MapOutput, Unit};
use crate::translate::model_folder;
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
    if let Some(pairs) = &args.pairs {
        let corpus = read_tsv(pairs, args.columns)?;
        let mut out = MapOutput::open(args.output.as_deref(), form)?;
        let (mut pairs, mut line) = (corpus.pairs.iter(), 0);
        loop {
            let round = pairs.by_ref().take(ROUND).collect::<Result<Vec<Pair>, _>>()?;
            if round.is_empty() {
                break;
            }
            let round: Vec<(&str, &str)> = round.iter().map(|p| (p.src.as_str(), p.tgt.as_str())).collect();
            for map in translator.attend_pairs(&round)? {
                out.take(vec![map.with_id(line)])?;
                line += 1;
            }
        }
        out.finish()?;
    } else {
        let config = args.search.over(&translator.config().search);
        // A beam asked for is a beam to be seen.
        let nbest = args.search.beam_size.unwrap_or(1);
        let options = SearchOptions { nbest, weights: KeepWeights::Yes, ..config.into() };
        options.check().map_err(TranslateError::from)?;
        let mut rounds = match &args.sentences[..] {
            [] => Rounds::open(args.input.as_deref(), ROUND)?,
            given => Rounds::given(given, ROUND),
        };
        let mut out = MapOutput::open(args.output.as_deref(), form)?;
        let mut line = 0;
        while let Some(lines) = rounds.next()? {
            let sources: Vec<&str> = lines.iter().map(String::as_str).collect();
            for maps in translator.attend(&sources, &options)? {
                out.take(maps.into_iter().map(|map| map.with_id(line)).collect())?;
                line += 1;
            }
            out.flush()?;
        }
        out.finish()?;
    }
    Ok(Done::Whole)
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
