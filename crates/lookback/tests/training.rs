//! A training from pairs to a folder: repeatable, resumable, able to learn.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use lookback::Translator;
use lookback::backend::Cpu;
use lookback::checkpoint::Checkpoint;
use lookback::config::Config;
use lookback::data::{Corpus, dates};
use lookback::train::{Ending, Event, Job, Observer, Outcome, Silent, Start, StopFlag, TrainError, train};

/// A small model of written dates with everything that draws random numbers switched on.
fn config(sets: &[&str]) -> Config {
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

fn job(dir: &Path, sets: &[&str], threads: usize, start: Start) -> Job {
    let splits = dates::splits(150, 20, 1, 5);
    Job {
        config: config(sets),
        train: Corpus::from_pairs(splits.train),
        rest: None,
        tokenizers: None,
        valid: Corpus::from_pairs(splits.valid),
        dir: dir.to_owned(),
        threads,
        start,
    }
}

fn run(job: Job) -> Outcome {
    train(job, &StopFlag::default(), &mut Silent).expect("the training runs")
}

/// Every file of a folder and of the folders in it by name; lines of metrics without their times; the state without its clock.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(contents(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
            continue;
        }
        let mut bytes = fs::read(&path).expect("a file");
        if name == "metrics.jsonl" {
            let text = String::from_utf8(bytes).expect("text");
            let timeless = text.lines().map(|line| {
                let mut value: serde_json::Value = serde_json::from_str(line).expect("JSON");
                let object = value.as_object_mut().expect("an object");
                object.retain(|key, _| !key.starts_with("seconds") && !key.ends_with("per_second"));
                value.to_string()
            });
            bytes = timeless.collect::<Vec<_>>().join("\n").into_bytes();
        }
        if name == "training.safetensors" {
            // The position in the header holds the clock.
            let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
            let (header, tensors) = bytes[8..].split_at(usize::try_from(length).expect("small"));
            let mut header: serde_json::Value = serde_json::from_slice(header).expect("JSON");
            let training = header["__metadata__"]["training"].as_str().expect("the position").to_owned();
            let mut training: serde_json::Value = serde_json::from_str(&training).expect("JSON");
            assert!(training[1]["seconds"].take().is_f64());
            header["__metadata__"]["training"] = training.to_string().into();
            bytes = [header.to_string().as_bytes(), tensors].concat();
        }
        files.insert(name, bytes);
    }
    files
}

/// Asks to stop after an update.
struct StopAfter<'a>(u64, &'a StopFlag);

impl Observer for StopAfter<'_> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Update(report) = event
            && report.update == self.0
        {
            self.1.stop();
        }
    }
}

#[test]
fn the_number_of_threads_changes_no_byte_of_the_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let folders: Vec<_> = [1, 2, 4]
        .into_iter()
        .map(|threads| {
            let out = dir.path().join(threads.to_string());
            run(job(&out, &[], threads, Start::Fresh));
            contents(&out)
        })
        .collect();
    assert!(folders[0].contains_key("model.safetensors") && folders[0].contains_key("config.json"));
    assert!(folders[0] == folders[1], "two threads");
    assert!(folders[0] == folders[2], "four threads");
}

#[test]
fn a_stopped_and_resumed_training_is_the_uninterrupted_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let whole = dir.path().join("whole");
    assert_eq!(run(job(&whole, &[], 2, Start::Fresh)).ending, Ending::Limit);
    for stop_after in [1, 5, 7] {
        let parts = dir.path().join(format!("stopped-{stop_after}"));
        let stop = StopFlag::default();
        let first = job(&parts, &[], 2, Start::Fresh);
        let outcome = train(first, &stop, &mut StopAfter(stop_after, &stop)).expect("the first part runs");
        assert_eq!((outcome.ending, outcome.updates), (Ending::Stopped, stop_after));
        let outcome = run(job(&parts, &[], 1, Start::Resume));
        assert_eq!((outcome.ending, outcome.updates), (Ending::Limit, 12));
        assert!(contents(&whole) == contents(&parts), "stopped after update {stop_after}");
    }
}

