//! A training that goes on is the one that was stopped, or says what is another.

use std::fs;
use std::path::Path;

use lookback::backend::{Cpu, Isa};
use lookback::checkpoint::Checkpoint;
use lookback::data::{Pair, Pairs};
use lookback::train::{Ending, Event, Finding, Initial, Job, Observer, Receipt, Silent, Start, StopFlag, train};

use crate::common::{StopAfter, contents};
use crate::small::{job, run};

mod common;
#[path = "common/small.rs"]
mod small;

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

/// The pairs with a change made to them.
fn changed(pairs: &Pairs, change: impl FnOnce(&mut Vec<Pair>)) -> Pairs {
    let mut pairs = pairs.to_vec().expect("pairs");
    change(&mut pairs);
    pairs.into_iter().collect()
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
    other.train.pairs = changed(&other.train.pairs, |pairs| drop(pairs.pop()));
    assert!(fail(other).contains("the training data changed"));
    // All that changed is named, and the seed rather than the data that it held out.
    let mut other = job(&out, &["seed=4", "train.beta1=0.8"], 1, Start::Resume);
    other.train.pairs = changed(&other.train.pairs, |pairs| drop(pairs.pop()));
    let message = fail(other);
    assert!(message.contains("`seed` from 3 to 4, `train.beta1` from 0.9 to 0.8 changed"), "{message}");
}

#[test]
fn a_folder_without_a_state_says_what_is_missing_and_what_to_do() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("run");
    let fail = |out: &Path| {
        let job = job(out, &["train.max_updates=4"], 1, Start::Resume);
        train(job, &StopFlag::default(), &mut Silent).expect_err("refused").to_string()
    };
    let said = fail(&out);
    assert!(
        said.ends_with(
            "run`: there is no such folder; leave out --resume to begin, or give the folder of the training"
        ),
        "{said}"
    );
    run(job(&out, &["train.max_updates=2"], 1, Start::Fresh));
    let state = fs::read(out.join("training.safetensors")).expect("a state");
    fs::remove_file(out.join("training.safetensors")).expect("it was there");
    let said = fail(&out);
    assert!(
        said.contains("it has a model but no `training.safetensors`") && said.contains("put that file back"),
        "{said}"
    );
    fs::write(out.join("training.safetensors"), &state).expect("writable");
    fs::remove_file(out.join("model.safetensors")).expect("it was there");
    let said = fail(&out);
    assert!(said.contains("`model.safetensors` is missing") && said.contains("--overwrite"), "{said}");

    // A run that was killed before its first state has lost nothing.
    let early = dir.path().join("early");
    fs::create_dir(&early).expect("a folder");
    fs::copy(out.join("config.json"), early.join("config.json")).expect("a file");
    run(job(&early, &[], 1, Start::Resume));
    let whole = dir.path().join("whole");
    run(job(&whole, &[], 1, Start::Fresh));
    assert!(contents(&early) == contents(&whole));
}

/// What becomes of a limit that is moved to where a run had been.
#[test]
fn limits_moved_below_where_a_run_stands_are_taken_down() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path();
    run(job(out, &["train.max_updates=10"], 1, Start::Fresh));
    run(job(out, &["train.max_updates=10"], 1, Start::Resume));
    assert!(receipt(out).changed.is_empty());
    assert_eq!(run(job(out, &["train.max_updates=5"], 1, Start::Resume)).updates, 10);
    assert_eq!(receipt(out).changed, ["a limit was moved to where it had been at update 10"]);
}

/// Puts the receipt aside as it is when a run begins, as if it had been killed then.
struct ReceiptAside<'a>(&'a Path);

impl Observer for ReceiptAside<'_> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Ready(_) = event {
            fs::copy(self.0.join("receipt.json"), self.0.join("aside")).expect("a receipt");
        }
    }
}

#[test]
fn a_run_that_goes_on_has_not_ended_from_its_first_moment() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path();
    run(job(out, &["train.max_updates=5"], 1, Start::Fresh));
    assert_eq!(receipt(out).ended, Some(Ending::Limit));
    let longer = job(out, &["train.max_updates=9"], 1, Start::Resume);
    train(longer, &StopFlag::default(), &mut ReceiptAside(out)).expect("it runs");
    assert_eq!(receipt(out).ended, Some(Ending::Limit));
    fs::rename(out.join("aside"), out.join("receipt.json")).expect("a receipt");
    let then = receipt(out);
    assert_eq!((then.ended, then.updates), (None, 5));
    let config = then.compare(out).expect("readable").into_iter().find(|(name, _)| name == "config.json");
    assert_eq!(config.expect("it is compared").1, Finding::Same, "its limit is the moved one already");
}

/// The reason why a run is not resumed with what it is given.
fn refusal(job: Job) -> String {
    train(job, &StopFlag::default(), &mut Silent).expect_err("refused").to_string()
}

fn receipt(dir: &Path) -> Receipt {
    Receipt::read(dir).expect("readable").expect("written")
}

