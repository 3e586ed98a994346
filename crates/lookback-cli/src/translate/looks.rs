//! Where the decoder looked, beside the translations and in a file: from the weights of the search itself.

use lookback::view::{AttentionMap, Links, Style, to_marian, to_pharaoh};
use lookback::{Translation, Translator};

use super::Line;
use crate::args::{Alignment, Common, Format, TranslateArgs};
use crate::attend::usual_unit;
use crate::exit::Usage;
use crate::maps::{Form, MapOutput, Unit};
use crate::written::spare;

/// What is told about where the decoder looked: beside the translations, and in a file.
pub(super) struct Looks {
    alignment: Option<Alignment>,
    unit: Unit,
    file: Option<MapOutput>,
}

impl Looks {
    /// Refuses a model that has no attention, and two outputs in one place.
    pub(super) fn check(args: &TranslateArgs, translator: &Translator) -> anyhow::Result<()> {
        if let (Some(path), Some(output)) = (&args.attention, &args.output)
            && (path == output || spare(Some(path), [output.as_path()]).is_err())
        {
            return Err(Usage("--attention and --output name the same file".into()).into());
        }
        if Self::are_asked(args) {
            translator.need_attention()?;
        }
        Ok(())
    }

    pub(super) fn are_asked(args: &TranslateArgs) -> bool {
        args.alignment.is_some() || args.attention.is_some()
    }

    /// Makes the file, if one is asked for.
    pub(super) fn open(args: &TranslateArgs, common: Common, translator: &Translator) -> anyhow::Result<Self> {
        let unit = usual_unit(translator);
        let mut looks = Self { alignment: args.alignment, unit, file: None };
        if let Some(path) = &args.attention {
            let format = Format::chosen(args.attention_format, Some(path), "--attention-format")?;
            let links = match args.alignment {
                Some(Alignment::Hard(links)) => links,
                Some(Alignment::Soft) | None => Links::Strongest,
            };
            let (style, colour) = (Style::Heat, common.color);
            let model = args.model.iter().map(|dir| dir.display().to_string()).collect::<Vec<_>>().join(", ");
            let form = Form { format, unit, links, style, colour, model };
            looks.file = Some(MapOutput::open(Some(path), form)?);
        }
        Ok(looks)
    }

    fn is_asked(&self) -> bool {
        self.alignment.is_some() || self.file.is_some()
    }

    /// Writes the maps of a round; what `--alignment` says of every translation of every line, nothing if it was not asked.
    pub(super) fn take(
        &mut self,
        translator: &Translator,
        round: &[Line],
        translations: &[Vec<Translation>],
    ) -> anyhow::Result<Vec<Vec<String>>> {
        let mut alignments = vec![Vec::new(); round.len()];
        if !self.is_asked() {
            return Ok(alignments);
        }
        for ((line, translations), alignments) in round.iter().zip(translations).zip(&mut alignments) {
            let number = usize::try_from(line.request.number).unwrap_or(usize::MAX);
            let maps = translator.maps_of(number, &line.request.text, translations)?;
            if let Some(alignment) = self.alignment {
                alignments.extend(maps.iter().map(|map| aligned(alignment, self.unit, map)));
                // A blank source has a translation, but no map.
                alignments.extend(maps.is_empty().then(String::new));
            }
            if let Some(file) = &mut self.file {
                file.take(maps)?;
            }
        }
        self.file.as_mut().map_or(Ok(()), MapOutput::flush)?;
        Ok(alignments)
    }

    pub(super) fn finish(self) -> anyhow::Result<()> {
        self.file.map_or(Ok(()), MapOutput::finish)
    }
}

fn aligned(alignment: Alignment, unit: Unit, map: &AttentionMap) -> String {
    match alignment {
        Alignment::Soft => to_marian(&unit.of(map, Format::Marian)),
        Alignment::Hard(links) => to_pharaoh(&unit.of(map, Format::Pharaoh), links),
    }
}
