//! How far gradients reach: the norm of ∂loss_t/∂h_i by distance, for every cell, with and without attention, before and after training; and which model still learns to copy what it read
//! long before.
//!
//! The task is the copying of Hochreiter & Schmidhuber (1997) and Arjovsky et al. (2016), cut in two at the place where writing begins: the source is a few symbols and then a delay of
//! blanks, the target the symbols. The encoder reads forward only; read backward, the symbols would come last. Without attention everything the decoder learns about a symbol goes through all
//! states between (Bengio et al. 1994); with attention there is a way past them.

use serde_json::{Value, json};

use super::bench::{Bench, Plan};
use super::divide::written;
use super::measured::Measured;
use super::reach::{Profile, profile};
use super::report::Findings;
use super::{Divided, Extent, StudyError};
use crate::checkpoint::Checkpoint;
use crate::data::{Corpus, Draws};
use crate::eval::{ExactMetric, Metric, PartScore, Rate, RateMetric, Sampling, Statistics, part_score};

mod told;

use told::{copying, lead, norms};

/// Values of all runs.
pub(super) fn base(extent: Extent) -> &'static [&'static str] {
    match extent {
        Extent::Full => &[
            "seed=1",
            "text.mode=char",
            "model.embedding=32",
            "model.hidden=64",
            "model.bidirectional=false",
            "model.dropout=0",
            "train.max_updates=4000",
            "train.learning_rate=0.005",
            "train.schedule=linear",
            "train.warmup=50",
            "train.patience=0",
            "train.label_smoothing=0",
            "train.metric=loss",
            "train.validate_every=1000",
            "search.beam_size=1",
        ],
        Extent::Quick => &[
            "seed=1",
            "text.mode=char",
            "model.embedding=16",
            "model.hidden=32",
            "model.bidirectional=false",
            "model.dropout=0",
            "train.max_updates=3000",
            "train.learning_rate=0.008",
            "train.schedule=linear",
            "train.warmup=20",
            "train.patience=0",
            "train.label_smoothing=0",
            "train.metric=loss",
            "train.validate_every=1000",
            "search.beam_size=1",
        ],
    }
}

/// Blanks between the symbols and the place where they are to be written.
fn delays(extent: Extent) -> &'static [usize] {
    match extent {
        Extent::Full => &[5, 10, 20, 40],
        Extent::Quick => &[5, 20],
    }
}

/// The delay whose models' gradients are looked at: with its 6 symbols, sources of 27 positions.
const LOOKED_AT: usize = 20;
/// What is copied: 6 of 8 symbols.
const SYMBOLS: &[u8] = b"abcdefgh";
const COPIED: usize = 6;
/// Sequences a batch.
const SEQUENCES: usize = 32;
/// Sequences to learn from, to validate on, to test on.
const SIZES: [usize; 3] = [8000, 100, 300];
/// Test sequences whose gradients are looked at.
const LOOKED: usize = 64;
/// The stream of draws used here; others use others.
const STREAM: u64 = u64::MAX - 2;

/// A cell, with or without attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Model {
    cell: &'static str,
    attention: &'static str,
}

const CELLS: [(&str, &str); 3] = [("rnn", "tanh-RNN"), ("gru", "GRU"), ("lstm", "LSTM")];

impl Model {
    fn all() -> impl Iterator<Item = Self> {
        ["none", "dot"].into_iter().flat_map(|attention| CELLS.map(|(cell, _)| Self { cell, attention }))
    }

    fn label(self) -> String {
        let cell = CELLS.iter().find(|(cell, _)| *cell == self.cell).map_or(self.cell, |(_, name)| name);
        if self.attention == "none" { cell.to_owned() } else { format!("{cell} + attention") }
    }

    fn plan(self, delay: usize) -> Plan {
        let Self { cell, attention } = self;
        let with = if attention == "none" { "" } else { "-attention" };
        // A source has its end as well.
        let tokens = SEQUENCES * (COPIED + delay + 1);
        Plan {
            name: format!("{cell}{with}-{delay}"),
            label: format!("{}, delay {delay}", self.label()),
            own: vec![
                format!("model.cell={cell}"),
                format!("model.attention={attention}"),
                format!("train.batch_tokens={tokens}"),
            ],
        }
    }
}

/// Sequences to copy; no two parts share one.
fn sequences(seed: u64, delay: usize) -> [Corpus; 3] {
    let mut draws = Draws::new(seed, STREAM);
    let mut seen = std::collections::HashSet::new();
    let blanks = ".".repeat(delay);
    SIZES.map(|size| {
        let mut pairs = Vec::with_capacity(size);
        while pairs.len() < size {
            let symbol = |_| char::from(SYMBOLS[usize::try_from(draws.below(SYMBOLS.len() as u64)).unwrap_or(0)]);
            let copied: String = (0..COPIED).map(symbol).collect();
            if seen.insert(copied.clone()) {
                pairs.push((format!("{copied}{blanks}"), copied));
            }
        }
        Corpus::from_pairs(pairs)
    })
}

