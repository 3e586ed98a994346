//! `lookback reproduce`: trains a model again, from its receipt and its data, and compares the bytes.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Parser;
use lookback::backend::Isa;
use lookback::checkpoint::CONFIG_FILE;
use lookback::config::Period;
use lookback::train::{Ending, Finding, Input, Receipt};

use super::Broken;
use super::provenance::{arguments, sum};
use super::verify::receipt_of;
use crate::args::{Cli, Common, ReproduceArgs, Verb};
use crate::exit::{BadData, Done, Usage};
use crate::train;

pub(crate) fn reproduce(args: &ReproduceArgs, common: Common) -> anyhow::Result<Done> {
    let dir = &args.model;
    let receipt = receipt_of(dir)?;
    check(args, &receipt)?;
    let config = lookback::checkpoint::Checkpoint::load(dir)?.config;
    let periods = [config.train.stop_after, config.train.validate_every];
    let by_clock = config.train.max_minutes.is_some() || periods.into_iter().flatten().any(Period::is_time);
    let again = tempfile::Builder::new().prefix("lookback-reproduce-").tempdir()?;
    let to = again.path().join("model");
    let mut line: Vec<OsString> = vec!["lookback".into(), "train".into(), "--out".into(), to.clone().into()];
    line.extend(["--config".into(), dir.join("config.json").into_os_string()]);
    // With the instructions it was made with, where this machine has them: others round otherwise.
    if Isa::named(&receipt.instruction_set).is_some() {
        line.extend(["--isa".into(), (&receipt.instruction_set).into()]);
    }
    line.extend(arguments(&receipt.provenance, &args.inputs)?);
    let parsed = Cli::try_parse_from(line).map_err(|error| BadData(format!("the receipt: {error}")))?;
    let Verb::Train(train_args) = parsed.verb else {
        return Err(Broken("the receipt does not describe a training".into()).into());
    };
    let done = train::run(&train_args, common)?;
    if done != Done::Whole {
        return Ok(done);
    }
    let found = receipt.compare(&to)?;
    let mut out = io::stdout().lock();
    for (name, finding) in &found {
        writeln!(out, "{:<10} {name}", if *finding == Finding::Same { "same bytes" } else { "DIFFERENT" })?;
    }
    let now = receipt_of(&to)?;
    if found.iter().all(|(_, finding)| *finding == Finding::Same) {
        return Ok(Done::Whole);
    }
    let mut why = Vec::new();
    for (what, then, now) in [
        ("version", &receipt.version, &now.version),
        ("instruction set", &receipt.instruction_set, &now.instruction_set),
    ] {
        if then != now {
            why.push(format!("its {what} was {then}, here it is {now}"));
        }
    }
    if by_clock {
        why.push("the clock decides something in its configuration".to_owned());
    }
    let why = if why.is_empty() { String::new() } else { format!(" ({})", why.join("; ")) };
    Err(Broken(format!("the model could not be reproduced{why}")).into())
}

/// Refuses what cannot come out the same: other files, or a run that was changed on its way.
fn check(args: &ReproduceArgs, receipt: &Receipt) -> anyhow::Result<()> {
    let inputs = &receipt.provenance.inputs;
    if inputs.is_empty() {
        return Err(Usage("its receipt names no files; quickstart models are made again by quickstart".into()).into());
    }
    if !receipt.changed.is_empty() {
        let changed = receipt.changed.join(", ");
        return Err(
            Usage(format!("the run did not go straight through ({changed}), so one run cannot repeat it")).into()
        );
    }
    let is_another = |(name, finding): &(String, Finding)| name == CONFIG_FILE && *finding != Finding::Same;
    if receipt.compare(&args.model)?.iter().any(is_another) {
        let message = "its `config.json` is not the file of the receipt; `lookback verify` compares them all";
        return Err(Usage(message.into()).into());
    }
    if matches!(receipt.ended, None | Some(Ending::Stopped)) {
        let updates = receipt.updates;
        let message =
            format!("the run has not ended, its receipt is of update {updates}; let `train --resume` finish it first");
        return Err(Usage(message).into());
    }
    if !args.inputs.is_empty() && args.inputs.len() != inputs.len() {
        let names: Vec<String> =
            inputs.iter().map(|input| format!("{} {}", input.role, input.path.display())).collect();
        let (given, needed) = (args.inputs.len(), inputs.len());
        return Err(Usage(format!("{given} files for {needed}; in this order: {}", names.join(", "))).into());
    }
    for (i, input) in inputs.iter().enumerate() {
        let path: &PathBuf = args.inputs.get(i).unwrap_or(&input.path);
        same(input, path)?;
    }
    Ok(())
}

fn same(input: &Input, path: &Path) -> anyhow::Result<()> {
    let Some(want) = &input.sha256 else { return Ok(()) };
    if sum(path)? == *want {
        return Ok(());
    }
    let message =
        format!("{}: it is not the file the model was made of ({}, SHA-256 {want})", path.display(), input.role);
    Err(BadData(message).into())
}
