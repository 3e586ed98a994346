//! `lookback convert`.

use std::fs;
use std::path::Path;

use lookback::checkpoint::{Checkpoint, CheckpointError, MODEL_FILE};
use lookback::shortlist::Shortlist;

use crate::args::{Common, ConvertArgs};
use crate::data::shell;
use crate::display::{Screen, grouped};
use crate::exit::{Done, Usage};

pub(crate) fn run(args: &ConvertArgs, common: Common) -> anyhow::Result<Done> {
    let is_empty = fs::read_dir(&args.out).map(|mut entries| entries.next().is_none());
    if args.out.exists() && !is_empty.unwrap_or(false) {
        let message = format!("`{}` is not an empty folder; write to another one", args.out.display());
        return Err(Usage(message).into());
    }
    let storage = args.storage.storage();
    let converted = Checkpoint::load(&args.model)?.convert(storage).map_err(|error| match error {
        CheckpointError::Converted { .. } => Usage(format!("`{}`: {error}", args.model.display())).into(),
        other => anyhow::Error::new(other),
    })?;
    let shortlist = match Shortlist::load(&args.model, &converted.tokenizers) {
        Err(CheckpointError::NoShortlist { .. }) => None,
        loaded => Some(loaded?),
    };
    converted.save(&args.out)?;
    if let Some(shortlist) = shortlist {
        shortlist.save(&args.out, &converted.tokenizers)?;
    }
    let [before, after] = [&args.model, &args.out].map(|dir| size(&dir.join(MODEL_FILE)));
    #[allow(clippy::cast_precision_loss, reason = "a ratio of sizes")]
    let ratio = before as f64 / after.max(1) as f64;
    let mut screen = Screen::new(common);
    let (name, before, after) = (storage.name(), grouped(before), grouped(after));
    screen.line(&format!("{MODEL_FILE}: {before} bytes, as {name} {after} ({ratio:.2} times smaller)"));
    screen.line(&format!("try it: lookback translate -m {}", shell(&args.out)));
    Ok(Done::Whole)
}

fn size(path: &Path) -> usize {
    fs::metadata(path).map_or(0, |m| usize::try_from(m.len()).unwrap_or(usize::MAX))
}
