//! The command line of lookback: arguments, terminal, signals, exit codes. What it does, the library does.
#![forbid(unsafe_code)]

mod args;
mod attend;
mod data;
mod display;
mod eval;
mod exit;
mod input;
mod inspect;
mod quickstart;
mod score;
#[cfg_attr(not(unix), path = "signals_elsewhere.rs")]
mod signals;
mod tokenize;
mod train;
mod translate;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Verb};
use exit::Done;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(done) => done.code(),
        Err(error) => exit::report(&error),
    }
}

fn run(cli: &Cli) -> anyhow::Result<Done> {
    match &cli.verb {
        Verb::Train(args) => train::run(args, cli.common),
        Verb::Translate(args) => translate::run(args, cli.common),
        Verb::Eval(args) => eval::run(args, cli.common),
        Verb::Score(args) => score::run(args, cli.common),
        Verb::Attend(args) => attend::run(args, cli.common),
        Verb::Inspect(args) => inspect::run(args),
        Verb::Tokenize(args) => tokenize::tokenize(args),
        Verb::Detokenize(args) => tokenize::detokenize(args),
        Verb::Quickstart(args) => quickstart::run(args, cli.common),
    }
}
