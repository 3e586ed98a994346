//! Every attention score × global, local-m, local-p × input feeding, in the layout of tables 1, 4 and 6 of Luong, Pham & Manning (2015), with the paper's numbers beside.

use serde_json::{Value, json};

use super::bench::{Bench, Plan, RunRecord};
use super::measured::Measured;
use super::paper::{self, DIFFERENCES, PROGRESS, Reported};
use super::report::{Findings, Section};
use super::table::{Table, time};
use super::{Divided, Extent, StudyError};
use crate::eval::{AlignmentErrorRate, Alignments, BleuMetric, Metric, PartScore, Sampling, Statistics, part_score};
use crate::view::{Chart, Joined, Panel, Point, Series, grouped};

/// Values of all runs.
pub(super) fn base(extent: Extent) -> &'static [&'static str] {
    match extent {
        Extent::Full => &[
            "seed=1",
            "model.embedding=256",
            "model.hidden=256",
            "model.tied_embeddings=target",
            "train.max_epochs=4",
            "train.learning_rate=0.002",
            "train.schedule=linear",
            "train.warmup=200",
            "train.patience=0",
        ],
        Extent::Quick => &[
            "seed=1",
            "model.embedding=32",
            "model.hidden=32",
            "model.tied_embeddings=target",
            "train.max_updates=120",
            "train.batch_tokens=1000",
            "train.learning_rate=0.005",
            "train.schedule=linear",
            "train.warmup=20",
            "train.patience=0",
            "train.validate_every=120",
            "search.beam_size=1",
        ],
    }
}

const SCORES: [&str; 5] = ["dot", "scaled_dot", "general", "concat", "location"];
const WINDOWS: [&str; 3] = ["global", "local_m", "local_p"];
/// Without input feeding, and with it.
const FEEDING: [bool; 2] = [false, true];

/// A model of the grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cell {
    window: &'static str,
    score: &'static str,
    feeding: bool,
}

impl Cell {
    /// All of them, by window, score, feeding.
    fn all() -> impl Iterator<Item = Self> {
        WINDOWS.into_iter().flat_map(|window| {
            let feedings = move |score| FEEDING.map(|feeding| Self { window, score, feeding });
            SCORES.into_iter().flat_map(feedings)
        })
    }

    /// The paper's way of writing it.
    fn system(self) -> String {
        format!("{} ({})", self.window.replace('_', "-"), self.score)
    }

    fn plan(self) -> Plan {
        let Self { window, score, feeding } = self;
        Plan {
            name: format!("{window}-{score}{}", if feeding { "-feed" } else { "" }),
            label: format!("{}{}", self.system(), if feeding { " + feed input" } else { "" }),
            own: vec![
                format!("model.attention={score}"),
                format!("model.window={window}"),
                format!("model.input_feeding={feeding}"),
                "model.dropout=0.2".to_owned(),
            ],
        }
    }
}

/// The runs: two without attention, then the grid.
fn plans() -> Vec<Plan> {
    let without = |name: &str, label: &str, dropout: &str| Plan {
        name: name.to_owned(),
        label: label.to_owned(),
        own: vec!["model.attention=none".to_owned(), format!("model.dropout={dropout}")],
    };
    let base = [without("base", "base", "0"), without("base-dropout", "base + dropout", "0.2")];
    base.into_iter().chain(Cell::all().map(Cell::plan)).collect()
}

/// A model and what was measured of it.
struct Row {
    run: RunRecord,
    cell: Option<Cell>,
    perplexity: f64,
    bleu: PartScore,
    error_rate: Option<AlignmentErrorRate>,
}

pub(super) fn find(bench: &mut Bench<'_>, data: &Divided) -> Result<Findings, StudyError> {
    let plans = plans();
    let measured = bench.run_all(&plans, data)?;
    let metric = BleuMetric::default();
    let cells = [None, None].into_iter().chain(Cell::all().map(Some));
    let rows = (bench.runs().iter().zip(&measured).zip(cells))
        .map(|((run, measured), cell)| row(bench, &metric, run, measured, cell, data))
        .collect::<Result<Vec<_>, _>>()?;
    let results = json!({
        "signature": metric.signature(Some(1)),
        "confidence": 0.95,
        "samples": Sampling::default().samples,
        "sampling_seed": Sampling::default().seed,
        "models": rows.iter().map(Row::json).collect::<Vec<_>>(),
    });
    let mut sections = vec![progress(&rows), architectures(&rows), links(&rows), all(&rows)];
    sections[1].text.push(format!("BLEU: {}.", metric.signature(Some(1))));
    Ok(Findings {
        title: "Attention scores, windows and input feeding".to_owned(),
        lead: lead(&rows),
        sections,
        results,
    })
}

