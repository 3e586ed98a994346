//! Every cell × score × window × order × feeding × heads × bridge: what can combine is trained for a few updates, saved, loaded and used for translation, and its step-by-step search agrees
//! with reading the same translation as a whole; what cannot combine is refused.

use std::fmt;
use std::path::Path;

use lookback::Translator;
use lookback::backend::Cpu;
use lookback::checkpoint::Checkpoint;
use lookback::config::{Config, CorpusSize};
use lookback::data::{Batch, Corpus, Example, dates};
use lookback::params::Params;
use lookback::search::{Hypothesis, KeepWeights, SearchOptions, search};
use lookback::stored::Storage;
use lookback::tape::{Graph, Tape};
use lookback::text::EOS;
use lookback::train::{Aligned, Ending, Initial, Job, RunOptions, Silent, Start, StopFlag, train};

const CELLS: [&str; 3] = ["lstm", "gru", "rnn"];
const SCORES: [&str; 6] = ["dot", "scaled_dot", "general", "concat", "location", "none"];
const WINDOWS: [&str; 3] = ["global", "local_m", "local_p"];
const ORDERS: [&str; 2] = ["luong", "bahdanau"];
const BRIDGES: [&str; 3] = ["copy", "project", "zero"];

#[derive(Debug, Clone, Copy)]
struct Combination {
    cell: &'static str,
    score: &'static str,
    window: &'static str,
    order: &'static str,
    is_fed: bool,
    heads: usize,
    bridge: &'static str,
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cell, score, window, order, is_fed, heads, bridge } = self;
        write!(f, "{cell}, {score} {window} with {heads} heads, {order}, feeding {is_fed}, bridge {bridge}")
    }
}

fn all() -> Vec<Combination> {
    let mut all = Vec::new();
    for cell in CELLS {
        for score in SCORES {
            for window in WINDOWS {
                for order in ORDERS {
                    // How the decoder starts has nothing to do with where it looks.
                    for bridge in if window == "global" { &BRIDGES[..] } else { &BRIDGES[..1] } {
                        for (is_fed, heads) in [(false, 1), (false, 2), (true, 1), (true, 2)] {
                            all.push(Combination { cell, score, window, order, is_fed, heads, bridge });
                        }
                    }
                }
            }
        }
    }
    all
}

impl Combination {
    fn can_be(&self) -> bool {
        let has_heads = !matches!(self.score, "location" | "none");
        let is_before = self.order == "bahdanau";
        (self.heads == 1 || has_heads)
            && !(is_before && (self.is_fed || self.score == "none"))
            && !(self.score == "none" && (self.bridge == "zero" || self.window != "global"))
    }

    fn config(&self) -> Config {
        let Self { cell, score, window, order, is_fed, heads, bridge } = self;
        let own = [
            format!("model.cell={cell}"),
            format!("model.attention={score}"),
            format!("model.window={window}"),
            format!("model.decoder={order}"),
            format!("model.input_feeding={is_fed}"),
            format!("model.heads={heads}"),
            format!("model.bridge={bridge}"),
        ];
        // Narrower than the sources, which are dates letter by letter.
        let width = (*window != "global").then(|| "model.window_width=3".to_owned());
        let tiny = [
            "seed=3",
            "text.mode=char",
            "model.hidden=8",
            "model.embedding=6",
            "model.dropout=0.1",
            "data.max_src=40",
            "train.batch_tokens=120",
            "train.max_updates=3",
            "train.warmup=1",
            "train.learning_rate=0.02",
            "train.validate_sentences=2",
            "search.beam_size=3",
            "search.max_length_ratio=0.0",
            "search.max_length_extra=6",
        ];
        let sets: Vec<String> = tiny.iter().map(ToString::to_string).chain(own).chain(width).collect();
        Config::from_layers(&[], &sets).expect("the keys exist")
    }

    /// Trains, saves, loads, translates, compares.
    fn run(&self, dir: &Path, corpora: &[Corpus; 2]) {
        let [train_pairs, valid] = corpora.clone();
        let job = Job {
            config: self.config(),
            train: train_pairs,
            rest: None,
            tokenizers: None,
            initial: Initial::Random,
            valid,
            dir: dir.into(),
            cpu: Cpu::detect(1),
            start: Start::Fresh,
            aligned: Aligned::default(),
            options: RunOptions::default(),
        };
        let outcome = train(job, &StopFlag::default(), &mut Silent).unwrap_or_else(|e| panic!("{self}: {e}"));
        assert_eq!((outcome.ending, outcome.updates), (Ending::Limit, 3), "{self}");
        let checkpoint = Checkpoint::load(dir).unwrap_or_else(|e| panic!("{self}: {e}"));
        let texts: Vec<&str> = corpora[1].pairs.iter().map(|pair| pair.src.as_str()).collect();
        let sources: Vec<Vec<u32>> = texts.iter().map(|text| checkpoint.tokenizers.src.encode(text)).collect();
        let found = self.step_by_step_is_the_whole_sequence(&checkpoint, &sources);
        let best: Vec<String> = found.iter().map(|best| checkpoint.tokenizers.tgt.decode(&best[0].ids)).collect();
        let converted = checkpoint.clone().convert(Storage::Int8).unwrap_or_else(|e| panic!("{self}: {e}"));
        let translator = Translator::from_checkpoint(checkpoint, Cpu::detect(1));
        assert_eq!(translator.translate(&texts).unwrap_or_else(|e| panic!("{self}: {e}")), best, "{self}");
        self.in_8_bits(converted, dir, &sources);
    }

