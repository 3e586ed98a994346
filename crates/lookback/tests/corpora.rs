//! Trainings on several corpora, on samples, with dropped merges and on streams: repeatable and resumable as any other.

use std::fs;
use std::path::Path;

use lookback::backend::Cpu;
use lookback::config::Config;
use lookback::data::{Corpus, PairStream, dates};
use lookback::text::{TextMode, TokenizerSpec, Tokenizers};
use lookback::train::{
    Aligned, Ending, Event, Initial, Job, Observer, Outcome, RunOptions, Silent, Start, StopFlag, TrainError, train,
};

const SMALL: [&str; 9] = [
    "seed=3",
    "model.hidden=16",
    "model.embedding=8",
    "train.batch_tokens=300",
    "train.max_updates=14",
    "train.validate_every=6",
    "train.checkpoint_every=3",
    "train.warmup=4",
    "train.metric=loss",
];

fn job(dir: &Path, sets: &[&str], start: Start) -> Job {
    let splits = dates::splits(160, 12, 1, 5);
    let sets: Vec<String> = SMALL.iter().chain(sets).map(ToString::to_string).collect();
    let mut train = splits.train;
    let second = train.split_off(60);
    Job {
        config: Config::from_layers(&[], &sets).expect("known keys"),
        train: Corpus::concat([Corpus::from_pairs(train), Corpus::from_pairs(second)]),
        rest: None,
        tokenizers: None,
        initial: Initial::Random,
        valid: Corpus::from_pairs(splits.valid),
        dir: dir.to_owned(),
        cpu: Cpu::detect(1),
        start,
        aligned: Aligned::default(),
        options: RunOptions::default(),
    }
}

fn run(job: Job) -> Outcome {
    train(job, &StopFlag::default(), &mut Silent).expect("the training runs")
}

fn refused(job: Job) -> String {
    train(job, &StopFlag::default(), &mut Silent).expect_err("refused").to_string()
}

fn weights(dir: &Path) -> Vec<u8> {
    fs::read(dir.join("model.safetensors")).expect("a model")
}

/// Asks to stop after an update; counts pairs and buffers.
#[derive(Default)]
struct Watching<'a> {
    stop_after: Option<(u64, &'a StopFlag)>,
    buffers: Vec<(u64, u64, usize, usize)>,
}

impl Observer for Watching<'_> {
    fn event(&mut self, event: Event<'_>) {
        match (event, self.stop_after) {
            (Event::Update(report), Some((update, stop))) if report.update == update => stop.stop(),
            (Event::Buffer(b), _) => {
                self.buffers.push((b.number, b.lines, b.kept_out, b.filter.kept.iter().sum()));
            }
            _ => {}
        }
    }
}

/// Runs a job whole, and stopped after each of these updates and resumed: the models must be the same bytes.
fn stops_change_nothing(make: impl Fn(&Path, Start) -> Job, stops: &[u64]) {
    let dir = tempfile::tempdir().expect("a folder");
    let whole = dir.path().join("whole");
    let outcome = run(make(&whole, Start::Fresh));
    for &update in stops {
        let parts = dir.path().join(update.to_string());
        let stop = StopFlag::default();
        let mut watching = Watching { stop_after: Some((update, &stop)), ..Watching::default() };
        let first = train(make(&parts, Start::Fresh), &stop, &mut watching).expect("the first part runs");
        assert_eq!((first.ending, first.updates), (Ending::Stopped, update));
        assert_eq!(run(make(&parts, Start::Resume)), outcome, "stopped after update {update}");
        assert!(weights(&parts) == weights(&whole), "stopped after update {update}");
    }
}