fn row(
    bench: &Bench<'_>,
    metric: &BleuMetric,
    run: &RunRecord,
    measured: &Measured,
    cell: Option<Cell>,
    data: &Divided,
) -> Result<Row, StudyError> {
    let references = data.references();
    let statistics = Statistics::collect(metric, &measured.translations, &references, &bench.pool)?;
    let everything: Vec<usize> = (0..references.len()).collect();
    let bleu = part_score(metric, &statistics, &everything, Sampling::default(), &bench.pool)?;
    let rate = |links: &Vec<_>| {
        let found = Alignments::from_links(&bench.folder(&run.name), links);
        bench.gold().map(|gold| AlignmentErrorRate::corpus(&gold.path, &gold.gold, &found))
    };
    Ok(Row {
        run: run.clone(),
        cell,
        perplexity: measured.perplexity(),
        bleu: bleu.unwrap_or_else(|| unreachable!("a test without pairs cannot be read")),
        error_rate: measured.links.as_ref().and_then(rate).transpose()?,
    })
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "name": self.run.name,
            "window": self.cell.map(|cell| cell.window),
            "score": self.cell.map(|cell| cell.score),
            "input_feeding": self.cell.is_some_and(|cell| cell.feeding),
            "perplexity": self.perplexity,
            "bleu": self.bleu.score,
            "interval": self.bleu.ends().map(|(low, high)| [low, high]),
            "aer": self.error_rate.map(|rate| rate.score()),
            "parameters": self.run.parameters,
        })
    }

    /// BLEU with its interval.
    fn bleu(&self) -> String {
        let interval = self.bleu.ends().map(|(low, high)| format!(" [{low:.1}, {high:.1}]"));
        format!("{:.1}{}", self.bleu.score, interval.unwrap_or_default())
    }

    fn error_rate(&self) -> String {
        self.error_rate.map_or_else(|| "–".to_owned(), |rate| format!("{:.1}", rate.score()))
    }
}

/// The model of the grid at this place.
fn of<'r>(rows: &'r [Row], window: &str, score: &str, feeding: bool) -> Option<&'r Row> {
    let is_it = |cell: Cell| cell.window == window && cell.score == score && cell.feeding == feeding;
    rows.iter().find(|row| row.cell.is_some_and(is_it))
}

fn lead(rows: &[Row]) -> Vec<String> {
    let best = rows.iter().max_by(|a, b| a.bleu.score.total_cmp(&b.bleu.score));
    let mut lead = vec![
        "Which score, over the whole source or in a window, and with or without the attentional state fed back? The layout is that of Luong, Pham & Manning (2015); the paper’s numbers, \
         from another setting, stand beside ours."
            .to_owned(),
    ];
    if let (Some(best), [_, without, ..]) = (best, rows) {
        lead.push(format!(
            "Best here: {} with BLEU {}; without attention {}. Intervals are the bootstrap’s 95 %: where they overlap, this test does not tell two models apart by itself.",
            best.run.label,
            best.bleu(),
            without.bleu(),
        ));
    }
    lead
}

/// As table 1: what each step adds.
fn progress(rows: &[Row]) -> Section {
    let steps = [
        rows.first(),
        rows.get(1),
        of(rows, "global", "location", false),
        of(rows, "global", "location", true),
        of(rows, "local_p", "general", true),
    ];
    let columns = ["system", "ppl", "BLEU", "gain", "paper: ppl", "paper: BLEU"];
    let mut table = Table::new("As table 1 of the paper. Gains are over the row above.", columns);
    let mut before = None;
    for (row, Reported { perplexity, bleu, .. }) in steps.into_iter().zip(PROGRESS) {
        let Some(row) = row else { continue };
        let gain = before.map_or_else(String::new, |before| format!("{:+.1}", row.bleu.score - before));
        before = Some(row.bleu.score);
        table.row([
            row.run.label.clone(),
            format!("{:.2}", row.perplexity),
            row.bleu(),
            gain,
            perplexity.to_owned(),
            bleu.to_owned(),
        ]);
    }
    let text = std::iter::once("In what the paper’s setting differs:").chain(DIFFERENCES).map(str::to_owned);
    Section { title: "What each step adds".to_owned(), text: text.collect(), figures: Vec::new(), tables: vec![table] }
}

/// As table 4: attentional architectures.
fn architectures(rows: &[Row]) -> Section {
    let columns =
        ["system", "ppl", "BLEU", "without feeding: ppl", "BLEU", "paper: ppl", "paper: BLEU", "after unk replacement"];
    let caption = "As table 4 of the paper, with input feeding unless said otherwise. Empty: not in the paper; x: not translated there.";
    let mut table = Table::new(caption, columns);
    for cell in Cell::all().filter(|cell| cell.feeding) {
        let with = of(rows, cell.window, cell.score, true);
        let without = of(rows, cell.window, cell.score, false);
        let reported = paper::architecture(cell.window, cell.score);
        let ours = [with, without].into_iter().flatten().flat_map(|row| [format!("{:.2}", row.perplexity), row.bleu()]);
        let theirs = reported.map_or([""; 3], |reported| [reported.perplexity, reported.bleu, reported.bleu_replaced]);
        table.row(std::iter::once(cell.system()).chain(ours).chain(theirs.map(str::to_owned)));
    }
    Section {
        title: "Attentional architectures".to_owned(),
        text: Vec::new(),
        figures: vec![("scores.svg".to_owned(), chart(rows))],
        tables: vec![table],
    }
}

