//! `lookback align`.

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use lookback::align::{Link, merge};
use lookback::view::{Links, pharaoh_line};
use lookback::{TranslateError, Translator};

use crate::args::{AlignArgs, Common};
use crate::data::read_once;
use crate::display::{Screen, counted};
use crate::exit::{Done, Usage};
use crate::input::{Fault, up_to_fault};
use crate::written::{output, spare};

pub(crate) fn run(args: &AlignArgs, common: Common) -> anyhow::Result<Done> {
    if args.batch == 0 {
        return Err(Usage("--batch must be at least 1".into()).into());
    }
    read_once(args.given.files())?;
    spare(args.output.as_deref(), args.given.files())?;
    let aligner = Aligner::load(args, common)?;
    let mut pairs = args.given.open(args.batch)?;
    let mut out = BufWriter::new(output(args.output.as_deref())?);
    let mut screen = Screen::new(common);
    let (mut seen, mut found) = (0, 0);
    while let Some(round) = pairs.next()? {
        let given: Vec<(&str, &str)> = round.iter().map(|(src, tgt)| (src.as_str(), tgt.as_str())).collect();
        let (aligned, fault) = aligner.align(&given).map_err(|error| pairs.error(error, round.len()))?;
        for links in &aligned {
            writeln!(out, "{}", pharaoh_line(links)).context("cannot write links")?;
            found += links.len();
        }
        out.flush().context("cannot write links")?;
        if let Some(fault) = fault {
            return Err(pairs.fault(&fault, round.len()));
        }
        seen += round.len();
        screen.live(|_| format!("{} aligned", counted(seen, "pair")));
    }
    screen.line(&format!("{} between the words of {}", counted(found, "link"), counted(seen, "pair")));
    Ok(Done::Whole)
}

/// One model, or two that translate in opposite directions.
struct Aligner<'a> {
    args: &'a AlignArgs,
    forward: Translator,
    backward: Option<Translator>,
}

impl<'a> Aligner<'a> {
    fn load(args: &'a AlignArgs, common: Common) -> anyhow::Result<Self> {
        let cpu = args.processor.cpu(common)?;
        let load = |dir: &Path| -> anyhow::Result<Translator> {
            let translator = Translator::load_on(dir, cpu.clone())?;
            translator.need_attention().with_context(|| format!("`{}`", dir.display()))?;
            Ok(translator)
        };
        let backward = args.reverse_model.as_deref().map(load).transpose()?;
        Ok(Self { args, forward: load(&args.model)?, backward })
    }

    /// Links of the pairs before the first that a model cannot use, and what is wrong with that one.
    fn align(&self, pairs: &[(&str, &str)]) -> Result<(Vec<Vec<Link>>, Option<Fault>), TranslateError> {
        let links = self.args.threshold.map_or(Links::Strongest, Links::Above);
        let weights = self.args.weights.into();
        let (forward, fault) = up_to_fault(pairs, |pairs| self.forward.align_pairs(pairs, weights, links))?;
        let Some(backward) = &self.backward else { return Ok((forward, fault)) };
        let turned: Vec<(&str, &str)> = pairs[..forward.len()].iter().map(|&(src, tgt)| (tgt, src)).collect();
        let (backward, earlier) = up_to_fault(&turned, |pairs| backward.align_pairs(pairs, weights, links))?;
        let how = self.args.merge.unwrap_or_default().into();
        let both = forward.iter().zip(backward).map(|(forward, backward)| {
            let backward: Vec<Link> = backward.into_iter().map(|(t, s)| (s, t)).collect();
            merge(forward, &backward, how)
        });
        Ok((both.collect(), earlier.map(Fault::turned).or(fault)))
    }
}
