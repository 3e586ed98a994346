//! The life of a run: periods, what is reported and kept, what happens when numbers or folders fail it, and the same bytes every time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lookback::Translator;
use lookback::backend::Cpu;
use lookback::config::{Config, Metric};
use lookback::data::{Corpus, dates};
use lookback::train::{
    Aligned, Asked, Ending, Event, Initial, Job, Observer, OnDivergence, Outcome, RunOptions, Silent, Start, StopFlag,
    TrainError, train,
};

fn job(dir: &Path, sets: &[&str], threads: usize, start: Start) -> Job {
    let small = [
        "seed=3",
        "text.mode=char",
        "model.hidden=16",
        "model.embedding=8",
        "train.batch_tokens=300",
        "train.max_updates=12",
        "train.warmup=4",
        "train.metric=loss",
        "train.validate_metrics=exact",
        "search.max_length_ratio=0.0",
        "search.max_length_extra=12",
    ];
    let sets: Vec<String> = small.iter().chain(sets).map(ToString::to_string).collect();
    let splits = dates::splits(120, 12, 1, 5);
    Job {
        config: Config::from_layers(&[], &sets).expect("known keys"),
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

/// Hears when validations and checkpoints happen, and can ask.
#[derive(Default)]
struct Heard<'a> {
    ask_at: Option<(u64, &'a StopFlag)>,
    validated: Vec<u64>,
    written: Vec<(u64, bool)>,
    rolled_back: Vec<(u64, f64)>,
    tokens: Vec<u64>,
}

impl Observer for Heard<'_> {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Update(report) => {
                self.tokens.push(report.reached.tokens);
                if let Some((update, stop)) = self.ask_at
                    && report.update == update
                {
                    stop.checkpoint();
                }
            }
            Event::Validated(validation) => self.validated.push(validation.update),
            Event::Checkpoint { update, asked } => self.written.push((update, asked == Asked::Yes)),
            Event::RolledBack { update, rate_factor, .. } => self.rolled_back.push((update, rate_factor)),
            _ => {}
        }
    }
}

fn run(job: Job) -> Outcome {
    train(job, &StopFlag::default(), &mut Silent).expect("the training runs")
}

fn heard(job: Job) -> Heard<'static> {
    let mut heard = Heard::default();
    train(job, &StopFlag::default(), &mut heard).expect("the training runs");
    heard
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

/// Every file of a folder, but the receipt and what is in it by the clock.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_file() && name != "receipt.json" && name != "metrics.jsonl" {
            files.insert(name, read(&path));
        }
    }
    files
}

#[test]
fn periods_of_every_unit_say_when_it_validates_checkpoints_and_stops() {
    let dir = tempfile::tempdir().expect("a folder");
    let of = |sets: &[&str]| heard(job(dir.path(), sets, 1, Start::Overwrite));
    let by_updates = of(&["train.validate_every=5u", "train.checkpoint_every=4u"]);
    assert_eq!(by_updates.validated, [5, 10, 12]);
    let due: Vec<u64> = by_updates.written.iter().map(|(update, _)| *update).collect();
    assert_eq!(due, [4, 5, 8, 10, 12, 12, 12], "validations write a state, too");

    let tokens = by_updates.tokens;
    let every = 700;
    let by_tokens = of(&[&format!("train.validate_every={every}t"), "train.checkpoint_every=1e"]);
    let met = |i: usize| tokens[i] / every > if i == 0 { 0 } else { tokens[i - 1] / every };
    let mut want: Vec<u64> = (0..12).filter(|&i| met(i)).map(|i| i as u64 + 1).collect();
    want.extend((want.last() != Some(&12)).then_some(12));
    assert_eq!(by_tokens.validated, want);

    // States by tokens, and by a time that has passed after every update.
    let states = |sets: &[&str]| -> Vec<u64> { of(sets).written.iter().map(|(update, _)| *update).collect() };
    let due = states(&["train.validate_every=1h", &format!("train.checkpoint_every={every}t")]);
    assert!(due.starts_with(&want), "{due:?} for {want:?}");
    let by_time = states(&["train.validate_every=1h", "train.checkpoint_every=0.000001s"]);
    assert!((1..=12).all(|update| by_time.contains(&update)), "{by_time:?}");

    let stop = format!("train.stop_after={}t", tokens[6] - 1);
    assert_eq!(of(&[&stop]).tokens, tokens[..7]);
    let epoch = of(&["train.stop_after=1e", "train.max_updates=1000"]);
    let half = of(&["train.stop_after=0.5e", "train.max_updates=1000"]);
    assert_eq!(half.tokens.len(), epoch.tokens.len().div_ceil(2));
    assert_eq!(of(&["train.stop_after=0.001s", "train.max_updates=1000"]).tokens.len(), 0, "the clock began before");
}

