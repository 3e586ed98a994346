//! Trainings whose attention is guided by given links: repeatable, resumable, with pairs left out and cut anew, and of effect.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lookback::Translator;
use lookback::align::{GivenLinks, WeightsOf};
use lookback::backend::Cpu;
use lookback::config::{Config, Metric};
use lookback::data::Corpus;
use lookback::eval::{AlignmentErrorRate, Alignments, Base, Gold, LinkFile};
use lookback::train::{
    Aligned, Ending, Event, GoldPairs, Initial, Job, Observer, Outcome, RunOptions, Silent, Start, StopFlag,
    TrainError, train,
};
use lookback::view::Links;

/// Sentences whose translation has the words in reverse order, and their links.
fn pairs(count: usize, seed: usize) -> (Corpus, Vec<String>) {
    let words = [("eins", "one"), ("zwei", "two"), ("drei", "three"), ("vier", "four"), ("fünf", "five")];
    // No word twice in a sentence.
    let sentence =
        |i: usize| (0..2 + (i + seed) % 4).map(|k| (i / 4 + k * (1 + (i / 20 + seed) % 4)) % 5).collect::<Vec<usize>>();
    let pair = |i: usize| {
        let numbers = sentence(i);
        let src: Vec<&str> = numbers.iter().map(|&n| words[n].0).collect();
        let tgt: Vec<&str> = numbers.iter().rev().map(|&n| words[n].1).collect();
        let last = numbers.len() - 1;
        let links: Vec<String> = (0..=last).map(|s| format!("{s}-{}", last - s)).collect();
        ((src.join(" "), tgt.join(" ")), links.join(" "))
    };
    let (pairs, links): (Vec<_>, Vec<_>) = (0..count).map(pair).unzip();
    (Corpus::from_pairs(pairs), links)
}

fn given(corpus: &Corpus, lines: &[String]) -> GivenLinks {
    let mut links = GivenLinks::default();
    links.insert(0, corpus, Path::new("train.links"), lines).expect("links");
    links
}

fn job(dir: &Path, sets: &[&str], threads: usize, start: Start) -> Job {
    let small = [
        "seed=3",
        "text.mode=bpe",
        "text.vocab_size=290",
        "data.max_tgt=12",
        "model.hidden=16",
        "model.embedding=8",
        "model.dropout=0.1",
        "train.batch_tokens=200",
        "train.max_updates=12",
        "train.checkpoint_every=3",
        "train.validate_every=6",
        "train.warmup=4",
        "train.metric=loss",
        "train.validate_metrics=exact",
    ];
    let sets: Vec<String> = small.iter().chain(sets).map(ToString::to_string).collect();
    let (train, links) = pairs(120, 1);
    let guide = Some(given(&train, &links));
    Job {
        config: Config::from_layers(&[], &sets).expect("known keys"),
        train,
        rest: None,
        tokenizers: None,
        initial: Initial::Random,
        valid: pairs(20, 2).0,
        dir: dir.to_owned(),
        cpu: Cpu::detect(threads),
        start,
        aligned: Aligned { guide, gold: None },
        options: RunOptions::default(),
    }
}

fn run(job: Job) -> Outcome {
    train(job, &StopFlag::default(), &mut Silent).expect("the training runs")
}

/// Weights, state and configuration of a folder.
fn contents(dir: &Path) -> BTreeMap<&'static str, Vec<u8>> {
    let read = |name| (name, fs::read(dir.join(name)).expect("a file"));
    ["model.safetensors", "training.safetensors", "config.json"].into_iter().map(read).collect()
}

/// Asks to stop after an update; keeps the costs of the attention.
#[derive(Default)]
struct Watching<'a> {
    stop_after: Option<(u64, &'a StopFlag)>,
    costs: Vec<f64>,
}

impl Observer for Watching<'_> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Update(report) = event {
            self.costs.extend(report.guided_alignment);
            if let Some((update, stop)) = self.stop_after.filter(|(update, _)| *update == report.update) {
                assert_eq!(update, report.update);
                stop.stop();
            }
        }
    }
}

const ANEW: &str = "text.bpe_dropout=0.3";

