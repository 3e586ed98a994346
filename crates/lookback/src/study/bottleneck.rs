//! What is lost when the whole source has to pass through one vector: the same encoder-decoder with and without attention, by length of the source.
//!
//! Without attention the encoder's final state is all the decoder gets (Sutskever et al. 2014; Cho et al. 2014); Bahdanau et al. (2015, figure 2) show how its translations get worse
//! with the length of the sentence. Here the vector has three sizes, and every score its 95 % interval.

use serde_json::{Value, json};

use super::bench::{Bench, Plan};
use super::measured::Measured;
use super::report::{Findings, Section};
use super::table::{Table, time};
use super::{Divided, Extent, StudyError};
use crate::eval::{
    BleuMetric, ChrfMetric, LengthBucket, Metric, PartScore, Sampling, Statistics, by_length, part_difference,
    part_score,
};
use crate::view::{Chart, Panel, Point, Series, grouped};

/// Values of all runs.
pub(super) fn base(extent: Extent) -> &'static [&'static str] {
    match extent {
        Extent::Full => &[
            "seed=1",
            "model.embedding=256",
            "model.tied_embeddings=target",
            "model.dropout=0.1",
            "train.max_epochs=4",
            "train.learning_rate=0.002",
            "train.schedule=linear",
            "train.warmup=200",
            "train.patience=0",
        ],
        Extent::Quick => &[
            "seed=1",
            "model.embedding=64",
            "model.tied_embeddings=target",
            "model.dropout=0",
            "train.max_updates=1500",
            "train.batch_tokens=1000",
            "train.learning_rate=0.004",
            "train.schedule=linear",
            "train.warmup=50",
            "train.patience=0",
            "train.validate_every=500",
            "search.beam_size=1",
        ],
    }
}

/// H of the runs without attention; the one with attention has the middle one.
fn sizes(extent: Extent) -> [usize; 3] {
    match extent {
        Extent::Full => [128, 256, 512],
        Extent::Quick => [32, 64, 128],
    }
}

/// The runs, the one with attention first.
fn plans(extent: Extent) -> Vec<Plan> {
    let plan = |attention: &str, name: &str, hidden: usize| Plan {
        name: format!("{name}-{hidden}"),
        label: format!("{name}, H = {hidden}"),
        own: vec![format!("model.hidden={hidden}"), format!("model.attention={attention}")],
    };
    let sizes = sizes(extent);
    let without = sizes.iter().map(|&hidden| plan("none", "none", hidden));
    std::iter::once(plan("dot", "attention", sizes[1])).chain(without).collect()
}

/// Sentences that a part needs at least.
const FEWEST: usize = 40;
/// Lengths that part the test, as far as the parts are large enough.
const EDGES: [usize; 14] = [5, 10, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300];

pub(super) fn find(bench: &mut Bench<'_>, data: &Divided, edges: Option<Vec<usize>>) -> Result<Findings, StudyError> {
    let lengths = data.lengths();
    let mut parts = by_length(&lengths, &edges.unwrap_or_else(|| chosen_edges(&lengths)))?;
    parts.retain(|part| !part.sentences.is_empty());
    let plans = plans(bench.extent());
    let measured = bench.run_all(&plans, data)?;
    let bleu = Scores::new(bench, &BleuMetric::default(), &plans, &measured, data, &parts)?;
    let chrf = Scores::new(bench, &ChrfMetric::default(), &plans, &measured, data, &parts)?;
    let all = [bleu, chrf];
    let results = json!({
        "parts": parts.iter().map(|part| json!({ "tokens": part.label, "sentences": part.sentences.len() })).collect::<Vec<_>>(),
        "perplexity": measured.iter().map(Measured::perplexity).collect::<Vec<_>>(),
        "metrics": all.iter().map(Scores::json).collect::<Vec<_>>(),
        "confidence": 0.95,
        "samples": Sampling::default().samples,
        "sampling_seed": Sampling::default().seed,
    });
    Ok(Findings {
        title: "The bottleneck: one vector for a whole sentence".to_owned(),
        lead: lead(&all, &parts),
        sections: vec![
            by_length_section(&all, &parts),
            gap_section(&all, &parts),
            whole_section(bench, &all, &measured),
        ],
        results,
    })
}

/// Of the usual edges those that leave every part enough sentences; half of the test on either side if there are none.
fn chosen_edges(lengths: &[usize]) -> Vec<usize> {
    let within = |from: usize, to: usize| lengths.iter().filter(|&&length| from < length && length <= to).count();
    let mut edges = Vec::new();
    let mut from = 0;
    for edge in EDGES {
        if within(from, edge) >= FEWEST && within(edge, usize::MAX) >= FEWEST {
            edges.push(edge);
            from = edge;
        }
    }
    if edges.is_empty() {
        let mut sorted = lengths.to_vec();
        sorted.sort_unstable();
        edges.push(sorted.get(sorted.len() / 2).copied().unwrap_or(1).max(1));
    }
    edges
}