#[test]
fn any_reported_metric_decides_and_the_best_by_others_is_kept_loadable() {
    let dir = tempfile::tempdir().expect("a folder");
    let sets =
        ["train.metric=cer", "train.keep_best=chrf,loss", "train.validate_every=3", "train.validate_metrics=wer"];
    let best = run(job(dir.path(), &sets, 1, Start::Fresh)).best.expect("validated");
    let measured: Vec<Metric> = best.scores.iter().map(|(metric, _)| *metric).collect();
    assert_eq!(measured, [Metric::Wer, Metric::Cer, Metric::Chrf]);
    let lines = String::from_utf8(read(dir.path().join("metrics.jsonl"))).expect("text");
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let validations: Vec<_> = lines.iter().filter(|line| line["kind"] == "validation").collect();
    let best_by = |key: &str, better: fn(f64, f64) -> bool| {
        let mut best: Option<(u64, f64)> = None;
        for line in &validations {
            let score = line[key].as_f64().expect("a number");
            if best.is_none_or(|(_, old)| better(score, old)) {
                best = Some((line["update"].as_u64().expect("a number"), score));
            }
        }
        best.expect("there are validations").0
    };
    assert_eq!(best.update, best_by("cer", |new, old| new < old));
    // The model of the best loss is that of a run that ends there.
    let update = best_by("nll", |new, old| new < old);
    let again = dir.path().join("again");
    let stop = format!("train.max_updates={update}");
    run(job(&again, &["train.validate_every=100", &stop], 1, Start::Fresh));
    assert!(read(dir.path().join("best/loss/model.safetensors")) == read(again.join("model.safetensors")));
    for metric in ["chrf", "loss"] {
        Translator::load(dir.path().join("best").join(metric)).expect("a model folder");
    }
    // None of it is left when the folder is used again.
    run(job(dir.path(), &[], 1, Start::Overwrite));
    assert!(!dir.path().join("best/loss").exists());
}

/// The lines of the metrics of a kind.
fn lines(dir: &Path, kind: &str) -> Vec<serde_json::Value> {
    let text = String::from_utf8(read(dir.join("metrics.jsonl"))).expect("text");
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    lines.filter(|line| line["kind"] == kind).collect()
}

#[test]
fn token_accuracy_is_measured_and_can_decide() {
    let dir = tempfile::tempdir().expect("a folder");
    let best = run(job(dir.path(), &["train.metric=accuracy", "train.validate_every=3"], 1, Start::Fresh)).best;
    let best = best.expect("validated");
    let mut highest = (0, f64::MIN);
    for line in lines(dir.path(), "validation") {
        let accuracy = line["accuracy"].as_f64().expect("a number");
        if accuracy > highest.1 {
            highest = (line["update"].as_u64().expect("a number"), accuracy);
        }
    }
    assert_eq!((best.update, best.score(Metric::Accuracy)), (highest.0, Some(highest.1)));
    assert!(highest.1 > 0.0 && highest.1 < 1.0, "{highest:?}");
}

