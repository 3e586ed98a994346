//! `eval --by-length`: every score by the length of the source, as a table, as JSON and as a picture.

use std::fs;
use std::io::{self, Write};

use anyhow::Context;
use lookback::eval::{Better, EvalError, LengthBucket, PartScore, Pool, Sampling, by_length, part_score};
use lookback::view::{Chart, Panel, Point, Series};
use serde_json::{Value, json};

use super::args::EvalArgs;
use super::measures::Measured;
use super::read::Test;
use super::table::{Align, Table};
use crate::display::{counted, grouped};
use crate::exit::Usage;

/// Scores of every part, measure by measure.
pub(super) struct Report<'m> {
    buckets: Vec<LengthBucket>,
    measures: Vec<(&'m Measured, Vec<Option<PartScore>>)>,
    sampling: Sampling,
}

impl<'m> Report<'m> {
    pub(super) fn new(
        args: &EvalArgs,
        all: &'m [Measured],
        test: &Test,
        sampling: Sampling,
        pool: &Pool,
    ) -> anyhow::Result<Self> {
        let needed = || Usage("--by-length needs the sources: give --src FILE, or PAIRS".into());
        let sources = test.sources.as_ref().ok_or_else(needed)?;
        let lengths: Vec<usize> = sources.iter().map(|line| line.split_whitespace().count()).collect();
        let buckets = by_length(&lengths, &args.by_length).map_err(|error| Usage(error.to_string()))?;
        let measures = (all.iter())
            .map(|measured| {
                let part = |bucket: &LengthBucket| {
                    part_score(&*measured.measure.metric, &measured.statistics, &bucket.sentences, sampling, pool)
                };
                Ok((measured, buckets.iter().map(part).collect::<Result<_, EvalError>>()?))
            })
            .collect::<Result<_, EvalError>>()?;
        Ok(Self { buckets, measures, sampling })
    }

    pub(super) fn json(&self) -> Value {
        let buckets: Vec<Value> = (self.buckets.iter().enumerate())
            .map(|(i, bucket)| {
                let scores = self.measures.iter().map(|(measured, parts)| {
                    let part = parts[i].map_or(Value::Null, |part| {
                        let interval = part.ends().map(|(low, high)| [low, high]);
                        json!({ "score": part.score, "interval": interval })
                    });
                    (measured.measure.key().to_owned(), part)
                });
                let scores: serde_json::Map<String, Value> = scores.collect();
                json!({ "tokens": bucket.label, "sentences": bucket.sentences.len(), "scores": scores })
            })
            .collect();
        let Sampling { samples, seed } = self.sampling;
        json!({ "buckets": buckets, "confidence": 0.95, "samples": samples, "seed": seed })
    }

    pub(super) fn text(&self, out: &mut impl Write) -> io::Result<()> {
        let Sampling { samples, seed } = self.sampling;
        let samples = counted(samples, "bootstrap sample");
        writeln!(out, "\nby tokens of the source, with 95 % intervals ({samples}, seed {seed})")?;
        let names = self.measures.iter().map(|(measured, _)| measured.measure.metric.name());
        let columns = ["tokens".to_owned(), "sentences".to_owned()].into_iter().chain(names);
        let mut table = Table::new(columns.map(|name| (Align::Right, name)));
        for (i, bucket) in self.buckets.iter().enumerate() {
            let scores = self.measures.iter().map(|(_, parts)| {
                let Some(part) = parts[i] else { return "–".to_owned() };
                let interval = part.ends().map(|(low, high)| format!(" [{low:.1}, {high:.1}]"));
                format!("{:.1}{}", part.score, interval.unwrap_or_default())
            });
            let cells = [bucket.label.clone(), grouped(bucket.sentences.len())].into_iter().chain(scores);
            table.row(cells.collect::<Vec<_>>());
        }
        table.write(out)
    }

    /// Draws the scores into the file of `--svg`, if one was named.
    pub(super) fn draw(&self, args: &EvalArgs) -> anyhow::Result<()> {
        let Some(path) = &args.svg else { return Ok(()) };
        let panels = self.measures.iter().map(|(measured, parts)| Panel {
            title: measured.measure.metric.name(),
            note: match measured.measure.metric.better() {
                Better::Higher => "higher is better",
                Better::Lower => "lower is better",
            }
            .to_owned(),
            series: vec![Series::only(
                parts.iter().map(|part| part.map(|p| Point { value: p.score, interval: p.ends() })).collect(),
            )],
            ..Panel::default()
        });
        let category =
            |bucket: &LengthBucket| (bucket.label.clone(), format!("n = {}", grouped(bucket.sentences.len())));
        let chart = Chart {
            title: "Scores by length of the source, with 95 % intervals".to_owned(),
            axis: "length of the source, in tokens between white space".to_owned(),
            categories: self.buckets.iter().map(category).collect(),
            panels: panels.collect(),
        };
        fs::write(path, chart.to_svg()).with_context(|| format!("cannot write `{}`", path.display()))
    }
}
