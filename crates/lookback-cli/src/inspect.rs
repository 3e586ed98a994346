//! `lookback inspect`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use lookback::checkpoint::{Checkpoint, MODEL_FILE};
use lookback::config::{CellKind, DecoderOrder, Reached, TrainConfig, WindowKind};
use lookback::stored::Storage;
use lookback::text::Sharing;
use lookback::train::Summary;

use crate::args::InspectArgs;
use crate::display::{counted, grouped};
use crate::exit::Done;

pub(crate) fn run(args: &InspectArgs) -> anyhow::Result<Done> {
    let checkpoint = Checkpoint::load(&args.model)?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    overview(&mut out, &args.model, &checkpoint, Summary::read(&args.model)?)?;
    tensors(&mut out, &checkpoint)?;
    writeln!(out, "\nconfiguration")?;
    for line in checkpoint.config.to_toml()?.lines() {
        writeln!(out, "{}{line}", if line.is_empty() { "" } else { "  " })?;
    }
    out.flush()?;
    Ok(Done::Whole)
}

fn overview(out: &mut impl Write, dir: &Path, checkpoint: &Checkpoint, training: Option<Summary>) -> io::Result<()> {
    let fact = |out: &mut dyn Write, name: &str, value: String| writeln!(out, "{name:<12} {value}");
    let (tokenizers, model) = (&checkpoint.tokenizers, &checkpoint.config.model);
    fact(out, "model", dir.display().to_string())?;
    fact(out, "parameters", grouped(checkpoint.parameters()))?;
    fact(out, "precision", precision(checkpoint.storage).to_owned())?;
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
            "{} of {}, attention {}{}{}{}{}",
            counted(model.decoder_layers, &layer_of(model.cell)),
            model.hidden.unwrap_or_default(),
            spelled(&model.attention),
            match (model.window, model.window_width) {
                (WindowKind::Global, _) | (_, None) => String::new(),
                (window, Some(width)) => format!(" in {} ± {width}", spelled(&window)),
            },
            if model.heads > 1 { format!(" with {} heads", model.heads) } else { String::new() },
            if model.decoder == DecoderOrder::Bahdanau { " before the step" } else { "" },
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
    if let Some(training) = training {
        fact(out, "training", stand(&training, &checkpoint.config.train))?;
    }
    Ok(())
}

fn precision(storage: Storage) -> &'static str {
    match storage {
        Storage::F32 => "f32",
        Storage::Bf16 => "bf16 in matrices; vectors f32",
        Storage::Int8 => "int8, a scale per row of each matrix; vectors f32",
    }
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

/// Where the training stands, and what would go on with it.
fn stand(training: &Summary, limits: &TrainConfig) -> String {
    let place = if training.is_epoch_over { "at the end of" } else { "in" };
    let mut text = format!("update {} {place} epoch {}", training.update, training.epoch);
    if let Some(best) = &training.best {
        let score =
            best.score(limits.metric).map(|score| format!(", {} {}", limits.metric.label(), limits.metric.show(score)));
        text += &format!("; best: update {}{}", best.update, score.unwrap_or_default());
    }
    let epochs_done = training.epoch - u64::from(!training.is_epoch_over);
    let is_at_limit = limits.max_updates.is_some_and(|most| training.update >= most)
        || limits.max_epochs.is_some_and(|most| epochs_done >= most)
        || limits.max_minutes.is_some_and(|most| training.seconds >= 60.0 * most)
        || limits.stop_after.is_some_and(|most| most.share(&reached(training, epochs_done)) >= 1.0);
    if limits.patience > 0 && training.stale >= limits.patience {
        return format!("{text}; out of patience (train --resume goes on with a higher train.patience)");
    }
    if is_at_limit {
        return format!("{text}; at its limit (train --resume goes on with a higher one)");
    }
    format!("{text} (lookback train --resume goes on)")
}

#[allow(clippy::cast_precision_loss, reason = "epochs are few")]
fn reached(training: &Summary, epochs: u64) -> Reached {
    let Summary { update: updates, tokens, seconds, .. } = *training;
    Reached { updates, epochs: epochs as f64, tokens, seconds }
}

#[cfg(test)]
mod tests {
    use lookback::config::Period;

    use super::*;

    #[test]
    fn what_goes_on_is_said_as_it_is() {
        let summary = |epoch, is_epoch_over| Summary {
            update: 40,
            epoch,
            is_epoch_over,
            best: None,
            stale: 5,
            tokens: 900,
            seconds: 61.0,
        };
        let open = TrainConfig { patience: 6, max_updates: Some(41), max_epochs: Some(2), ..TrainConfig::default() };
        assert_eq!(
            stand(&summary(1, true), &open),
            "update 40 at the end of epoch 1 (lookback train --resume goes on)"
        );
        assert_eq!(stand(&summary(2, false), &open), "update 40 in epoch 2 (lookback train --resume goes on)");
        assert!(
            stand(&summary(2, false), &TrainConfig { patience: 5, ..open.clone() }).contains("higher train.patience")
        );
        for limited in [
            TrainConfig { max_updates: Some(40), ..open.clone() },
            TrainConfig { max_epochs: Some(1), ..open.clone() },
            TrainConfig { max_minutes: Some(1.0), ..open.clone() },
            TrainConfig { stop_after: Some(Period::Tokens(900)), ..open.clone() },
        ] {
            let said = stand(&summary(2, false), &limited);
            assert!(said.ends_with("; at its limit (train --resume goes on with a higher one)"), "{said}");
        }
    }
}