#[test]
fn weights_samples_and_dropped_merges_survive_a_stop_and_change_the_run() {
    let bpe = ["text.mode=bpe", "text.vocab_size=330"];
    let all = ["data.corpus_weights=[1.5, 0.3]", "data.sample=70", "text.bpe_dropout=0.2"];
    let sets: Vec<&str> = bpe.iter().chain(&all).copied().collect();
    stops_change_nothing(|dir, start| job(dir, &sets, start), &[5, 9]);

    let dir = tempfile::tempdir().expect("a folder");
    let trained = |name: &str, sets: &[&str]| {
        let dir = dir.path().join(name);
        run(job(&dir, &[bpe.as_slice(), sets].concat(), Start::Fresh));
        weights(&dir)
    };
    let plain = trained("plain", &[]);
    for set in all {
        assert!(trained(set, &[set]) != plain, "{set}");
    }
    let mut other = job(&dir.path().join("plain"), &bpe, Start::Resume);
    let mut pairs = other.train.pairs.to_vec().expect("pairs");
    pairs[59].corpus = 1;
    other.train.pairs = pairs.into_iter().collect();
    assert!(refused(other).contains("the training data changed"));
    let message = refused(job(&dir.path().join("one"), &["data.corpus_weights=[2.0]"], Start::Fresh));
    assert!(message.contains("data.corpus_weights: 1 weights for 2 corpora"), "{message}");
}

#[test]
fn what_is_left_out_is_counted_by_its_reason() {
    struct Counts([usize; 3]);
    impl Observer for Counts {
        fn event(&mut self, event: Event<'_>) {
            if let Event::Ready(ready) = event {
                self.0 = [0, 1, 2].map(|reason| ready.skipped[0].skipped[reason].count);
            }
        }
    }
    let dir = tempfile::tempdir().expect("a folder");
    let sets = ["text.mode=char", "data.max_src=30", "data.min_length=10", "data.max_ratio=2.0", "train.max_updates=1"];
    let mut counts = Counts([0; 3]);
    let filtered = job(dir.path(), &sets, Start::Fresh);
    let pairs = filtered.train.pairs.to_vec().expect("pairs");
    let sizes: Vec<(usize, usize)> = pairs.iter().map(|p| (p.src.chars().count(), p.tgt.chars().count())).collect();
    let too_long = sizes.iter().filter(|(src, _)| *src > 30).count();
    let too_short = sizes.iter().filter(|(src, tgt)| *src <= 30 && (*src).min(*tgt) < 10).count();
    let unlike = sizes.iter().filter(|(src, tgt)| *src <= 30 && *src >= 10 && *src > 2 * *tgt).count();
    train(filtered, &StopFlag::default(), &mut counts).expect("it runs");
    assert_eq!(counts.0, [too_long, too_short, unlike]);
    assert!(counts.0.iter().all(|&count| count > 0), "{:?}", counts.0);
    let none = job(&dir.path().join("none"), &["data.max_ratio=1.0", "data.max_src=9"], Start::Fresh);
    match train(none, &StopFlag::default(), &mut Silent) {
        Err(TrainError::NothingLeft { which: "training", counts }) => assert_eq!(counts.iter().sum::<usize>(), 160),
        other => panic!("{other:?}"),
    }
}

/// A training on a stream of dates, 50 pairs a buffer; the first buffer is read already, as the program does.
fn streaming(dir: &Path, sets: &[&str], start: Start, change: fn(&mut Vec<dates::DatePair>)) -> Job {
    let mut pairs = dates::dates(180, 7);
    change(&mut pairs);
    let text: String = pairs.iter().map(|(src, tgt)| format!("{src}\t{tgt}\n")).collect();
    let mut stream = PairStream::new("-".into(), std::io::Cursor::new(text), None).expect("memory");
    let stream_sets = ["text.mode=char", "data.stream_buffer=50", "train.max_updates=1000"];
    let mut job = job(dir, &[stream_sets.as_slice(), sets].concat(), start);
    job.train.pairs = stream.next_buffer(50).expect("pairs").pairs;
    stream.keep_out(&job.valid).expect("memory");
    job.rest = Some(stream);
    job
}

#[test]
fn a_stream_is_learned_from_once_to_its_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut watching = Watching::default();
    let outcome = train(streaming(dir.path(), &[], Start::Fresh, |_| {}), &StopFlag::default(), &mut watching);
    assert_eq!(outcome.expect("it runs").ending, Ending::Limit);
    let ends: Vec<_> = watching.buffers.iter().map(|(number, lines, ..)| (*number, *lines)).collect();
    assert_eq!(ends, [(2, 100), (3, 150), (4, 180)]);
    // Whatever is not learned from was kept out.
    let (kept_out, kept) = watching.buffers.iter().fold((0, 0), |sum, b| (sum.0 + b.2, sum.1 + b.3));
    assert_eq!(kept_out + kept, 130);
}

