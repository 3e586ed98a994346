//! `lookback completions` and `lookback man`: from the same definitions as the arguments.

use std::fs;
use std::io::{self, Write};

use anyhow::Context;
use clap_mangen::Man;

use crate::args::{CompletionsArgs, ManArgs};
use crate::exit::Done;
use crate::help::command;

/// The program's name, as completions know it.
const NAME: &str = "lookback";

pub(crate) fn completions(args: &CompletionsArgs) -> io::Result<Done> {
    // In memory first: the generator takes a closed pipe for a bug.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(), NAME, &mut script);
    show(&script)
}

pub(crate) fn man(args: &ManArgs) -> anyhow::Result<Done> {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        Man::new(command()).render(&mut page)?;
        return Ok(show(&page)?);
    };
    let context = || format!("cannot write pages to `{}`", dir.display());
    fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command(), dir)).with_context(context)?;
    Ok(Done::Whole)
}

fn show(text: &[u8]) -> io::Result<Done> {
    let mut out = io::stdout().lock();
    out.write_all(text)?;
    out.flush()?;
    Ok(Done::Whole)
}