#[test]
fn metrics_of_updates_come_as_often_as_lines_of_the_log_unless_the_clock_decides() {
    let dir = tempfile::tempdir().expect("a folder");
    let updates = |sets: &[&str]| -> Vec<u64> {
        run(job(dir.path(), sets, 1, Start::Overwrite));
        lines(dir.path(), "update").iter().map(|line| line["update"].as_u64().expect("a number")).collect()
    };
    assert_eq!(updates(&["train.log_every=4u"]), [4, 8, 12]);
    assert_eq!(updates(&["train.log_every=1"]), (1..=12).collect::<Vec<_>>());
    for sets in [&[][..], &["train.log_every=1s"]] {
        assert_eq!(updates(sets), [10]);
    }
    // A run that is moved on has the lines of one that was not.
    let by_tokens = ["train.log_every=500t", "train.max_updates=12"];
    let whole = updates(&by_tokens);
    assert!(whole.len() > 2, "{whole:?}");
    run(job(dir.path(), &["train.log_every=500t", "train.max_updates=5"], 1, Start::Overwrite));
    run(job(dir.path(), &by_tokens, 1, Start::Resume));
    let again: Vec<_> = lines(dir.path(), "update").iter().map(|line| line["update"].as_u64()).collect();
    assert_eq!(again, whole.into_iter().map(Some).collect::<Vec<_>>());
}

#[test]
fn a_run_without_metrics_of_translations_does_not_translate() {
    let dir = tempfile::tempdir().expect("a folder");
    let best = run(job(dir.path(), &["train.validate_metrics=[]"], 1, Start::Fresh)).best.expect("validated");
    assert!(best.scores.is_empty() && best.score(Metric::Ppl).is_some_and(|ppl| ppl > 1.0));
}

#[test]
fn a_checkpoint_that_is_asked_for_is_written_and_the_run_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let stop = StopFlag::default();
    let mut heard = Heard { ask_at: Some((3, &stop)), ..Heard::default() };
    let outcome = train(job(dir.path(), &[], 1, Start::Fresh), &stop, &mut heard).expect("it runs");
    assert_eq!((outcome.ending, outcome.updates), (Ending::Limit, 12));
    assert_eq!(heard.written[0], (3, true));
    assert!(heard.written[1..].iter().all(|(_, asked)| !asked));
}

#[test]
fn a_divergence_can_go_back_to_the_last_state_with_half_the_rate() {
    let dir = tempfile::tempdir().expect("a folder");
    // Ten halvings of this rate are still more than numbers can hold.
    let steep = ["train.learning_rate=1e39", "train.warmup=1", "train.schedule=constant", "train.checkpoint_every=1"];
    let with = |on_divergence, dir: &Path| {
        let mut job = job(dir, &steep, 1, Start::Overwrite);
        job.options.on_divergence = on_divergence;
        let mut heard = Heard::default();
        (train(job, &StopFlag::default(), &mut heard), heard.rolled_back)
    };
    let (stopped, none) = with(OnDivergence::Stop, dir.path());
    assert!(matches!(stopped, Err(TrainError::NotFinite { .. } | TrainError::Diverged { .. })) && none.is_empty());
    let (ended, back) = with(OnDivergence::RollBack, dir.path());
    assert!(back.len() >= 2 && back[0] == (0, 0.5) && back[1].1 < 0.5, "{back:?}");
    assert!(back.len() <= 10, "it gives up: {back:?}");
    assert!(ended.is_err(), "no half of such a rate learns: {ended:?}");
}

#[test]
fn two_trainings_in_one_folder_are_refused_and_the_first_one_is_not_disturbed() {
    struct Second<'a>(&'a Path, Vec<String>);
    impl Observer for Second<'_> {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Update(report) = event
                && report.update == 2
            {
                for start in [Start::Resume, Start::Overwrite] {
                    let error = train(job(self.0, &[], 1, start), &StopFlag::default(), &mut Silent);
                    self.1.push(error.expect_err("refused").to_string());
                }
            }
        }
    }
    let dir = tempfile::tempdir().expect("a folder");
    let (whole, shared) = (dir.path().join("whole"), dir.path().join("shared"));
    run(job(&whole, &[], 1, Start::Fresh));
    let mut second = Second(&shared, Vec::new());
    train(job(&shared, &[], 1, Start::Fresh), &StopFlag::default(), &mut second).expect("the first one runs");
    assert!(second.1.len() == 2 && second.1.iter().all(|said| said.contains("another training is running in")));
    assert!(contents(&whole) == contents(&shared));
}

