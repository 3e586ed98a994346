//! `lookback inspect`.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use lookback::checkpoint::{Checkpoint, MODEL_FILE, STATE_FILE};
use lookback::config::CellKind;
use lookback::text::Sharing;
use serde_json::Value;

use crate::args::InspectArgs;
use crate::display::{counted, grouped};
use crate::exit::Done;

pub(crate) fn run(args: &InspectArgs) -> anyhow::Result<Done> {
    let checkpoint = Checkpoint::load(&args.model)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    overview(&mut out, &args.model, &checkpoint)?;
    tensors(&mut out, &checkpoint)?;
    writeln!(out, "\nconfiguration")?;
    for line in checkpoint.config.to_toml()?.lines() {
        writeln!(out, "{}{line}", if line.is_empty() { "" } else { "  " })?;
    }
    out.flush()?;
    Ok(Done::Whole)
}

fn overview(out: &mut impl Write, dir: &Path, checkpoint: &Checkpoint) -> io::Result<()> {
    let fact = |out: &mut dyn Write, name: &str, value: String| writeln!(out, "{name:<12} {value}");
    let (tokenizers, model) = (&checkpoint.tokenizers, &checkpoint.config.model);
    fact(out, "model", dir.display().to_string())?;
    fact(out, "parameters", grouped(checkpoint.parameters()))?;
    fact(out, "precision", "f32".into())?;
    fact(out, "size", format!("{} bytes ({MODEL_FILE})", grouped(size(&dir.join(MODEL_FILE)))))?;
    fact(
        out,
        "encoder",
        format!(
            "{} of {}, {}",
            counted(model.encoder_layers, &layer_of(model.encoder_cell())),
            model.encoder_hidden.or(model.hidden).unwrap_or_default(),
            if model.bidirectional { "in both directions" } else { "forward" },
        ),
    )?;
    fact(
        out,
        "decoder",
        format!(
            "{} of {}, attention {}{}",
            counted(model.decoder_layers, &layer_of(model.cell)),
            model.hidden.unwrap_or_default(),
            spelled(&model.attention),
            if model.input_feeding { ", input feeding" } else { "" },
        ),
    )?;
    let mode = checkpoint.config.text.mode.map_or_else(|| "unknown".into(), |mode| spelled(&mode));
    let vocabulary = match tokenizers.sharing {
        Sharing::Joint => format!("{} pieces for both sides", grouped(tokenizers.src.vocab_size())),
        Sharing::Separate => {
            format!("{} + {} pieces", grouped(tokenizers.src.vocab_size()), grouped(tokenizers.tgt.vocab_size()))
        }
    };
    fact(out, "text", format!("{mode}, {vocabulary}"))?;
    if let Some(position) = position(&dir.join(STATE_FILE)) {
        fact(out, "training", position)?;
    }
    Ok(())
}

/// What a layer of a cell is called.
fn layer_of(cell: CellKind) -> String {
    format!("{} layer", cell.name().to_uppercase())
}

fn tensors(out: &mut impl Write, checkpoint: &Checkpoint) -> io::Result<()> {
    let width = checkpoint.specs.iter().map(|spec| spec.name.len()).max().unwrap_or(0).max("tensor".len());
    writeln!(out, "\n{:<width$}  {:>14}  {:>12}", "tensor", "shape", "numbers")?;
    for spec in &checkpoint.specs {
        let shape = spec.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(" × ");
        writeln!(out, "{:<width$}  {shape:>14}  {:>12}", spec.name, grouped(spec.len()))?;
    }
    Ok(())
}

/// How a value is spelled in a configuration.
fn spelled(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

fn size(path: &Path) -> usize {
    fs::metadata(path).map_or(0, |m| usize::try_from(m.len()).unwrap_or(usize::MAX))
}

/// Where the training stands, by the metadata of its state: a safetensors file begins with the length of its header, which is JSON.
fn position(path: &Path) -> Option<String> {
    let mut file = fs::File::open(path).ok()?;
    let mut length = [0; 8];
    file.read_exact(&mut length).ok()?;
    let mut header = Vec::new();
    file.take(u64::from_le_bytes(length)).read_to_end(&mut header).ok()?;
    let header: Value = serde_json::from_slice(&header).ok()?;
    let state: Value = serde_json::from_str(header["__metadata__"]["training"].as_str()?).ok()?;
    let position = &state[1];
    let mut text = format!("update {} in epoch {}", position["update"], position["epoch"]);
    if let Some(best) = position["best"].as_object() {
        text += &format!("; best: update {}, BLEU {:.2}", best["update"], best["bleu"].as_f64().unwrap_or(f64::NAN));
    }
    Some(format!("{text} (lookback train --resume goes on)"))
}
