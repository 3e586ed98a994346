//! What the report says of the gradients: its figures, tables and first sentences.

use super::{COPIED, Copied, LOOKED, LOOKED_AT, Look, Model, SYMBOLS};
use crate::eval::PartScore;
use crate::study::reach::Profile;
use crate::study::report::Section;
use crate::study::table::Table;
use crate::view::{Chart, Panel, Point, ScaleKind, Series};

/// Distances that share a point of the chart.
const BINS: [(usize, usize); 7] = [(1, 4), (5, 8), (9, 12), (13, 16), (17, 21), (22, 27), (28, 33)];

fn bin_label((from, to): (usize, usize)) -> String {
    format!("{from}–{to}")
}

pub(super) fn norms(profiles: &[Look]) -> Section {
    let panel = |title: &str, profile: &dyn Fn(&Look) -> Profile| {
        let series = profiles.iter().enumerate().map(|(look, of)| Series {
            name: of.model.label(),
            look,
            points: BINS
                .iter()
                .map(|&(from, to)| profile(of).mean(from, to).map(|value| Point { value, interval: None }))
                .collect(),
        });
        Panel {
            title: title.to_owned(),
            note: "mean norm of ∂loss/∂h, in nats".to_owned(),
            scale: ScaleKind::Log,
            series: series.collect(),
            ..Panel::default()
        }
    };
    let chart = Chart {
        title: "The gradient of a loss at encoder states, by distance".to_owned(),
        axis: "states between, from the state h to the step whose loss it is".to_owned(),
        categories: BINS.map(|bin| (bin_label(bin), String::new())).to_vec(),
        panels: vec![
            panel("At initialisation", &|look| look.start.clone()),
            panel("After training", &|look| look.end.clone()),
        ],
    };
    let tables = [("At initialisation", true), ("After training", false)].map(|(caption, is_start)| {
        let bins = BINS.map(bin_label);
        let caption = format!("{caption}: mean norm of ∂loss/∂h by distance");
        let mut table = Table::new(caption, std::iter::once("model".to_owned()).chain(bins));
        for look in profiles {
            let profile = if is_start { &look.start } else { &look.end };
            let cell = |&(from, to): &(usize, usize)| {
                profile.mean(from, to).map_or("–".to_owned(), |norm| format!("{norm:.1e}"))
            };
            table.row(std::iter::once(look.model.label()).chain(BINS.iter().map(cell)));
        }
        table
    });
    Section {
        title: "The gradient by distance".to_owned(),
        text: vec![
            format!(
                "The loss of one output step is taken alone and its gradient followed to every encoder state: ∂loss_t/∂h_i, by all ways, the mean of its norm over {LOOKED} test sequences \
                 at a delay of {LOOKED_AT}. The distance counts the recurrent steps from h_i to the decoder state that writes y_t. Computed in double precision."
            ),
            "What is seen at initialisation is a matter of it: matrices start uniform as Glorot & Bengio (2010) say, gate by gate, so that the recurrent matrix of a tanh-RNN neither shrinks nor \
             stretches much; forget gates of an LSTM start open, gates of a GRU half open."
                .to_owned(),
            "After training a gradient is small for two reasons: it vanished on its way, or the symbol is written right and there is nothing to learn.".to_owned(),
        ],
        figures: vec![("gradients.svg".to_owned(), chart)],
        tables: tables.to_vec(),
    }
}

pub(super) fn copying(copied: &[Copied], delays: &[usize]) -> Section {
    let series = |score: fn(&Copied) -> PartScore| -> Vec<Series> {
        let one = |(look, model): (usize, Model)| {
            let point = |delay: &usize| {
                let of = copied.iter().find(|copied| copied.model == model && copied.delay == *delay)?;
                let part = score(of);
                Some(Point { value: part.score, interval: part.ends() })
            };
            Series { name: model.label(), look, points: delays.iter().map(point).collect() }
        };
        Model::all().enumerate().map(one).collect()
    };
    let panel = |title: &str, note: &str, score| Panel {
        title: title.to_owned(),
        note: note.to_owned(),
        series: series(score),
        ..Panel::default()
    };
    let chart = Chart {
        title: "Copying after a delay, with 95 % intervals".to_owned(),
        axis: "delay, in blanks between the symbols and the place where they are written".to_owned(),
        categories: delays.iter().map(|delay| (delay.to_string(), String::new())).collect(),
        panels: vec![
            panel("Sequences without a mistake, %", "higher is better", |copied| copied.exact),
            panel("Symbol error rate, %", "lower is better", |copied| copied.errors),
        ],
    };
    let shown = |part: PartScore| {
        let interval = part.ends().map(|(low, high)| format!(" [{low:.1}, {high:.1}]"));
        format!("{:.1}{}", part.score, interval.unwrap_or_default())
    };
    let columns = ["model", "delay", "without a mistake, %", "symbol error rate, %", "perplexity"];
    let mut table = Table::new("Copying, on sequences that were not learned from", columns);
    for of in copied {
        let cells = [of.delay.to_string(), shown(of.exact), shown(of.errors), format!("{:.2}", of.perplexity)];
        table.row(std::iter::once(of.model.label()).chain(cells));
    }
    Section {
        title: "Which still learns?".to_owned(),
        text: vec![format!(
            "{COPIED} symbols of {} are read, then the delay; then the symbols are to be written. All models have the same number of updates. Whoever guesses gets an eighth of the symbols.",
            SYMBOLS.len()
        )],
        figures: vec![("copying.svg".to_owned(), chart)],
        tables: vec![table],
    }
}

/// A model has learned to copy if so many sequences, %, are without a mistake.
const LEARNED: f64 = 90.0;

pub(super) fn lead(copied: &[Copied], profiles: &[Look]) -> Vec<String> {
    let mut lead = vec![
        "A recurrent network learns from what it read long ago only as far as gradients come back through the states between. How fast do they vanish, and does attention give them a way past?"
            .to_owned(),
    ];
    let reach: Vec<String> = profiles
        .iter()
        .filter_map(|look| {
            let (near, far) = (look.start.mean(BINS[1].0, BINS[1].1)?, look.start.mean(BINS[5].0, BINS[5].1)?);
            let ratio = far / near;
            let ratio = if ratio < 0.01 { format!("{ratio:.0e}") } else { format!("{ratio:.2}") };
            Some(format!("{} {ratio}", look.model.label()))
        })
        .collect();
    if !reach.is_empty() {
        let [near, far] = [1, 5].map(|bin| bin_label(BINS[bin]));
        lead.push(format!(
            "At initialisation the gradient at a distance of {far} is that at {near} times: {}.",
            reach.join(", ")
        ));
    }
    let learned: Vec<String> = Model::all()
        .map(|model| {
            let delays = copied.iter().filter(|of| of.model == model && of.exact.score >= LEARNED).map(|of| of.delay);
            let longest = delays.max().map_or("none".to_owned(), |delay| delay.to_string());
            format!("{} {longest}", model.label())
        })
        .collect();
    lead.push(format!(
        "The longest delay at which {LEARNED:.0} % of the sequences are copied without a mistake: {}.",
        learned.join(", ")
    ));
    lead
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distance_has_its_place_in_the_chart() {
        // h_0 to the last step: all positions of the source, its end included, then all steps.
        assert_eq!((BINS[0].0, BINS[BINS.len() - 1].1), (1, (COPIED + LOOKED_AT) + (COPIED + 1)));
        assert!(BINS.windows(2).all(|pair| pair[0].1 + 1 == pair[1].0));
    }
}