/// A measure of all runs: of the whole test, of its parts, and how far the run with attention is ahead of each other one there.
struct Scores {
    name: String,
    signature: String,
    labels: Vec<String>,
    whole: Vec<PartScore>,
    /// Run by run, part by part.
    parts: Vec<Vec<PartScore>>,
    /// The same for the runs without attention: what attention adds.
    gaps: Vec<Vec<PartScore>>,
}

impl Scores {
    fn new(
        bench: &Bench<'_>,
        metric: &dyn Metric,
        plans: &[Plan],
        measured: &[Measured],
        data: &Divided,
        parts: &[LengthBucket],
    ) -> Result<Self, StudyError> {
        let (references, sampling) = (data.references(), Sampling::default());
        let statistics = measured
            .iter()
            .map(|measured| Statistics::collect(metric, &measured.translations, &references, &bench.pool))
            .collect::<Result<Vec<_>, _>>()?;
        let everything: Vec<usize> = (0..references.len()).collect();
        let score = |statistics: &Statistics, sentences: &[usize]| -> Result<PartScore, StudyError> {
            let score = part_score(metric, statistics, sentences, sampling, &bench.pool)?;
            Ok(score.unwrap_or_else(|| unreachable!("parts without sentences were left out")))
        };
        let gap = |other: &Statistics, part: &LengthBucket| -> Result<PartScore, StudyError> {
            let gap = part_difference(metric, &statistics[0], other, &part.sentences, sampling, &bench.pool)?;
            Ok(gap.unwrap_or_else(|| unreachable!("parts without sentences were left out")))
        };
        let of_parts = |statistics: &Statistics| parts.iter().map(|part| score(statistics, &part.sentences)).collect();
        let gaps = |other: &Statistics| parts.iter().map(|part| gap(other, part)).collect();
        Ok(Self {
            name: metric.name(),
            signature: metric.signature(statistics[0].references()),
            labels: plans.iter().map(|plan| plan.label.clone()).collect(),
            whole: statistics.iter().map(|all| score(all, &everything)).collect::<Result<_, _>>()?,
            parts: statistics.iter().map(of_parts).collect::<Result<_, StudyError>>()?,
            gaps: statistics[1..].iter().map(gaps).collect::<Result<_, StudyError>>()?,
        })
    }

    fn json(&self) -> Value {
        let score =
            |part: &PartScore| json!({ "score": part.score, "interval": part.ends().map(|(low, high)| [low, high]) });
        let scores = |parts: &Vec<PartScore>| parts.iter().map(score).collect::<Vec<_>>();
        let whole: Vec<Value> = self.whole.iter().map(score).collect();
        json!({
            "name": self.name,
            "signature": self.signature,
            "runs": self.labels,
            "whole": whole,
            "by_length": self.parts.iter().map(scores).collect::<Vec<_>>(),
            "attention_minus_none": self.gaps.iter().map(scores).collect::<Vec<_>>(),
        })
    }

    /// A panel with a series for each of `rows`, which are of the runs from `first` on.
    fn panel(title: String, note: &str, labels: &[String], rows: &[Vec<PartScore>], first: usize) -> Panel {
        let point = |part: &PartScore| Some(Point { value: part.score, interval: part.ends() });
        let series = labels.iter().zip(rows).zip(first..).map(|((label, row), look)| Series {
            name: label.clone(),
            look,
            points: row.iter().map(point).collect(),
        });
        Panel { title, note: note.to_owned(), series: series.collect(), ..Panel::default() }
    }

    /// A table with a column for each of `rows`.
    fn table(caption: String, parts: &[LengthBucket], labels: &[String], rows: &[Vec<PartScore>]) -> Table {
        let columns = ["tokens", "sentences"].map(str::to_owned).into_iter().chain(labels.iter().cloned());
        let mut table = Table::new(caption, columns);
        for (i, part) in parts.iter().enumerate() {
            let cells = [part.label.clone(), grouped(part.sentences.len())];
            table.row(cells.into_iter().chain(rows.iter().map(|row| shown(&row[i]))));
        }
        table
    }
}

/// `31.2 [29.8, 32.5]`
fn shown(part: &PartScore) -> String {
    let interval = part.ends().map(|(low, high)| format!(" [{low:.1}, {high:.1}]"));
    format!("{:.1}{}", part.score, interval.unwrap_or_default())
}

fn lead(all: &[Scores], parts: &[LengthBucket]) -> Vec<String> {
    let mut lead = vec![
        "Without attention the encoder’s final state is all the decoder gets of the source: one vector, however long the sentence. With attention it looks back at the states of all \
         positions. How much does the vector lose, does a larger one help, and does the loss grow with the length?"
            .to_owned(),
    ];
    // The run without attention that is as wide as the one with it is the second of three.
    if let (Some(bleu), [first, .., last]) = (all.first(), parts) {
        let gaps = &bleu.gaps[1];
        let (short, long) = (&gaps[0], &gaps[gaps.len() - 1]);
        let verdict = match (short.ends(), long.ends()) {
            (Some((_, high)), Some((low, _))) if low > high => {
                "The gap grows with the length; the intervals do not meet."
            }
            (Some((low, _)), Some((_, high))) if high < low => {
                "The gap shrinks with the length; the intervals do not meet."
            }
            _ => "The intervals overlap: this test does not tell whether the gap grows with the length.",
        };
        lead.push(format!(
            "At equal width attention adds {} BLEU on sentences of {} tokens and {} on those of {}. {verdict}",
            shown(short),
            first.label,
            shown(long),
            last.label,
        ));
    }
    lead
}

