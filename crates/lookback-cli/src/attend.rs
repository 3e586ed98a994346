//! `lookback attend`.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use lookback::Translator;
use lookback::config::TextMode;
use lookback::data::read_tsv;
use lookback::search::{KeepWeights, SearchOptions};
use lookback::view::{AttentionMap, Ink, Page, Style, ViewError, to_svg, to_terminal, write_jsonl};

use crate::args::{AttendArgs, Common, Drawing, Format};
use crate::display::{wants_colours, width};
use crate::exit::{Done, Usage};
use crate::input::Rounds;

/// Sentences looked at together.
const ROUND: usize = 256;

pub(crate) fn run(args: &AttendArgs, common: Common) -> anyhow::Result<Done> {
    let format = form(args)?;
    let translator = Translator::load_with(&args.model, common.threads)?;
    let by_piece = args.pieces || (!args.words && translator.config().text.mode == Some(TextMode::Char));
    let mut out = Output::open(args, format, if by_piece { Unit::Pieces } else { Unit::Words })?;
    if let Some(pairs) = &args.pairs {
        let corpus = read_tsv(pairs, args.columns)?;
        for (round, pairs) in corpus.pairs.chunks(ROUND).enumerate() {
            let pairs: Vec<(&str, &str)> = pairs.iter().map(|p| (p.src.as_str(), p.tgt.as_str())).collect();
            out.take(numbered(translator.attend_pairs(&pairs)?, round * ROUND)?)?;
        }
    } else {
        let config = args.search.over(&translator.config().search);
        // A beam asked for is a beam to be seen.
        let nbest = args.search.beam_size.unwrap_or(1);
        let options = SearchOptions { nbest, weights: KeepWeights::Yes, ..config.into() };
        let mut rounds = Rounds::open(args.input.as_deref(), ROUND)?;
        let mut first = 0;
        while let Some(lines) = rounds.next()? {
            let sources: Vec<&str> = lines.iter().map(String::as_str).collect();
            let maps = translator.attend(&sources, &options)?;
            out.take(numbered(maps.into_iter().flatten().collect(), first)?)?;
            first += lines.len();
        }
    }
    out.finish(args)?;
    Ok(Done::Whole)
}

/// The form that was asked for, or that the output's name says.
fn form(args: &AttendArgs) -> Result<Format, Usage> {
    let by_name = |path: &Path| match path.extension().and_then(|e| e.to_str()).map(str::to_lowercase).as_deref() {
        Some("jsonl") => Ok(Format::Jsonl),
        Some("svg") => Ok(Format::Svg),
        Some("html" | "htm") => Ok(Format::Html),
        Some("txt") => Ok(Format::Terminal),
        _ => Err(Usage(format!("`{}` does not end in .html, .jsonl, .svg or .txt; give --format", path.display()))),
    };
    let format = match (args.format, &args.output) {
        (Some(format), _) => format,
        (None, Some(path)) => by_name(path)?,
        (None, None) => Format::Terminal,
    };
    if matches!(format, Format::Jsonl | Format::Html) && (args.words || args.pieces) {
        return Err(Usage("JSON Lines and HTML hold words and pieces; leave out --words and --pieces".into()));
    }
    if args.style.is_some() && format != Format::Svg {
        return Err(Usage("--style is for --format svg; HTML offers both".into()));
    }
    Ok(format)
}

/// The same maps as those of the lines from `first` on.
fn numbered(maps: Vec<AttentionMap>, first: usize) -> Result<Vec<AttentionMap>, ViewError> {
    if first == 0 {
        return Ok(maps);
    }
    let renumber = |map: AttentionMap| {
        let (src, tgt, weights) = (map.src().clone(), map.tgt().clone(), map.weights().to_vec());
        let new = AttentionMap::new(first + map.id(), src, tgt, weights, map.log_prob())?;
        Ok(if let Some(rank) = map.rank() { new.with_rank(rank) } else { new })
    };
    maps.into_iter().map(renumber).collect()
}

/// What a row and a column stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Words,
    Pieces,
}

