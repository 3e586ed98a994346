//! Where attention maps go: a file or standard output, in any form, at once or when all are there.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use lookback::view::{
    AttentionMap, Ink, Links, NpzWriter, Page, Style, to_pharaoh, to_svg, to_terminal, visible, write_jsonl,
    write_marian, write_nematus,
};

use crate::args::{Colour, Format};
use crate::display::{is_coloured, width};
use crate::exit::Usage;

/// What a row and a column stand for, in the forms that hold only one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Words,
    Pieces,
}

impl Unit {
    /// The map in this unit, as `format` counts: figures separate punctuation, lines of text are cut at white space.
    pub(crate) fn of(self, map: &AttentionMap, format: Format) -> AttentionMap {
        match (self, format) {
            (Self::Pieces, _) => map.clone(),
            (Self::Words, Format::Pharaoh | Format::Nematus | Format::Marian) => map.spaced(),
            (Self::Words, _) => map.merged(),
        }
    }
}

/// How maps are written.
#[derive(Debug, Clone)]
pub(crate) struct Form {
    pub(crate) format: Format,
    pub(crate) unit: Unit,
    pub(crate) links: Links,
    pub(crate) style: Style,
    pub(crate) colour: Colour,
    /// The model folder, or several, as a fact on the page.
    pub(crate) model: String,
}

impl Format {
    /// The form that was asked for, or that the output's name says; the option that asks is `option`.
    pub(crate) fn chosen(given: Option<Self>, output: Option<&Path>, option: &str) -> Result<Self, Usage> {
        let (None, Some(path)) = (given, output) else { return Ok(given.unwrap_or(Self::Terminal)) };
        match path.extension().and_then(|e| e.to_str()).map(str::to_lowercase).as_deref() {
            Some("txt") => Ok(Self::Terminal),
            Some("html" | "htm") => Ok(Self::Html),
            Some("svg") => Ok(Self::Svg),
            Some("jsonl") => Ok(Self::Jsonl),
            Some("npz") => Ok(Self::Npz),
            Some("pharaoh" | "align") => Ok(Self::Pharaoh),
            Some("nematus") => Ok(Self::Nematus),
            Some("marian") => Ok(Self::Marian),
            _ => Err(Usage(format!(
                "`{}` does not end in .html, .svg, .jsonl, .npz, .pharaoh, .nematus, .marian or .txt; give {option}",
                path.display()
            ))),
        }
    }
}

/// Where maps go. Pages and pictures are kept until all maps are there; every other form is written as maps come.
pub(crate) struct MapOutput {
    form: Form,
    path: Option<PathBuf>,
    to: To,
    ink: Ink,
    width: usize,
}

enum To {
    Text(Box<dyn Write>),
    Npz(Box<NpzWriter<Box<dyn Write>>>),
    Kept(Vec<AttentionMap>),
}

impl MapOutput {
    /// To `path`, which is made, or to standard output.
    pub(crate) fn open(path: Option<&Path>, form: Form) -> anyhow::Result<Self> {
        let on_terminal = path.is_none() && io::stdout().is_terminal();
        if form.format == Format::Npz && on_terminal {
            return Err(Usage("a .npz file is not for a terminal; give a file".into()).into());
        }
        let to = match form.format {
            // How many files pictures become is known at the end.
            Format::Svg => To::Kept(Vec::new()),
            Format::Html => {
                drop(writer(path)?); // a name that cannot be written is told before the work
                To::Kept(Vec::new())
            }
            Format::Npz => To::Npz(Box::new(NpzWriter::new(writer(path)?))),
            _ => To::Text(writer(path)?),
        };
        let ink = if is_coloured(form.colour, on_terminal) { Ink::Colour } else { Ink::Plain };
        let width = if on_terminal { width() } else { 120 };
        Ok(Self { form, path: path.map(Path::to_owned), to, ink, width })
    }

    /// The maps of one input line: of a blank one there are none, which forms with a line for every translation show as an empty line.
    pub(crate) fn take(&mut self, maps: Vec<AttentionMap>) -> anyhow::Result<()> {
        let Form { format, unit, links, .. } = self.form;
        match &mut self.to {
            To::Kept(kept) => kept.extend(maps),
            To::Npz(npz) => maps.iter().try_for_each(|map| npz.write(map))?,
            To::Text(out) => {
                for map in &maps {
                    match format {
                        Format::Jsonl => write_jsonl(&mut *out, map)?,
                        Format::Nematus => write_nematus(&mut *out, &unit.of(map, format))?,
                        Format::Marian => write_marian(&mut *out, &unit.of(map, format))?,
                        Format::Pharaoh => writeln!(out, "{}", to_pharaoh(&unit.of(map, format), links))?,
                        _ => write!(out, "{}", in_terminal(&unit.of(map, format), self.width, self.ink))?,
                    }
                }
                match format {
                    Format::Pharaoh if maps.is_empty() => writeln!(out)?,
                    Format::Marian if maps.is_empty() => writeln!(out, " ||| ")?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Lets what was taken be read.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        if let To::Text(out) = &mut self.to { out.flush() } else { Ok(()) }
    }

    /// Writes what was kept.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let Form { format, unit, style, model, .. } = self.form;
        match self.to {
            To::Text(mut out) => out.flush()?,
            To::Npz(npz) => drop(npz.finish()?),
            To::Kept(maps) if format == Format::Html => {
                let page = Page::new("Where the decoder looked").fact("Model", model);
                let mut out = writer(self.path.as_deref())?;
                out.write_all(page.render(&maps).as_bytes())?;
                out.flush()?;
            }
            To::Kept(maps) => {
                let pictures = maps.iter().map(|map| to_svg(&unit.of(map, format), style)).collect();
                write_pictures(self.path.as_deref(), pictures)?;
            }
        }
        Ok(())
    }
}

fn writer(path: Option<&Path>) -> anyhow::Result<Box<dyn Write>> {
    Ok(match path {
        Some(path) => {
            let file = fs::File::create(path).with_context(|| format!("cannot write `{}`", path.display()))?;
            Box::new(io::BufWriter::new(file))
        }
        None => Box::new(io::BufWriter::new(io::stdout())),
    })
}

fn write_pictures(path: Option<&Path>, pictures: Vec<String>) -> anyhow::Result<()> {
    let alone = pictures.len() == 1;
    let Some(path) = path else {
        if !alone {
            let message = format!("{} pictures cannot share standard output; give --output", pictures.len());
            return Err(Usage(message).into());
        }
        let mut out = io::stdout();
        out.write_all(pictures.concat().as_bytes())?;
        return Ok(out.flush()?);
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

/// The texts, then the heat map.
fn in_terminal(map: &AttentionMap, width: usize, ink: Ink) -> String {
    let rank = map.rank().filter(|rank| *rank > 0).map_or(String::new(), |rank| format!(" ({})", rank + 1));
    let texts =
        format!("{} → {}{rank}  {:.2} nats\n", visible(&map.src().text), visible(&map.tgt().text), map.log_prob());
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

    #[test]
    fn a_name_says_its_form_unless_one_is_given() {
        let of = |given, name: &str| Format::chosen(given, Some(Path::new(name)), "--format").ok();
        assert_eq!(of(None, "a/maps.NPZ"), Some(Format::Npz));
        assert_eq!(of(None, "x.align"), Some(Format::Pharaoh));
        assert_eq!(of(Some(Format::Nematus), "x.html"), Some(Format::Nematus));
        assert_eq!(of(None, "x.pdf"), None);
        assert_eq!(Format::chosen(None, None, "--format").ok(), Some(Format::Terminal));
    }
}