fn chart(rows: &[Row]) -> Chart {
    let series = |point: &dyn Fn(&Row) -> Option<Point>| -> Vec<Series> {
        let kinds = WINDOWS.into_iter().flat_map(|window| FEEDING.map(|feeding| (window, feeding)));
        let one = |(look, (window, feeding)): (usize, (&str, bool))| Series {
            name: format!("{}{}", window.replace('_', "-"), if feeding { " + feed input" } else { "" }),
            look,
            points: SCORES.map(|score| of(rows, window, score, feeding).and_then(point)).to_vec(),
        };
        kinds.enumerate().map(one).collect()
    };
    let panel = |title: &str, note: &str, series| Panel {
        title: title.to_owned(),
        note: note.to_owned(),
        joined: Joined::No,
        series,
        ..Panel::default()
    };
    let bleu = |row: &Row| Some(Point { value: row.bleu.score, interval: row.bleu.ends() });
    let perplexity = |row: &Row| Some(Point { value: row.perplexity, interval: None });
    let rate = |row: &Row| row.error_rate.map(|rate| Point { value: rate.score(), interval: None });
    let mut panels = vec![
        panel("BLEU", "higher is better; 95 % intervals", series(&bleu)),
        panel("Perplexity per piece", "lower is better", series(&perplexity)),
    ];
    if rows.iter().any(|row| row.error_rate.is_some()) {
        panels.push(panel("Alignment error rate, %", "lower is better", series(&rate)));
    }
    Chart {
        title: "Scores, windows and input feeding".to_owned(),
        axis: "attention score".to_owned(),
        categories: SCORES.map(|score| (score.to_owned(), String::new())).to_vec(),
        panels,
    }
}

/// As table 6: alignment error rates.
fn links(rows: &[Row]) -> Section {
    let title = "Alignment error rate".to_owned();
    if rows.iter().all(|row| row.error_rate.is_none()) {
        let text = vec![
            "Not measured: it needs pairs whose words people have linked (--align-pairs, --align-gold).".to_owned(),
        ];
        return Section { title, text, figures: Vec::new(), tables: Vec::new() };
    }
    let columns = ["system", "AER, %", "without feeding", "paper: AER, %"];
    let mut table =
        Table::new("As table 6 of the paper, which has 34 for an ensemble and 32 for the Berkeley aligner.", columns);
    for cell in Cell::all().filter(|cell| cell.feeding) {
        let rates =
            FEEDING.map(|feeding| of(rows, cell.window, cell.score, feeding).map_or(String::new(), Row::error_rate));
        let [without, with] = rates;
        let theirs = paper::error_rate(cell.window, cell.score).unwrap_or_default().to_owned();
        table.row([cell.system(), with, without, theirs]);
    }
    let text = vec![
        "Each target word is linked to the source word with the highest weight while the model reads the given translation, as in the paper (§5.5), which tests on 508 sentences of \
         English and German of RWTH."
            .to_owned(),
    ];
    Section { title, text, figures: Vec::new(), tables: vec![table] }
}

/// Every model with what it costs.
fn all(rows: &[Row]) -> Section {
    let mut table = Table::new("Every model", ["model", "ppl", "BLEU", "AER, %", "parameters", "training"]);
    for row in rows {
        table.row([
            row.run.label.clone(),
            format!("{:.2}", row.perplexity),
            row.bleu(),
            row.error_rate(),
            grouped(row.run.parameters),
            time(row.run.seconds),
        ]);
    }
    Section { title: "All models".to_owned(), text: Vec::new(), figures: Vec::new(), tables: vec![table] }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::{Config, CorpusSize};

    #[test]
    fn every_run_is_possible_and_no_two_are_the_same() {
        for extent in [Extent::Quick, Extent::Full] {
            let plans = plans();
            let names: BTreeSet<&str> = plans.iter().map(|plan| plan.name.as_str()).collect();
            assert_eq!((plans.len(), names.len()), (2 + 5 * 3 * 2, 32));
            let mut models = Vec::new();
            for plan in &plans {
                let sets = base(extent).iter().map(|set| (*set).to_owned()).chain(plan.own.clone());
                let config = Config::from_layers(&[], &sets.collect::<Vec<_>>()).expect("known keys");
                let size = CorpusSize { pairs: 30_000, words: 9.0, characters: 50.0 };
                models.push(config.resolve(size).expect(&plan.name).model);
            }
            for (i, model) in models.iter().enumerate() {
                assert!(!models[..i].contains(model), "{}", plans[i].name);
            }
        }
    }

    #[test]
    fn what_the_paper_reports_is_found_in_the_grid() {
        let reported =
            Cell::all().filter(|cell| cell.feeding && paper::architecture(cell.window, cell.score).is_some());
        assert_eq!(reported.count(), 7, "rows of table 4");
        let rates = Cell::all().filter(|cell| cell.feeding && paper::error_rate(cell.window, cell.score).is_some());
        assert_eq!(rates.count(), 3, "single models of table 6");
    }
}