/// Where maps go: out at once as text, or kept until all are there.
struct Output {
    format: Format,
    unit: Unit,
    to: Box<dyn Write>,
    ink: Ink,
    width: usize,
    kept: Vec<AttentionMap>,
}

impl Output {
    fn open(args: &AttendArgs, format: Format, unit: Unit) -> anyhow::Result<Self> {
        let to: Box<dyn Write> = match &args.output {
            // Several sentences as SVG are several files: which, is known at the end.
            Some(_) if format == Format::Svg => Box::new(io::sink()),
            Some(path) => {
                let file = fs::File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
                Box::new(io::BufWriter::new(file))
            }
            None => Box::new(io::BufWriter::new(io::stdout())),
        };
        let on_terminal = args.output.is_none() && io::stdout().is_terminal();
        let ink = if on_terminal && wants_colours() { Ink::Colour } else { Ink::Plain };
        Ok(Self { format, unit, to, ink, width: if on_terminal { width() } else { 120 }, kept: Vec::new() })
    }

    fn take(&mut self, maps: Vec<AttentionMap>) -> anyhow::Result<()> {
        for map in maps {
            match self.format {
                Format::Terminal => {
                    let text = in_terminal(&drawn(&map, self.unit), self.width, self.ink);
                    self.to.write_all(text.as_bytes())?;
                }
                Format::Jsonl => write_jsonl(&mut self.to, &map)?,
                Format::Svg | Format::Html => self.kept.push(map),
            }
        }
        Ok(self.to.flush()?)
    }

    fn finish(mut self, args: &AttendArgs) -> anyhow::Result<()> {
        match self.format {
            Format::Terminal | Format::Jsonl => {}
            Format::Html => {
                let page = Page::new("Where the decoder looked").fact("Model", args.model.display().to_string());
                self.to.write_all(page.render(&self.kept).as_bytes())?;
            }
            Format::Svg => {
                let style = match args.style {
                    Some(Drawing::Boxes) => Style::Boxes,
                    Some(Drawing::Heat) | None => Style::Heat,
                };
                let pictures = self.kept.iter().map(|map| to_svg(&drawn(map, self.unit), style)).collect();
                write_pictures(&mut self.to, args.output.as_deref(), pictures)?;
            }
        }
        Ok(self.to.flush()?)
    }
}

fn write_pictures(out: &mut impl Write, path: Option<&Path>, pictures: Vec<String>) -> anyhow::Result<()> {
    let alone = pictures.len() == 1;
    let Some(path) = path else {
        if !alone {
            let message = format!("{} pictures cannot share standard output; give --output", pictures.len());
            return Err(Usage(message).into());
        }
        return Ok(out.write_all(pictures.concat().as_bytes())?);
    };
    for (i, picture) in pictures.iter().enumerate() {
        let path = if alone { path.to_owned() } else { place(path, i + 1) };
        fs::write(&path, picture).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    Ok(())
}

/// `a/one.svg` → `a/one-007.svg`
fn place(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map_or_else(|| "svg".into(), |e| e.to_string_lossy());
    path.with_file_name(format!("{stem}-{number:03}.{extension}"))
}

fn drawn(map: &AttentionMap, unit: Unit) -> AttentionMap {
    match unit {
        Unit::Words => map.merged(),
        Unit::Pieces => map.clone(),
    }
}

/// The texts, then the heat map.
fn in_terminal(map: &AttentionMap, width: usize, ink: Ink) -> String {
    let rank = map.rank().filter(|rank| *rank > 0).map_or(String::new(), |rank| format!(" ({})", rank + 1));
    let texts = format!("{} → {}{rank}  {:.2} nats\n", map.src().text, map.tgt().text, map.log_prob());
    format!("{texts}{}\n", to_terminal(map, width, ink))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_numbered_beside_each_other() {
        assert_eq!(place(Path::new("a/one.svg"), 7), Path::new("a/one-007.svg"));
        assert_eq!(place(Path::new("one"), 12), Path::new("one-012.svg"));
    }
}
