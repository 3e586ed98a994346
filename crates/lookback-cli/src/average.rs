//! `lookback average`.

use lookback::checkpoint::{CONFIG_FILE, Checkpoint, MODEL_FILE, STATE_FILE};

use crate::args::{AverageArgs, Common};
use crate::data::shell;
use crate::display::{Screen, counted};
use crate::exit::{Done, Usage};

pub(crate) fn run(args: &AverageArgs, common: Common) -> anyhow::Result<Done> {
    if [CONFIG_FILE, MODEL_FILE, STATE_FILE].iter().any(|file| args.out.join(file).exists()) {
        let message = format!("`{}` holds a model already; give another folder with -o", args.out.display());
        return Err(Usage(message).into());
    }
    let mean = Checkpoint::average(&args.models)?;
    mean.save(&args.out)?;
    let mut screen = Screen::new(common);
    let (models, parameters) = (counted(args.models.len(), "model"), counted(mean.parameters(), "parameter"));
    screen.line(&format!("the mean of {models} of {parameters} is `{}`", args.out.display()));
    screen.line(&format!("try it: lookback translate -m {}", shell(&args.out)));
    Ok(Done::Whole)
}