#[test]
fn threads_and_interruptions_change_no_byte_of_a_guided_training() {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, sets) in [
        ("plain", &["model.heads=2"][..]),
        ("mse", &["train.guided_alignment_cost=mse", "train.guided_alignment_step=read", "train.accumulate=2"]),
        ("mult", &["train.guided_alignment_cost=mult", "model.input_feeding=true", ANEW]),
    ] {
        let whole = dir.path().join(name);
        assert_eq!(run(job(&whole, sets, 1, Start::Fresh)).ending, Ending::Limit);
        let threads = dir.path().join(format!("{name}-threads"));
        run(job(&threads, sets, 3, Start::Fresh));
        assert!(contents(&whole) == contents(&threads), "{name}: three threads");
        let parts = dir.path().join(format!("{name}-parts"));
        let stop = StopFlag::default();
        let mut watching = Watching { stop_after: Some((5, &stop)), ..Watching::default() };
        let outcome = train(job(&parts, sets, 1, Start::Fresh), &stop, &mut watching).expect("the first part");
        assert_eq!((outcome.ending, outcome.updates), (Ending::Stopped, 5));
        run(job(&parts, sets, 2, Start::Resume));
        assert!(contents(&whole) == contents(&parts), "{name}: stopped");
    }
}

#[test]
fn other_links_are_another_training() {
    let dir = tempfile::tempdir().expect("a folder");
    run(job(dir.path(), &[], 1, Start::Fresh));
    let changed = |change: fn(&mut Job)| {
        let mut job = job(dir.path(), &["train.max_updates=14"], 1, Start::Resume);
        change(&mut job);
        train(job, &StopFlag::default(), &mut Silent)
    };
    let fewer = |job: &mut Job| {
        let mut lines = pairs(120, 1).1;
        lines[7].clear();
        job.aligned.guide = Some(given(&job.train, &lines));
    };
    let error = changed(fewer).expect_err("refused").to_string();
    assert!(error.contains("the alignments that guide the attention changed"), "{error}");
    let error = changed(|job| job.aligned.guide = None).expect_err("refused").to_string();
    assert!(error.contains("alignments") && error.contains("guided_alignment"), "{error}");
    assert_eq!(changed(|_| {}).expect("the same links").updates, 14);
}

#[test]
fn guidance_makes_the_attention_the_links_and_none_is_needed_for_other_pairs() {
    let dir = tempfile::tempdir().expect("a folder");
    let long = [
        "train.max_updates=500",
        "train.validate_every=500",
        "train.learning_rate=0.01",
        "train.warmup=50",
        "model.hidden=32",
        "model.dropout=0.0",
    ];
    for (step, weights) in [("write", WeightsOf::Writing), ("read", WeightsOf::Reading)] {
        let of = format!("train.guided_alignment_step={step}");
        let sets: Vec<&str> = long.into_iter().chain(["train.guided_alignment_weight=1.0", &of]).collect();
        let out = dir.path().join(step);
        let mut watching = Watching::default();
        train(job(&out, &sets, 2, Start::Fresh), &StopFlag::default(), &mut watching).expect("it runs");
        let (first, last) = (watching.costs[0], watching.costs[watching.costs.len() - 1]);
        // The cost of words of several pieces cannot fall below the entropy of what is given.
        assert!(last < 0.5 * first, "{step}: the cost was {first} and is {last}");
        let (unseen, links) = pairs(20, 2);
        let unseen = unseen.pairs.to_vec().expect("pairs");
        let texts: Vec<(&str, &str)> = unseen.iter().map(|p| (p.src.as_str(), p.tgt.as_str())).collect();
        let translator = Translator::load(&out).expect("a model");
        let aligned = translator.align_pairs(&texts, weights, Links::Strongest).expect("links");
        let found = aligned.iter().map(|found| lookback::view::pharaoh_line(found));
        let links = links.iter().zip(found).map(|(want, found)| {
            let right = found.split(' ').filter(|link| want.split(' ').any(|want| want == *link)).count();
            [right, want.split(' ').count()]
        });
        let [right, all] = links.fold([0, 0], |[a, b], [c, d]| [a + c, b + d]);
        assert!(right * 10 >= all * 9, "{step}: {right} of {all} links are right");
    }
}