    /// What was converted searches as it scores, and is loaded as it was saved.
    fn in_8_bits(&self, converted: Checkpoint, dir: &Path, sources: &[Vec<u32>]) {
        let found = self.step_by_step_is_the_whole_sequence(&converted, sources);
        converted.save(dir).unwrap_or_else(|e| panic!("{self}: {e}"));
        let loaded = Checkpoint::load(dir).unwrap_or_else(|e| panic!("{self}: {e}"));
        assert!(loaded.storage == Storage::Int8 && loaded.values == converted.values, "{self}");
        let cpu = Cpu::<f32>::detect(1);
        let params = Params::from_stored(&cpu, loaded.specs.clone(), &loaded.values);
        let (batch, options) = (Batch::from_sources(sources), loaded.config.search.clone().into());
        let again = search(&cpu, &params, &mut Tape::new(), &loaded.model, &loaded.tokenizers.tgt, &batch, &options);
        let again = again.unwrap_or_else(|e| panic!("{self}: {e}"));
        assert!(found.iter().zip(&again).all(|(one, other)| one[0].ids == other[0].ids), "{self}");
    }

    fn step_by_step_is_the_whole_sequence(&self, model: &Checkpoint, sources: &[Vec<u32>]) -> Vec<Vec<Hypothesis>> {
        let cpu = Cpu::detect(1);
        let params = Params::from_stored(&cpu, model.specs.clone(), &model.values);
        let mut tape = Tape::new();
        let options = SearchOptions { nbest: 3, weights: KeepWeights::Yes, ..model.config.search.clone().into() };
        // Together, so that the rows of beams share memory and sentences leave the batch.
        let batch = Batch::from_sources(sources);
        let found = search(&cpu, &params, &mut tape, &model.model, &model.tokenizers.tgt, &batch, &options)
            .unwrap_or_else(|e| panic!("{self}: {e}"));
        for (src, found) in sources.iter().zip(&found) {
            for hypothesis in found {
                let tgt: Vec<u32> = hypothesis.ids.iter().copied().filter(|&id| id != EOS).collect();
                let batch = Batch::new(&[&Example { src: src.clone(), tgt, line: 1 }]);
                tape.reset();
                let mut g = Graph::inference(&cpu, &params, &mut tape);
                let (nll, weights) = model.model.score(&mut g, &batch);
                let log_prob = -nll[..hypothesis.ids.len()].iter().sum::<f64>();
                assert!(
                    (log_prob - hypothesis.log_prob).abs() < 1e-4,
                    "{self}: {log_prob} for {}",
                    hypothesis.log_prob
                );
                assert_eq!(weights.is_some(), self.score != "none", "{self}");
                if let (Some(whole), Some(kept)) = (weights, &hypothesis.weights) {
                    let whole = whole.mean(&mut g);
                    let whole = g.download(whole);
                    // Equal up to the rounding of products over other numbers of rows.
                    lookback_testkit::assert_close(&self.to_string(), kept, &whole[..kept.len()], 1e-4, 1e-6);
                }
            }
        }
        found
    }
}

#[test]
fn what_can_combine_trains_saves_loads_and_translates_and_steps_agree_with_the_whole() {
    let splits = dates::splits(24, 4, 1, 5);
    let corpora = [Corpus::from_pairs(splits.train), Corpus::from_pairs(splits.valid)];
    let possible: Vec<Combination> = all().into_iter().filter(Combination::can_be).collect();
    // Cells × ((bridges + windows) × (Luong's and Bahdanau's with each score) + none).
    let looking = 4 * 2 * 2 + 2 + 4 * 2 + 1;
    assert_eq!(possible.len(), 3 * ((3 + 2) * looking + 2 * 2), "nothing was left out by accident");
    let dir = tempfile::tempdir().expect("a folder");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (possible, corpora, dir) = (&possible, &corpora, dir.path());
            scope.spawn(move || {
                for (i, combination) in possible.iter().enumerate().skip(thread).step_by(threads) {
                    combination.run(&dir.join(i.to_string()), corpora);
                }
            });
        }
    });
}

#[test]
fn what_cannot_combine_is_refused_by_its_key_with_a_remedy() {
    for combination in all().into_iter().filter(|combination| !combination.can_be()) {
        let refused = combination.config().resolve(CorpusSize { pairs: 24, words: 3.0, characters: 17.0 });
        let message = refused.err().unwrap_or_else(|| panic!("{combination} was let through")).to_string();
        assert!(message.starts_with("model."), "{combination}: {message}");
        assert!(["set `", "leave it out", "leave `"].iter().any(|remedy| message.contains(remedy)), "{message}");
    }
}