pub(super) fn find(bench: &mut Bench<'_>, seed: u64) -> Result<Findings, StudyError> {
    let delays = delays(bench.extent());
    let of = delays.len() * Model::all().count();
    for (delay, model) in delays.iter().flat_map(|&delay| Model::all().map(move |model| (delay, model))) {
        bench.check(&model.plan(delay))?;
    }
    let mut copied = Vec::with_capacity(of);
    let mut profiles = Vec::new();
    let mut number = 0;
    for &delay in delays {
        let data = written(&sequences(seed, delay), &bench.data_folder().join(format!("delay-{delay}")))?;
        bench.tell(&data);
        for model in Model::all() {
            number += 1;
            let plan = model.plan(delay);
            let translator = bench.run(&plan, &data, (number, of))?;
            let measured = bench.measure(&plan, &translator, &data)?;
            copied.push(Copied::new(bench, model, delay, &measured, &data)?);
            if delay == LOOKED_AT {
                profiles.push(look(bench, model, &plan, &data)?);
            }
        }
    }
    let results = json!({
        "symbols": SYMBOLS.len(),
        "copied": COPIED,
        "copying": copied.iter().map(Copied::json).collect::<Vec<_>>(),
        "gradients": { "delay": LOOKED_AT, "sequences": LOOKED, "models": profiles.iter().map(Look::json).collect::<Vec<_>>() },
        "confidence": 0.95,
        "samples": Sampling::default().samples,
        "sampling_seed": Sampling::default().seed,
    });
    Ok(Findings {
        title: "How far gradients reach".to_owned(),
        lead: lead(&copied, &profiles),
        sections: vec![norms(&profiles), copying(&copied, delays)],
        results,
    })
}

/// How well a model copies at a delay.
struct Copied {
    model: Model,
    delay: usize,
    /// Sequences without a mistake, %.
    exact: PartScore,
    /// Symbols to be changed, put in or taken out, % of those to be copied.
    errors: PartScore,
    perplexity: f64,
}

impl Copied {
    fn new(
        bench: &Bench<'_>,
        model: Model,
        delay: usize,
        measured: &Measured,
        data: &Divided,
    ) -> Result<Self, StudyError> {
        let references = data.references();
        let all: Vec<usize> = (0..references.len()).collect();
        let score = |metric: &dyn Metric| -> Result<PartScore, StudyError> {
            let statistics = Statistics::collect(metric, &measured.translations, &references, &bench.pool)?;
            let score = part_score(metric, &statistics, &all, Sampling::default(), &bench.pool)?;
            Ok(score.unwrap_or_else(|| unreachable!("there are sequences to test on")))
        };
        Ok(Self {
            model,
            delay,
            exact: score(&ExactMetric)?,
            errors: score(&RateMetric { rate: Rate::Cer, lowercase: false })?,
            perplexity: measured.perplexity(),
        })
    }

    fn json(&self) -> Value {
        let score =
            |part: &PartScore| json!({ "score": part.score, "interval": part.ends().map(|(low, high)| [low, high]) });
        json!({
            "cell": self.model.cell,
            "attention": self.model.attention,
            "delay": self.delay,
            "exact": score(&self.exact),
            "symbol_error_rate": score(&self.errors),
            "perplexity": self.perplexity,
        })
    }
}

/// The gradients of a model at its start and at its end.
struct Look {
    model: Model,
    start: Profile,
    end: Profile,
}

impl Look {
    fn json(&self) -> Value {
        let norms =
            |profile: &Profile| profile.means().map(|(distance, norm)| json!([distance, norm])).collect::<Vec<_>>();
        json!({
            "cell": self.model.cell,
            "attention": self.model.attention,
            "initial": norms(&self.start),
            "trained": norms(&self.end),
        })
    }
}

fn look(bench: &Bench<'_>, model: Model, plan: &Plan, data: &Divided) -> Result<Look, StudyError> {
    let pairs: Vec<(&str, &str)> =
        data.test.iter().take(LOOKED).map(|pair| (pair.src.as_str(), pair.tgt.as_str())).collect();
    let trained = Checkpoint::load(&bench.folder(&plan.name))?;
    let seed = trained.config.seed;
    let first: Vec<Vec<f32>> = (0..).zip(&trained.specs).map(|(place, spec)| spec.initial(seed, place)).collect();
    let [start, end] = [first, trained.all_bits()?].map(|values| profile(bench.cpu, &trained, &values, &pairs));
    Ok(Look { model, start, end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, CorpusSize};

    #[test]
    fn no_sequence_is_learned_and_tested_and_the_same_seed_draws_the_same() {
        let drawn = |seed| sequences(seed, 3).map(|part| part.pairs.to_vec().expect("pairs"));
        let parts = drawn(1);
        let mut all: Vec<&str> = parts.iter().flatten().map(|pair| pair.src.as_str()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), count), (count, SIZES.iter().sum()));
        for pair in parts.iter().flatten() {
            assert_eq!(pair.src, format!("{}...", pair.tgt));
        }
        assert!(drawn(1) == parts && drawn(1) != drawn(2));
    }

    #[test]
    fn every_run_is_possible_and_reads_forward() {
        for extent in [Extent::Quick, Extent::Full] {
            assert!(delays(extent).contains(&LOOKED_AT));
            for model in Model::all() {
                let sets = base(extent).iter().map(|set| (*set).to_owned()).chain(model.plan(20).own);
                let config = Config::from_layers(&[], &sets.collect::<Vec<_>>()).expect("known keys");
                let size = CorpusSize { pairs: SIZES[0], words: 1.0, characters: 26.0 };
                assert!(!config.resolve(size).expect("possible").model.bidirectional);
            }
        }
    }
}