/// Ways to learn that keep something of their own in the state, or draw random numbers of their own.
const WAYS: [&[&str]; 7] = [
    &["train.optimizer=adamw", "train.weight_decay=0.1", "train.schedule=cosine", "train.min_learning_rate=1e-4"],
    &["train.optimizer=sgd", "train.schedule=luong5"],
    &["train.optimizer=sgd", "train.momentum=0.9", "train.schedule=halving", "train.decay_from=2"],
    &["train.ema=0.9", "train.schedule=plateau"],
    &["train.ema=0.9", "train.optimizer=sgd"],
    &["model.variational_dropout=true", "model.dropout_embedding=0.4", "model.dropout_state=0.1"],
    &["train.word_dropout_src=0.1", "train.word_dropout_tgt=0.2"],
];

#[test]
fn every_way_to_learn_goes_on_exactly_differs_from_the_others_and_can_be_loaded() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut models = BTreeSet::new();
    for (i, way) in WAYS.iter().enumerate() {
        let [whole, parts] = ["whole", "parts"].map(|name| dir.path().join(format!("{i}-{name}")));
        assert_eq!(run(job(&whole, way, 2, Start::Fresh)).ending, Ending::Limit);
        let stop = StopFlag::default();
        train(job(&parts, way, 1, Start::Fresh), &stop, &mut StopAfter(7, &stop)).expect("the first part runs");
        run(job(&parts, way, 2, Start::Resume));
        assert!(contents(&whole) == contents(&parts), "{way:?}");
        models.insert(contents(&whole)["model.safetensors"].clone());
        let model = Checkpoint::load(&whole).unwrap_or_else(|e| panic!("{way:?}: {e}"));
        let translator = Translator::from_checkpoint(model, Cpu::detect(1));
        translator.translate(&["3 May 1999"]).unwrap_or_else(|e| panic!("{way:?}: {e}"));
    }
    assert_eq!(models.len(), WAYS.len(), "an option without an effect");
}

#[test]
fn a_folder_that_holds_a_training_is_neither_overwritten_nor_resumed_as_another() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("run");
    let fail = |job: Job| train(job, &StopFlag::default(), &mut Silent).expect_err("refused").to_string();
    run(job(&out, &["train.max_updates=2"], 1, Start::Fresh));
    assert!(fail(job(&out, &[], 1, Start::Fresh)).contains("--resume"));
    let message = fail(job(&out, &["train.learning_rate=0.5"], 1, Start::Resume));
    assert!(message.contains("`train.learning_rate` from 0.001 to 0.5 changed"), "{message}");
    let mut other = job(&out, &[], 1, Start::Resume);
    other.train.pairs.pop();
    assert!(fail(other).contains("the training data changed"));
    let missing = job(&dir.path().join("nowhere"), &[], 1, Start::Resume);
    assert!(fail(missing).contains("nowhere"));
}

#[test]
fn it_learns_eight_pairs_by_heart() {
    let dir = tempfile::tempdir().expect("a folder");
    let pairs = dates::dates(8, 1);
    let sets = [
        "train.max_updates=300",
        "train.validate_every=300",
        "train.accumulate=1",
        "model.hidden=128",
        "model.embedding=64",
        "model.dropout=0.0",
        "train.label_smoothing=0.0",
    ];
    let mut job = job(dir.path(), &sets, 2, Start::Overwrite);
    job.config.train.learning_rate = Some(0.01);
    job.config.train.schedule = lookback::config::Schedule::Linear;
    (job.train, job.valid) = (Corpus::from_pairs(pairs.clone()), Corpus::from_pairs(pairs));
    let best = run(job).best.expect("it was validated");
    assert!(best.nll < 0.01, "{} nats per token", best.nll);
    assert!((best.exact - 1.0).abs() < 1e-9, "{} exactly right", best.exact);
}

#[test]
fn a_loss_that_is_not_a_number_stops_with_its_lines_and_keeps_the_last_state() {
    let dir = tempfile::tempdir().expect("a folder");
    // A rate that throws the weights to where the loss overflows, without clipping.
    let sets = ["train.learning_rate=1e38", "train.clip_norm=0.0", "train.warmup=1", "train.schedule=constant"];
    let error = train(job(dir.path(), &sets, 1, Start::Overwrite), &StopFlag::default(), &mut Silent);
    assert!(matches!(error, Err(TrainError::Diverged { .. })), "{error:?}");
    let message = error.expect_err("diverged").to_string();
    assert!(message.contains("pairs of lines") && message.contains("train.learning_rate"), "{message}");
    assert!(dir.path().join("training.safetensors").exists());
}
