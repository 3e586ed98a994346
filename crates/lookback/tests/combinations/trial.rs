//! One combination, tried.

use std::fmt;
use std::path::Path;

use lookback::Translator;
use lookback::backend::Cpu;
use lookback::checkpoint::Checkpoint;
use lookback::config::{AttentionKind, Config};
use lookback::data::{Batch, Corpus, Example};
use lookback::params::Params;
use lookback::search::{Hypothesis, KeepWeights, SearchOptions, search};
use lookback::stored::Storage;
use lookback::tape::{Graph, Tape};
use lookback::text::EOS;
use lookback::train::{Aligned, Ending, Initial, Job, RunOptions, Silent, Start, StopFlag, train};

use crate::space::{Combination, config, name};

/// What is saved and loaded of a trial.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Files {
    /// The model that was trained.
    Trained,
    /// Also those in fewer bits.
    Both,
}

struct Trial {
    name: String,
    has_attention: bool,
    files: Files,
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Trains, saves, loads, translates, compares.
pub(crate) fn run(combination: &Combination, dir: &Path, corpora: &[Corpus; 2], files: Files) {
    let config = config(combination);
    let has_attention = config.model.attention != AttentionKind::None;
    Trial { name: name(combination), has_attention, files }.run(config, dir, corpora);
}

impl Trial {
    fn run(&self, config: Config, dir: &Path, corpora: &[Corpus; 2]) {
        let [train_pairs, valid] = corpora.clone();
        let job = Job {
            config,
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
        let pairs = corpora[1].pairs.to_vec().expect("pairs");
        let texts: Vec<&str> = pairs.iter().map(|pair| pair.src.as_str()).collect();
        let sources: Vec<Vec<u32>> = texts.iter().map(|text| checkpoint.tokenizers.src.encode(text)).collect();
        let found = self.step_by_step_is_the_whole_sequence(&checkpoint, &sources);
        let best: Vec<String> = found.iter().map(|best| checkpoint.tokenizers.tgt.decode(&best[0].ids)).collect();
        let storages = [Storage::Int8, Storage::Bf16];
        let converted =
            storages.map(|storage| checkpoint.clone().convert(storage).unwrap_or_else(|e| panic!("{self}: {e}")));
        let translator = Translator::from_checkpoint(checkpoint, Cpu::detect(1));
        assert_eq!(translator.translate(&texts).unwrap_or_else(|e| panic!("{self}: {e}")), best, "{self}");
        for converted in converted {
            self.in_fewer_bits(converted, dir, &sources);
        }
    }

    /// What was converted searches as it scores, and is loaded as it was saved where it is.
    fn in_fewer_bits(&self, converted: Checkpoint, dir: &Path, sources: &[Vec<u32>]) {
        let found = self.step_by_step_is_the_whole_sequence(&converted, sources);
        if self.files == Files::Trained {
            return;
        }
        converted.save(dir).unwrap_or_else(|e| panic!("{self}: {e}"));
        let loaded = Checkpoint::load(dir).unwrap_or_else(|e| panic!("{self}: {e}"));
        assert!(loaded.storage == converted.storage && loaded.values == converted.values, "{self}");
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
                let batch = Batch::new([&Example { src: src.clone(), tgt, line: 1 }]);
                tape.reset();
                let mut g = Graph::inference(&cpu, &params, &mut tape);
                let (nll, weights) = model.model.score(&mut g, &batch);
                let log_prob = -nll[..hypothesis.ids.len()].iter().sum::<f64>();
                assert!(
                    (log_prob - hypothesis.log_prob).abs() < 1e-4,
                    "{self}: {log_prob} for {}",
                    hypothesis.log_prob
                );
                assert_eq!(weights.is_some(), self.has_attention, "{self}");
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