#[test]
fn a_stopped_stream_goes_on_where_it_was_if_it_is_the_same() {
    let accumulate = ["train.accumulate=2", "train.max_updates=1000"];
    stops_change_nothing(|dir, start| streaming(dir, &accumulate, start, |_| {}), &[1, 4, 7]);

    let dir = tempfile::tempdir().expect("a folder");
    let stopped = || {
        let stop = StopFlag::default();
        let job = streaming(dir.path(), &[], Start::Overwrite, |_| {});
        train(job, &stop, &mut Watching { stop_after: Some((9, &stop)), ..Watching::default() }).expect("it runs");
    };
    stopped();
    let said = refused(streaming(dir.path(), &[], Start::Resume, |pairs| pairs[60].1.push('x')));
    assert!(said.contains("the stream, in what was read of it, changed"), "{said}");
    let said = refused(streaming(dir.path(), &[], Start::Resume, |pairs| pairs.truncate(80)));
    assert!(said.contains("the stream"), "{said}");
    let said = refused(streaming(dir.path(), &[], Start::Resume, |pairs| pairs[3].1.push('x')));
    assert!(said.contains("the training data changed"), "{said}");
    // What was not read may be another.
    run(streaming(dir.path(), &[], Start::Resume, |pairs| pairs[170].1.push('x')));
}

#[test]
fn an_error_in_a_stream_names_its_line_and_keeps_the_state() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = refused(streaming(dir.path(), &[], Start::Fresh, |pairs| pairs[129].0.push('\t')));
    assert!(said.starts_with("-:130: 3 columns"), "{said}");
    assert!(dir.path().join("training.safetensors").exists());
}

#[test]
fn given_tokenizers_are_used_and_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let of = |mode| {
        let spec = TokenizerSpec { mode, vocab_size: 330, ..TokenizerSpec::default() };
        Tokenizers::train(&spec, ["3 May 1999 0123456789-"; 3], ["1999-05-03 0123456789-"; 3]).expect("trained")
    };
    let given = |sets: &[&str], start, tokenizers: &Tokenizers| {
        let mut job = job(dir.path(), &[["train.max_updates=2"].as_slice(), sets].concat(), start);
        job.tokenizers = Some(tokenizers.clone());
        job
    };
    let (unigram, char) = (of(TextMode::Unigram), of(TextMode::Char));
    run(given(&[], Start::Fresh, &unigram));
    assert_eq!(Tokenizers::load(dir.path()).expect("it was kept").to_json(), unigram.to_json());
    run(given(&["train.max_updates=3"], Start::Resume, &unigram));
    assert!(refused(given(&[], Start::Resume, &char)).contains("the tokenizer changed"));
    assert!(
        refused(given(&["text.mode=bpe"], Start::Overwrite, &char)).starts_with("text.mode: a tokenizer was given")
    );
    assert!(refused(given(&["text.lowercase=true"], Start::Overwrite, &char)).starts_with("text.mode: with a given"));
    let alone = job(dir.path(), &["text.mode=file"], Start::Overwrite);
    assert!(refused(alone).starts_with("text.mode: `file` needs"));
}

#[test]
fn a_divergence_names_line_and_corpus() {
    let dir = tempfile::tempdir().expect("a folder");
    let steep = ["train.learning_rate=1e38", "train.warmup=1", "train.schedule=constant", "train.clip_norm=0.0"];
    let error = train(job(dir.path(), &steep, Start::Fresh), &StopFlag::default(), &mut Silent);
    let said = error.expect_err("it diverges").to_string();
    let places: Vec<&str> = said.split_once("pairs of lines ").expect("places").1.split([',', ')', ';']).collect();
    assert!(places[0].contains(" of corpus 1") || places[0].contains(" of corpus 2"), "{said}");
}
