//! The command line of lookback: arguments, terminal, signals, exit codes. What it does, the library does.
#![forbid(unsafe_code)]

mod align;
mod args;
mod attend;
mod average;
mod convert;
mod data;
mod display;
mod doctor;
mod eval;
mod exit;
mod explain;
mod help;
mod input;
mod inspect;
mod maps;
mod pairs;
mod quickstart;
mod runs;
mod score;
mod shells;
mod shortlist;
#[cfg_attr(not(unix), path = "signals_elsewhere.rs")]
mod signals;
mod spelling;
mod study;
mod tokenize;
mod train;
mod translate;
mod written;

use std::process::ExitCode;

use clap::{ColorChoice, FromArgMatches, ValueEnum};

use args::{Cli, Colour, Verb};
use exit::Done;

fn main() -> ExitCode {
    let args = spelling::hyphenated(std::env::args_os());
    let mut command = help::command().color(help_colour(args.iter().cloned()));
    let matches = command
        .try_get_matches_from_mut(&args)
        .unwrap_or_else(|error| spelling::pointed(error, spelling::verb_of(&command, &args)).exit());
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(&cli) {
        Ok(done) => done.code(),
        Err(error) => exit::report(&error),
    }
}

fn run(cli: &Cli) -> anyhow::Result<Done> {
    match &cli.verb {
        Verb::Train(args) => train::run(args, cli.common),
        Verb::Doctor(args) => doctor::run(args, cli.common),
        Verb::Translate(args) => translate::run(args, cli.common),
        Verb::Eval(args) => eval::run(args, cli.common),
        Verb::Score(args) => score::run(args, cli.common),
        Verb::Attend(args) => attend::run(args, cli.common),
        Verb::Average(args) => average::run(args, cli.common),
        Verb::Explain(args) => explain::run(args, cli.common),
        Verb::Align(args) => align::run(args, cli.common),
        Verb::Convert(args) => convert::run(args, cli.common),
        Verb::Shortlist(args) => shortlist::run(args, cli.common),
        Verb::Inspect(args) => inspect::run(args),
        Verb::Verify(args) => runs::verify(args),
        Verb::Reproduce(args) => runs::reproduce(args, cli.common),
        Verb::Study(args) => study::run(args, cli.common),
        Verb::Tokenize(args) => tokenize::tokenize(args),
        Verb::Detokenize(args) => tokenize::detokenize(args),
        Verb::Quickstart(args) => quickstart::run(args, cli.common),
        Verb::Help(args) => Ok(help::run(args, cli.common)?),
        Verb::Completions(args) => Ok(shells::completions(args)?),
        Verb::Man(args) => shells::man(args),
    }
}

/// What `--color` says of help and of errors in the arguments, which are written while the arguments are read.
fn help_colour(args: impl Iterator<Item = std::ffi::OsString>) -> ColorChoice {
    let mut args = args.filter_map(|arg| arg.into_string().ok()).skip(1).take_while(|arg| arg != "--");
    let mut chosen = Colour::Auto;
    while let Some(arg) = args.next() {
        let value = if arg == "--color" { args.next() } else { arg.strip_prefix("--color=").map(str::to_owned) };
        chosen = value.and_then(|value| Colour::from_str(&value, false).ok()).unwrap_or(chosen);
    }
    match chosen {
        Colour::Auto => ColorChoice::Auto,
        Colour::Always => ColorChoice::Always,
        Colour::Never => ColorChoice::Never,
    }
}