/// The files of TensorBoard, read back without its code: every record's tag and number.
fn events(dir: &Path) -> Vec<(String, f32)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        if !path.to_string_lossy().contains("tfevents") {
            continue;
        }
        let bytes = read(&path);
        // `1: tag (string), 2: number (float)`: tags are shorter than 128.
        for at in 0..bytes.len() {
            for start in ["train/", "valid/"] {
                if at >= 2 && bytes[at..].starts_with(start.as_bytes()) && bytes[at - 2] == 0x0A {
                    let length = usize::from(bytes[at - 1]);
                    let number = bytes[at + length + 1..][..4].try_into().expect("four bytes");
                    let tag = String::from_utf8(bytes[at..at + length].to_vec()).expect("text");
                    found.push((tag, f32::from_le_bytes(number)));
                }
            }
        }
    }
    found
}

#[test]
fn event_files_have_the_numbers_of_the_metrics_under_joeynmts_names() {
    let dir = tempfile::tempdir().expect("a folder");
    run(job(dir.path(), &["train.tensorboard=true", "train.validate_metrics=bleu"], 1, Start::Fresh));
    let lines = String::from_utf8(read(dir.path().join("metrics.jsonl"))).expect("text");
    let found = events(dir.path());
    let names = [
        ("update", "train/batch_loss", "loss"),
        ("update", "train/batch_acc", "accuracy"),
        ("update", "train/learning_rate", "learning_rate"),
        ("validation", "valid/loss", "nll"),
        ("validation", "valid/ppl", "perplexity"),
        ("validation", "valid/accuracy", "accuracy"),
        ("validation", "valid/bleu", "bleu"),
    ];
    for (kind, tag, key) in names {
        let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
        let want: Vec<f32> =
            lines.filter(|v| v["kind"] == kind).map(|v| v[key].as_f64().expect("a number") as f32).collect();
        let got: Vec<f32> = found.iter().filter(|(name, _)| name == tag).map(|(_, number)| *number).collect();
        assert!(!want.is_empty() && got == want, "{tag}: {got:?} for {want:?}");
    }
    run(job(dir.path(), &[], 1, Start::Overwrite));
    assert!(events(dir.path()).is_empty(), "an overwritten run leaves no events");
}

#[test]
fn every_cell_and_score_gives_the_same_bytes_for_any_number_of_threads_and_again() {
    let dir = tempfile::tempdir().expect("a folder");
    for cell in ["lstm", "gru", "rnn"] {
        for score in ["dot", "scaled_dot", "general", "concat", "location", "none"] {
            // Wide enough that products are cut into several tiles.
            let sets = [
                "model.hidden=72".to_owned(),
                "model.dropout=0.2".to_owned(),
                "train.batch_tokens=600".to_owned(),
                "train.max_updates=2".to_owned(),
                "train.validate_sentences=4".to_owned(),
                format!("model.cell={cell}"),
                format!("model.attention={score}"),
            ];
            let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
            let folder = |run_number: usize, threads: usize| {
                let out = dir.path().join(format!("{cell}-{score}-{run_number}"));
                run(job(&out, &sets, threads, Start::Fresh));
                contents(&out)
            };
            let first = folder(0, 1);
            assert!(first.contains_key("model.safetensors") && first.contains_key("training.safetensors"));
            for (number, threads) in [(1, 1), (2, 2), (3, 4)] {
                assert!(folder(number, threads) == first, "{cell} {score}: {threads} threads");
            }
        }
    }
}
