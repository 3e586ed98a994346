//! A training from pairs to a folder: repeatable, resumable, able to learn.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use lookback::Translator;
use lookback::backend::Cpu;
use lookback::checkpoint::Checkpoint;
use lookback::config::{Config, Metric};
use lookback::data::{Corpus, WordVectors, dates};
use lookback::train::{Ending, Initial, Job, Silent, Start, StopFlag, TrainError, VectorFiles, train};

use crate::common::{StopAfter, contents};
use crate::small::{job, run};

mod common;
#[path = "common/small.rs"]
mod small;

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

/// Ways to learn that keep something of their own in the state, or draw random numbers of their own.
const WAYS: [&[&str]; 10] = [
    &["train.optimizer=adamw", "train.weight_decay=0.1", "train.schedule=cosine", "train.min_learning_rate=1e-4"],
    &["train.optimizer=sgd", "train.schedule=luong5"],
    &["train.optimizer=sgd", "train.momentum=0.9", "train.schedule=halving", "train.decay_from=2"],
    &["train.ema=0.9", "train.schedule=plateau"],
    &["train.ema=0.9", "train.optimizer=sgd"],
    &["model.variational_dropout=true", "model.dropout_embedding=0.4", "model.dropout_state=0.1"],
    &["train.word_dropout_src=0.1", "train.word_dropout_tgt=0.2"],
    &["train.scheduled_sampling=linear", "train.sampling_max=0.9"],
    &["train.scheduled_sampling=inverse_sigmoid", "train.sampling_k=2", "train.keep_checkpoints=2", "train.ema=0.5"],
    &["train.precision=bf16", "train.emulate_bf16=true"],
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
fn the_last_models_are_kept_and_have_a_mean() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("run");
    // Validated after updates 5, 10 and 12.
    run(job(&out, &["train.keep_checkpoints=2"], 1, Start::Fresh));
    let kept = [10, 12].map(|update| out.join("checkpoints").join(update.to_string()));
    assert_eq!(fs::read_dir(out.join("checkpoints")).expect("a folder").count(), 2);
    let models = kept.clone().map(|dir| Checkpoint::load(&dir).expect("a model"));
    assert_ne!(models[0].values, models[1].values);
    let mean = Checkpoint::average(&kept).expect("a mean");
    let want = (models[0].values[0].to_f32()[7] + models[1].values[0].to_f32()[7]) / 2.0;
    assert!((mean.values[0].to_f32()[7] - want).abs() < 1e-7);
    run(job(&out, &[], 1, Start::Overwrite));
    assert!(!out.join("checkpoints").exists(), "models of a training that was thrown away");
}

#[test]
fn a_model_is_trained_further_with_its_own_weights_and_tokenizers() {
    let dir = tempfile::tempdir().expect("a folder");
    let base = dir.path().join("base");
    run(job(&base, &[], 1, Start::Fresh));
    // Other pairs, whose own vocabulary would be another.
    let further = |dir: &Path, sets: &[&str], start: Start| {
        let model = Checkpoint::load(&base).expect("a model");
        let sets: Vec<String> =
            ["train.max_updates=4", "train.warmup=1"].iter().chain(sets).map(ToString::to_string).collect();
        let config = Config::derived(&model.config, &[], &sets).expect("known keys");
        let splits = dates::splits(40, 8, 9, 2);
        let (train, valid) = (Corpus::from_pairs(splits.train), Corpus::from_pairs(splits.valid));
        Job { config, train, valid, initial: Initial::Model(Box::new(model)), ..job(dir, &[], 1, start) }
    };
    let model = |dir: &Path| Checkpoint::load(dir).expect("a model");
    let still = dir.path().join("still");
    run(further(&still, &["train.learning_rate=1e-20"], Start::Fresh));
    assert_eq!(model(&still).values, model(&base).values, "it starts from the model's weights");
    assert_eq!(model(&still).tokenizers.to_json(), model(&base).tokenizers.to_json());
    let [whole, parts] = ["whole", "parts"].map(|name| dir.path().join(name));
    run(further(&whole, &["model.dropout=0.4"], Start::Fresh));
    assert_ne!(model(&whole).values, model(&base).values, "it learns");
    let stop = StopFlag::default();
    train(further(&parts, &["model.dropout=0.4"], Start::Fresh), &stop, &mut StopAfter(2, &stop)).expect("it runs");
    run(further(&parts, &["model.dropout=0.4"], Start::Resume));
    assert!(contents(&whole) == contents(&parts), "resumed");
    let error = train(further(&whole, &["model.hidden=32"], Start::Overwrite), &StopFlag::default(), &mut Silent);
    let message = error.expect_err("refused").to_string();
    assert!(message.contains("`model.hidden` from 24 to 32"), "{message}");
    assert!(whole.join("model.safetensors").exists(), "nothing was thrown away for it");
}