#[test]
fn the_model_of_the_best_validation_is_the_one_its_state_knows() {
    let dir = tempfile::tempdir().expect("a folder");
    let [whole, out, other] = ["whole", "out", "other"].map(|name| dir.path().join(name));
    run(job(&whole, &["train.max_updates=20"], 1, Start::Fresh));
    run(job(&out, &["train.max_updates=10"], 1, Start::Fresh));
    run(job(&other, &["seed=4", "train.max_updates=10"], 1, Start::Fresh));
    let [model, next] = ["model.safetensors", "model.safetensors.next"].map(|name| out.join(name));
    assert!(!next.exists());
    // A model of someone else in its place.
    let its_own = fs::read(&model).expect("a model");
    fs::copy(other.join("model.safetensors"), &model).expect("a model");
    let said = refusal(job(&out, &[], 1, Start::Resume));
    assert!(said.contains("`model.safetensors` is not the model of its best validation"), "{said}");
    // Killed after the state that knows it, before it took its place.
    fs::write(&next, &its_own).expect("writable");
    let resume = || run(job(&out, &["train.max_updates=10"], 1, Start::Resume));
    resume();
    assert!(fs::read(&model).expect("a model") == its_own && !next.exists());
    // Killed before there was a state that knows it.
    fs::copy(other.join("model.safetensors"), &next).expect("a model");
    resume();
    assert!(fs::read(&model).expect("a model") == its_own && !next.exists());
    assert_eq!(receipt(&out).compare(&out).expect("readable").iter().filter(|(_, f)| *f != Finding::Same).count(), 0);
    // Update 10 is a validation of its own: the whole run has it, too.
    run(job(&out, &["train.max_updates=20"], 1, Start::Resume));
    assert!(contents(&out) == contents(&whole));
    assert!(receipt(&out).changed.is_empty());

    // A model where the state knows of no validation.
    let new = dir.path().join("new");
    let stop = StopFlag::default();
    train(job(&new, &[], 1, Start::Fresh), &stop, &mut StopAfter(2, &stop)).expect("it runs");
    fs::write(new.join("model.safetensors"), &its_own).expect("writable");
    let said = refusal(job(&new, &[], 1, Start::Resume));
    assert!(said.contains("its state knows of no validation"), "{said}");
}

#[test]
fn what_a_run_began_with_stays_the_same_or_is_named() {
    let dir = tempfile::tempdir().expect("a folder");
    let [base, other, out] = ["base", "other", "out"].map(|name| dir.path().join(name));
    run(job(&base, &["train.max_updates=2"], 1, Start::Fresh));
    run(job(&other, &["train.max_updates=3"], 1, Start::Fresh));
    let from = |model: Option<&Path>, updates: u64, start: Start| {
        let mut job = job(&out, &[&format!("train.max_updates={updates}")], 1, start);
        if let Some(model) = model {
            job.initial = Initial::Model(Box::new(Checkpoint::load(model).expect("a model")));
        }
        job
    };
    run(from(Some(&base), 5, Start::Fresh));
    for changed in [Some(&*other), None] {
        let said = refusal(from(changed, 6, Start::Resume));
        assert!(said.contains("the model or the word vectors it began with changed"), "{said}");
    }
    assert_eq!(run(from(Some(&base), 5, Start::Resume)).updates, 5);
    let mut named = from(None, 6, Start::Resume);
    named.options.allow_changed = vec!["initial".into()];
    assert_eq!(run(named).updates, 6);
    assert_eq!(receipt(&out).changed, ["the model or the word vectors it began with"]);
    assert_eq!(run(from(None, 7, Start::Resume)).updates, 7, "now it has begun with nothing");

    // One character of the tokenizer's file.
    let path = base.join("tokenizer.src.json");
    let text = fs::read_to_string(&path).expect("a tokenizer");
    let at = text.find("\"a\"").expect("a piece");
    fs::write(&path, format!("{}\"Ⱥ\"{}", &text[..at], &text[at + 3..])).expect("writable");
    let said = refusal(job(&base, &["train.max_updates=4"], 1, Start::Resume));
    assert!(said.contains("the tokenizer changed"), "{said}");
}

#[test]
fn what_changed_on_the_way_is_in_the_state_and_so_in_every_later_receipt() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path();
    run(job(out, &["train.max_updates=4"], 1, Start::Fresh));
    let mut faster = job(out, &["train.max_updates=6", "train.learning_rate=0.01"], 1, Start::Resume);
    faster.options.allow_changed = vec!["train.learning_rate".into()];
    run(faster);
    let limit = "a limit that it had met after update 4 was moved";
    let rate = "`train.learning_rate` from 0.001 to 0.01";
    assert_eq!(receipt(out).changed, [rate, limit]);
    // Killed before the receipt was written: the state knows.
    fs::remove_file(out.join("receipt.json")).expect("a receipt");
    run(job(out, &["train.max_updates=6", "train.learning_rate=0.01"], 1, Start::Resume));
    assert_eq!(receipt(out).changed, [rate, limit]);
    // Another instruction set.
    if Isa::detect() != Isa::PORTABLE {
        let portable = |updates: &str| {
            let mut job = job(out, &[updates, "train.learning_rate=0.01"], 1, Start::Resume);
            job.cpu = Cpu::with_threads(1, Isa::PORTABLE);
            run(job);
        };
        portable("train.max_updates=6");
        assert_eq!(receipt(out).changed, [rate, limit], "nothing was computed with it");
        portable("train.max_updates=7");
        let last = receipt(out).changed.pop().expect("a change");
        assert!(last.starts_with("the instruction set from "), "{last}");
    }
}

