//! `lookback verify`: whether a model folder is the one its receipt speaks of.

use std::io::{self, Write};
use std::path::Path;

use lookback::checkpoint::Checkpoint;
use lookback::train::{Finding, Receipt};

use super::Broken;
use crate::args::VerifyArgs;
use crate::exit::{Done, Usage};

pub(crate) fn verify(args: &VerifyArgs) -> anyhow::Result<Done> {
    let dir = &args.model;
    let receipt = receipt_of(dir)?;
    let found = receipt.compare(dir)?;
    let mut out = io::stdout().lock();
    for (name, finding) in &found {
        let word = match finding {
            Finding::Same => "same",
            Finding::Changed => "CHANGED",
            Finding::Missing => "MISSING",
            Finding::Unknown => "UNKNOWN",
        };
        writeln!(out, "{word:<8} {name}")?;
    }
    let bad = found.iter().filter(|(_, finding)| *finding != Finding::Same).count();
    if bad > 0 {
        return Err(Broken(format!("{bad} of {} files are not those of the receipt", found.len())).into());
    }
    if found.is_empty() {
        return Err(Broken("neither the receipt nor the folder has a file of a model".into()).into());
    }
    if receipt.ended.is_none() {
        writeln!(out, "the run has not ended: after update {} its receipt was written last", receipt.updates)?;
    }
    Ok(Done::Whole)
}

pub(super) fn receipt_of(dir: &Path) -> anyhow::Result<Receipt> {
    if let Some(receipt) = Receipt::read(dir)? {
        return Ok(receipt);
    }
    // Where there is no model at all, that is what is wrong.
    Checkpoint::config(dir)?;
    Err(Usage(format!("`{}` has no receipt.json; was it made by `lookback train`?", dir.display())).into())
}
