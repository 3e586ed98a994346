//! `metrics.jsonl`: one JSON object a line, for every validation and for updates as often as the log has lines.
//!
//! Times stand under keys that begin with `seconds` or end with `per_second`; all else is the same in a repeated or resumed run.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::events::Events;
use super::{TrainError, UpdateReport, Validation};
use crate::config::{Period, Reached, TrainConfig};
use crate::eval::AttentionHealth;

/// A line of `metrics.jsonl` without its times: the same in a repeated or resumed run.
///
/// # Errors
/// If it is no JSON.
pub fn without_times(line: &str) -> serde_json::Result<Value> {
    let mut value: Value = serde_json::from_str(line)?;
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| !key.starts_with("seconds") && !key.ends_with("per_second"));
    }
    Ok(value)
}

/// Updates between two lines, where the log goes by time or nothing is said of it: what the clock decides would differ in a resumed run.
const EVERY: Period = Period::Updates(10);
/// The file's name in the model folder.
pub(super) const METRICS_FILE: &str = "metrics.jsonl";

/// The metrics file of a run.
#[derive(Debug)]
pub(super) struct Metrics {
    path: PathBuf,
    file: File,
    events: Option<Events>,
    /// How often an update has a line.
    every: Period,
    /// Whether the lines of the updates before are gone.
    pub(super) is_lost: bool,
}

impl Metrics {
    /// Opens the file of a run that has made `updates` updates and was validated last after `validated`: later lines, of a run that was cut off, are dropped.
    /// With `train.tensorboard` its numbers go to an event file, too.
    pub(super) fn open(dir: &Path, updates: u64, validated: u64, config: &TrainConfig) -> Result<Self, TrainError> {
        let path = dir.join(METRICS_FILE);
        let write = |source| TrainError::Write { path: path.clone(), source };
        let mut is_lost = false;
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                is_lost = updates > 0;
                String::new()
            }
            Err(source) => return Err(write(source)),
        };
        let is_kept = |line: &&str| {
            let value: Option<Value> = serde_json::from_str(line).ok();
            value.is_some_and(|v| {
                let last = if v["kind"] == "validation" { validated } else { updates };
                v["update"].as_u64().is_some_and(|update| (1..=last).contains(&update))
            })
        };
        let kept: String = before.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
        crate::checkpoint::write_atomic(&path, kept.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path).map_err(write)?;
        let events = if config.tensorboard { Some(Events::create(dir, updates)?) } else { None };
        let every = config.log_every.filter(|every| !every.is_time()).unwrap_or(EVERY);
        Ok(Self { path, file, events, every, is_lost })
    }

    /// Takes an update that began where the training had come to `before`.
    pub(super) fn update(&mut self, before: &Reached, u: &UpdateReport) -> Result<(), TrainError> {
        if !self.every.is_met(before, &u.reached) {
            return Ok(());
        }
        #[allow(clippy::cast_precision_loss, reason = "tokens of a batch are far below 2⁵²")]
        let speed = u.tokens as f64 / u.seconds.max(1e-9);
        let mut scalars = vec![
            ("train/batch_loss".to_owned(), u.loss),
            ("train/batch_acc".to_owned(), u.accuracy),
            ("train/learning_rate".to_owned(), u.learning_rate),
            ("train/grad_norm".to_owned(), u.gradient_norm),
            ("train/tokens_per_sec".to_owned(), speed),
        ];
        let mut line = json!({
            "kind": "update", "update": u.update, "epoch": u.epoch, "loss": u.loss, "accuracy": u.accuracy,
            "gradient_norm": u.gradient_norm, "learning_rate": u.learning_rate, "tokens": u.tokens,
            "seconds": u.reached.seconds, "tokens_per_second": speed,
        });
        if let Some(cost) = u.guided_alignment {
            line["guided_alignment"] = json!(cost);
            scalars.push(("train/guided_alignment".to_owned(), cost));
        }
        self.events(u.update, &scalars)?;
        self.write(&line)
    }

    pub(super) fn validation(&mut self, v: &Validation) -> Result<(), TrainError> {
        let mut line = json!({
            "kind": "validation", "update": v.update, "epoch": v.epoch, "nll": v.nll, "perplexity": v.nll.exp(),
            "accuracy": v.accuracy, "is_best": v.is_best, "seconds": v.seconds,
        });
        for (metric, score) in &v.scores {
            line[metric.key()] = json!(score);
        }
        let attention = v.attention.iter().flat_map(AttentionHealth::named);
        for (name, number) in attention.clone() {
            line[name] = json!(number);
        }
        let scores = v.scores.iter().map(|(metric, score)| (format!("valid/{}", metric.key()), *score));
        let scores = scores.chain(attention.map(|(name, number)| (format!("valid/{name}"), number)));
        let loss = [("loss", v.nll), ("ppl", v.nll.exp()), ("accuracy", v.accuracy)];
        let loss = loss.map(|(name, value)| (format!("valid/{name}"), value));
        let scalars: Vec<(String, f64)> = loss.into_iter().chain(scores).collect();
        self.events(v.update, &scalars)?;
        self.write(&line)
    }

    /// What was written so far lasts, before a state says that it is there.
    pub(super) fn sync(&self) -> Result<(), TrainError> {
        self.file.sync_data().map_err(|source| TrainError::Write { path: self.path.clone(), source })
    }

    fn events(&mut self, update: u64, scalars: &[(String, f64)]) -> Result<(), TrainError> {
        self.events.as_mut().map_or(Ok(()), |events| events.scalars(update, scalars))
    }

    fn write(&mut self, line: &Value) -> Result<(), TrainError> {
        writeln!(self.file, "{line}").map_err(|source| TrainError::Write { path: self.path.clone(), source })
    }
}