/// The axis of all charts.
const AXIS: &str = "length of the source, in tokens between white space (n: sentences)";

fn categories(parts: &[LengthBucket]) -> Vec<(String, String)> {
    parts.iter().map(|part| (part.label.clone(), format!("n = {}", grouped(part.sentences.len())))).collect()
}

fn by_length_section(all: &[Scores], parts: &[LengthBucket]) -> Section {
    let panels = all.iter().map(|s| Scores::panel(s.name.clone(), "higher is better", &s.labels, &s.parts, 0));
    let chart = Chart {
        title: "Translations by length of the source, with 95 % intervals".to_owned(),
        axis: AXIS.to_owned(),
        categories: categories(parts),
        panels: panels.collect(),
    };
    let table = |s: &Scores| Scores::table(format!("{}, {}", s.name, s.signature), parts, &s.labels, &s.parts);
    Section {
        title: "By length".to_owned(),
        text: vec![
            "Scores of corpora are not means of scores of sentences, so parts of different lengths are compared down a column with care and along a row without: a row is the same \
             sentences for all models."
                .to_owned(),
        ],
        figures: vec![("by-length.svg".to_owned(), chart)],
        tables: all.iter().map(table).collect(),
    }
}

fn gap_section(all: &[Scores], parts: &[LengthBucket]) -> Section {
    let labels = |s: &Scores| s.labels[1..].iter().map(|label| format!("ahead of {label}")).collect::<Vec<_>>();
    let panels = all.iter().map(|s| {
        let title = format!("{} with attention − without", s.name);
        Scores::panel(title, "points", &labels(s), &s.gaps, 1)
    });
    let chart = Chart {
        title: "What attention adds, by length of the source, with 95 % intervals".to_owned(),
        axis: AXIS.to_owned(),
        categories: categories(parts),
        panels: panels.collect(),
    };
    let table = |s: &Scores| {
        let caption = format!("{}: {} minus the model without", s.name, s.labels[0]);
        Scores::table(caption, parts, &labels(s), &s.gaps)
    };
    Section {
        title: "The gap".to_owned(),
        text: vec![
            "Intervals of a difference are drawn from the same sentences for both models (paired bootstrap), so they are narrower than two intervals beside each other.".to_owned(),
        ],
        figures: vec![("gap.svg".to_owned(), chart)],
        tables: all.iter().map(table).collect(),
    }
}

fn whole_section(bench: &Bench<'_>, all: &[Scores], measured: &[Measured]) -> Section {
    let names = all.iter().map(|scores| scores.name.clone());
    let columns = ["model".to_owned()].into_iter().chain(names);
    let rest = ["perplexity", "parameters", "updates", "training"].map(str::to_owned);
    let mut table = Table::new("The whole test; perplexity per piece of the references", columns.chain(rest));
    for (i, (run, measured)) in bench.runs().iter().zip(measured).enumerate() {
        let scores = all.iter().map(|scores| shown(&scores.whole[i]));
        let rest = [
            format!("{:.2}", measured.perplexity()),
            grouped(run.parameters),
            run.updates.to_string(),
            time(run.seconds),
        ];
        table.row(std::iter::once(run.label.clone()).chain(scores).chain(rest));
    }
    Section { title: "All lengths together".to_owned(), text: Vec::new(), figures: Vec::new(), tables: vec![table] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn every_part_has_enough_sentences() {
        let lengths: Vec<usize> = (0..400).map(|i| i % 37).collect();
        let edges = chosen_edges(&lengths);
        assert!(edges.len() >= 4, "{edges:?}");
        let parts = by_length(&lengths, &edges).expect("ascending");
        assert!(parts.iter().all(|part| part.sentences.len() >= FEWEST), "{parts:?}");
        assert_eq!(chosen_edges(&[3; 10]), [3], "a small test is parted in the middle");
        assert_eq!(chosen_edges(&[0; 10]), [1]);
    }

    #[test]
    fn the_runs_are_configurations_that_differ_in_width_and_attention_alone() {
        for extent in [Extent::Quick, Extent::Full] {
            let configs: Vec<Config> = (plans(extent).iter())
                .map(|plan| {
                    let sets = base(extent).iter().map(|set| (*set).to_owned()).chain(plan.own.clone());
                    let config = Config::from_layers(&[], &sets.collect::<Vec<_>>()).expect("known keys");
                    config.check().expect("values that go together");
                    config
                })
                .collect();
            assert_eq!(configs.len(), 4);
            assert_eq!(configs[0].model.hidden, configs[2].model.hidden);
            for config in &configs {
                let mut same = config.clone();
                (same.model.hidden, same.model.attention) = (configs[0].model.hidden, configs[0].model.attention);
                assert!(same == configs[0]);
            }
        }
    }
}