/// Every `aer` of a run, as its metrics tell it.
fn error_rates(dir: &Path) -> Vec<f64> {
    let metrics = fs::read_to_string(dir.join("metrics.jsonl")).expect("metrics");
    let lines = metrics.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    lines.filter(|line| line["kind"] == "validation").map(|line| line["aer"].as_f64().expect("an aer")).collect()
}

#[test]
fn the_error_rate_told_is_that_of_align_decides_and_is_the_same_in_a_resumed_run() {
    let dir = tempfile::tempdir().expect("a folder");
    let (corpus, links) = pairs(20, 2);
    let file = |lines| LinkFile { path: Path::new("gold"), lines, base: Base::Zero, lengths: None };
    let gold = Gold::pharaoh(&file(&links)).expect("links");
    let known = GoldPairs { pairs: corpus.clone(), gold: gold.clone(), path: "gold".into() };
    for (step, weights) in [("write", WeightsOf::Writing), ("read", WeightsOf::Reading)] {
        let of = format!("train.guided_alignment_step={step}");
        let sets = [&of, "train.metric=aer", "train.max_updates=30", "train.learning_rate=0.01", "model.heads=2"];
        let with_gold = |out: &Path, start| {
            let mut job = job(out, &sets, 1, start);
            job.aligned.gold = Some(known.clone());
            job
        };
        let whole = dir.path().join(step);
        let outcome = run(with_gold(&whole, Start::Fresh));
        let rates = error_rates(&whole);
        let best = outcome.best.expect("validated");
        let least = rates.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(rates.len() == 5 && best.score(Metric::Aer) == Some(least), "{rates:?}");
        // The model kept is the best one: its links, as `align` finds them, have that rate.
        let seen = corpus.pairs.to_vec().expect("pairs");
        let texts: Vec<(&str, &str)> = seen.iter().map(|p| (p.src.as_str(), p.tgt.as_str())).collect();
        let translator = Translator::load(&whole).expect("a model");
        let found = translator.align_pairs(&texts, weights, Links::Strongest).expect("links");
        let found = Alignments::of_links("found".into(), found);
        let rate = AlignmentErrorRate::corpus(Path::new("gold"), &gold, &found).expect("as many").score();
        assert!((rate - least).abs() < 1e-9, "{step}: {rate}, not {least}");
        let parts = dir.path().join(format!("{step}-parts"));
        let stop = StopFlag::default();
        let mut watching = Watching { stop_after: Some((14, &stop)), ..Watching::default() };
        train(with_gold(&parts, Start::Fresh), &stop, &mut watching).expect("the first part");
        run(with_gold(&parts, Start::Resume));
        assert!(error_rates(&parts) == rates && contents(&parts) == contents(&whole), "{step}: resumed");
    }
    let error =
        train(job(&dir.path().join("none"), &["train.metric=aer"], 1, Start::Fresh), &StopFlag::default(), &mut Silent);
    assert!(error.expect_err("refused").to_string().starts_with("train.metric: no known links"));
}

#[test]
fn what_cannot_be_guided_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("model");
    let refused = |job: Job| train(job, &StopFlag::default(), &mut Silent).expect_err("refused");
    let error = refused(job(&out, &["model.attention=none"], 1, Start::Fresh));
    assert!(matches!(error, TrainError::Config(_)) && error.to_string().contains("model.attention"), "{error}");
    let without =
        Job { aligned: Aligned::default(), ..job(&out, &["train.guided_alignment_weight=0.5"], 1, Start::Fresh) };
    assert!(refused(without).to_string().starts_with("train.guided_alignment_weight: no links were given"));
    // NFKC makes two words of `a¨b`, so what the file counts as one cannot be found among the pieces.
    let mut other = job(&out, &["text.normalization=nfkc"], 1, Start::Fresh);
    let mut pairs = other.train.pairs.to_vec().expect("pairs");
    pairs[3].src = "eins a\u{a8}b".into();
    other.train.pairs = pairs.into_iter().collect();
    let (corpus, lines) = (other.train.clone(), vec![String::new(); 120]);
    other.aligned.guide = Some(given(&corpus, &lines));
    let error = refused(other);
    assert!(
        matches!(error, TrainError::OtherWords { .. }) && error.to_string().contains("line 4 of corpus 1"),
        "{error}"
    );
    assert!(!out.exists());
}