#[test]
fn a_limit_that_the_course_of_the_rate_goes_by_is_not_moved_unnamed() {
    let dir = tempfile::tempdir().expect("a folder");
    for (i, way) in
        ["train.schedule=cosine", "train.schedule=luong5", "train.scheduled_sampling=linear"].iter().enumerate()
    {
        let out = dir.path().join(i.to_string());
        let stop = StopFlag::default();
        train(job(&out, &[way], 1, Start::Fresh), &stop, &mut StopAfter(3, &stop)).expect("it runs");
        let more = [*way, "train.max_updates=14"];
        let said = refusal(job(&out, &more, 1, Start::Resume));
        assert!(said.contains("`train.max_updates` from 12 to 14 changed"), "{said}");
        let mut named = job(&out, &more, 1, Start::Resume);
        named.options.allow_changed = vec!["train.max_updates".into()];
        assert_eq!(run(named).updates, 14);
        assert_eq!(receipt(&out).changed, ["`train.max_updates` from 12 to 14"]);
    }
}

#[test]
fn a_change_that_is_named_is_allowed() {
    let dir = tempfile::tempdir().expect("a folder");
    run(job(dir.path(), &["train.max_updates=2"], 1, Start::Fresh));
    let resumed = |sets: &[&str], allowed: &[&str]| {
        let mut job = job(dir.path(), sets, 1, Start::Resume);
        job.options.allow_changed = allowed.iter().map(ToString::to_string).collect();
        train(job, &StopFlag::default(), &mut Silent)
    };
    let rate = ["train.max_updates=4", "train.learning_rate=0.0005"];
    assert!(resumed(&rate, &["data"]).is_err(), "what was named did not change, what changed was not named");
    assert_eq!(resumed(&rate, &["train.learning_rate"]).expect("it was named").updates, 4);
    // From now on this is its rate.
    assert_eq!(resumed(&rate, &[]).expect("nothing changed").updates, 4);
    let said = resumed(&rate, &["train.learningrate"]).expect_err("no such key").to_string();
    assert!(said.contains("--allow-changed train.learningrate: it is neither"), "{said}");
    let said = resumed(&rate, &["text.vocab_size"]).expect_err("there is a vocabulary").to_string();
    assert!(said.contains("the vocabulary"), "{said}");
    let other = [&rate[..], &["model.input_feeding=false"]].concat();
    let said = resumed(&other, &["model.input_feeding"]).expect_err("the weights are others").to_string();
    assert!(said.contains("`model.input_feeding`") && said.contains("start anew in another folder"), "{said}");

    // Fewer pairs have fewer batches than the run has used of its epoch.
    let mut fewer = job(dir.path(), &["train.max_updates=6", "train.learning_rate=0.0005"], 1, Start::Resume);
    fewer.train.pairs = changed(&fewer.train.pairs, |pairs| pairs.truncate(20));
    fewer.options.allow_changed = vec!["data".into()];
    assert_eq!(run(fewer).updates, 6);
}

/// Puts state and model of an update aside, as they are before the validation of the same update.
struct PutAside<'a>(&'a Path, u64);

impl Observer for PutAside<'_> {
    fn event(&mut self, event: Event<'_>) {
        if matches!(event, Event::Checkpoint { update, .. } if update == self.1)
            && !self.0.join("training.aside").exists()
        {
            for name in ["training", "model"] {
                let file = self.0.join(name);
                fs::copy(file.with_extension("safetensors"), file.with_extension("aside")).expect("a file");
            }
        }
    }
}

#[test]
fn a_run_killed_after_its_last_validation_and_before_its_state_writes_that_validation_once() {
    let dir = tempfile::tempdir().expect("a folder");
    let [whole, killed] = ["whole", "killed"].map(|name| dir.path().join(name));
    run(job(&whole, &[], 1, Start::Fresh));
    // The state of update 12 is there for its period, then the end is validated and has another.
    train(job(&killed, &[], 1, Start::Fresh), &StopFlag::default(), &mut PutAside(&killed, 12))
        .expect("the training runs");
    // Its model was written, but had not taken its place.
    fs::rename(killed.join("model.safetensors"), killed.join("model.safetensors.next")).expect("a model");
    for name in ["training", "model"] {
        let file = killed.join(name);
        fs::rename(file.with_extension("aside"), file.with_extension("safetensors")).expect("a file put aside");
    }
    run(job(&killed, &[], 1, Start::Resume));
    let (killed, whole) = (contents(&killed), contents(&whole));
    let differs: Vec<_> = whole.keys().filter(|name| killed.get(*name) != whole.get(*name)).collect();
    assert!(differs.is_empty() && killed.len() == whole.len(), "{differs:?} {:?}", killed.keys());
}