#[test]
fn embeddings_start_from_word_vectors() {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("v.txt");
    let numbers = |from: f32| (0..12u8).map(|i| format!(" {}", from + f32::from(i))).collect::<String>();
    fs::write(&file, format!("2 12\nMay{}\nnowhere{}\n", numbers(0.5), numbers(9.0))).expect("a file");
    let words = ["text.mode=word", "train.learning_rate=1e-20", "model.tied_embeddings=none"];
    let vectors = |sets: &[&str], start: Start| {
        let src = Some(WordVectors(file.clone()));
        Job {
            initial: Initial::Vectors(VectorFiles { src, tgt: None }),
            ..job(&dir.path().join("run"), sets, 1, start)
        }
    };
    run(vectors(&words, Start::Fresh));
    let model = Checkpoint::load(&dir.path().join("run")).expect("a model");
    let id = model.tokenizers.src.encode("May")[0] as usize;
    let place = model.specs.iter().position(|s| s.name == "encoder.embedding.weight").expect("a table");
    let want: Vec<f32> = (0..12u8).map(|i| 0.5 + f32::from(i)).collect();
    assert_eq!(model.values[place].to_f32()[12 * id..][..12], want);
    let refused = |sets: &[&str]| {
        let error = train(vectors(sets, Start::Overwrite), &StopFlag::default(), &mut Silent);
        error.expect_err("refused").to_string()
    };
    assert!(refused(&[]).starts_with("text.mode: word vectors are for whole words"));
    assert!(refused(&[&words[..], &["model.embedding=8"]].concat()).contains("set `model.embedding = 12`"));
}

#[test]
fn patience_begins_when_the_warm_up_is_over() {
    let dir = tempfile::tempdir().expect("a folder");
    // Nothing that is learned in twelve updates is worth any BLEU: no validation is better than the first.
    let ending = |warmup: &str| {
        let sets = ["train.metric=bleu", "train.validate_every=1", "train.patience=2", warmup];
        run(job(dir.path(), &sets, 1, Start::Overwrite)).ending
    };
    assert_eq!(ending("train.warmup=1"), Ending::Patience);
    assert_eq!(ending("train.warmup=11"), Ending::Limit);
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
    assert!(best.accuracy >= 1.0, "{} of the tokens", best.accuracy);
    let exact = best.score(Metric::Exact).expect("it is reported");
    assert!((exact - 1.0).abs() < 1e-9, "{exact} exactly right");
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

#[test]
fn a_validation_that_is_not_a_number_is_no_best_one_and_the_last_good_state_is_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let gentle = ["train.warmup=0", "train.schedule=constant", "train.validate_every=3", "train.max_updates=3"];
    let kept =
        || ["training.safetensors", "model.safetensors"].map(|name| fs::read(dir.path().join(name)).expect("a file"));
    run(job(dir.path(), &gentle, 1, Start::Fresh));
    let last_good = kept();
    // Weights that are finite, and products of theirs that are not.
    let steep = [
        "train.learning_rate=1e38",
        "train.warmup=0",
        "train.schedule=constant",
        "train.validate_every=1",
        "train.max_updates=4",
    ];
    for metrics in ["train.validate_metrics=[]", "train.validate_metrics=[\"bleu\"]"] {
        let mut resumed = job(dir.path(), &[&steep[..], &[metrics]].concat(), 1, Start::Resume);
        let keys = ["train.learning_rate", "train.validate_every", "train.validate_metrics"];
        resumed.options.allow_changed = keys.map(String::from).to_vec();
        let error = train(resumed, &StopFlag::default(), &mut Silent);
        assert!(matches!(error, Err(TrainError::ValidationNotFinite { update: 4 })), "{error:?}");
        assert!(kept() == last_good, "the last good state is kept");
    }
}

#[test]
fn weights_that_a_finite_step_makes_infinite_are_not_kept_and_a_lower_rate_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let steep = ["train.learning_rate=1e39", "train.warmup=1", "train.schedule=constant", "train.checkpoint_every=1"];
    let state = || fs::read(dir.path().join("training.safetensors")).expect("a state");
    let error = train(job(dir.path(), &steep, 1, Start::Fresh), &StopFlag::default(), &mut Silent);
    assert!(matches!(error, Err(TrainError::NotFinite { update: 1, .. })), "{error:?}");
    assert!(error.expect_err("not finite").to_string().contains("--allow-changed train.learning_rate"));
    let last_good = state();
    assert!(train(job(dir.path(), &steep, 1, Start::Resume), &StopFlag::default(), &mut Silent).is_err());
    assert!(state() == last_good && !dir.path().join("model.safetensors").exists());
    let flat = ["train.learning_rate=1e-3", "train.warmup=1", "train.schedule=constant", "train.checkpoint_every=1"];
    let mut lower = job(dir.path(), &flat, 1, Start::Resume);
    lower.options.allow_changed = vec!["train.learning_rate".into()];
    assert_eq!(run(lower).updates, 12);
}
