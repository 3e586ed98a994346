//! A small training of written dates.

use std::path::Path;

use lookback::backend::Cpu;
use lookback::config::Config;
use lookback::data::{Corpus, dates};
use lookback::train::{Aligned, Initial, Job, Outcome, RunOptions, Silent, Start, StopFlag, train};

/// A small model of written dates with everything that draws random numbers switched on.
pub(crate) fn config(sets: &[&str]) -> Config {
    let small = [
        "seed=3",
        "text.mode=char",
        "model.hidden=24",
        "model.embedding=12",
        "model.dropout=0.2",
        "model.input_feeding=true",
        "train.batch_tokens=400",
        "train.max_updates=12",
        "train.validate_every=5",
        "train.checkpoint_every=3",
        "train.warmup=4",
        "train.accumulate=2",
        "train.metric=loss",
    ];
    let sets: Vec<String> = small.iter().chain(sets).map(ToString::to_string).collect();
    Config::from_layers(&[], &sets).expect("known keys")
}

pub(crate) fn job(dir: &Path, sets: &[&str], threads: usize, start: Start) -> Job {
    let splits = dates::splits(150, 20, 1, 5);
    Job {
        config: config(sets),
        train: Corpus::from_pairs(splits.train),
        rest: None,
        tokenizers: None,
        initial: Initial::Random,
        valid: Corpus::from_pairs(splits.valid),
        dir: dir.to_owned(),
        cpu: Cpu::detect(threads),
        start,
        aligned: Aligned::default(),
        options: RunOptions::default(),
    }
}

pub(crate) fn run(job: Job) -> Outcome {
    train(job, &StopFlag::default(), &mut Silent).expect("the training runs")
}
