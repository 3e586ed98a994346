//! `metrics.jsonl`: one JSON object a line, for every tenth update and every validation.
//!
//! Times stand under keys that begin with `seconds` or end with `per_second`; all else is the same in a repeated or resumed run.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{TrainError, UpdateReport, Validation};

/// Updates between two lines.
const EVERY: u64 = 10;
/// The file's name in the model folder.
pub(super) const METRICS_FILE: &str = "metrics.jsonl";

/// The metrics file of a run.
#[derive(Debug)]
pub(super) struct Metrics {
    path: PathBuf,
    file: File,
}

impl Metrics {
    /// Opens the file of a run that has made `updates` updates: later lines, of a run that was cut off, are dropped.
    pub(super) fn open(dir: &Path, updates: u64) -> Result<Self, TrainError> {
        let path = dir.join(METRICS_FILE);
        let write = |source| TrainError::Write { path: path.clone(), source };
        let before = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(write(source)),
        };
        let is_kept = |line: &&str| {
            let value: Option<Value> = serde_json::from_str(line).ok();
            value.and_then(|v| v["update"].as_u64()).is_some_and(|u| u >= 1 && u <= updates)
        };
        let kept: String = before.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect();
        crate::checkpoint::write_atomic(&path, kept.as_bytes())?;
        let file = OpenOptions::new().append(true).open(&path).map_err(write)?;
        Ok(Self { path, file })
    }

    pub(super) fn update(&mut self, u: &UpdateReport) -> Result<(), TrainError> {
        if u.update % EVERY != 0 {
            return Ok(());
        }
        #[allow(clippy::cast_precision_loss, reason = "tokens of a batch are far below 2⁵²")]
        let speed = u.tokens as f64 / u.seconds.max(1e-9);
        self.write(&json!({
            "kind": "update", "update": u.update, "epoch": u.epoch, "loss": u.loss, "gradient_norm": u.gradient_norm,
            "learning_rate": u.learning_rate, "tokens": u.tokens, "seconds": u.elapsed, "tokens_per_second": speed,
        }))
    }

    pub(super) fn validation(&mut self, v: &Validation) -> Result<(), TrainError> {
        self.write(&json!({
            "kind": "validation", "update": v.update, "epoch": v.epoch, "nll": v.nll, "perplexity": v.nll.exp(),
            "bleu": v.bleu, "exact": v.exact, "is_best": v.is_best, "seconds": v.seconds,
        }))
    }

    fn write(&mut self, line: &Value) -> Result<(), TrainError> {
        writeln!(self.file, "{line}").map_err(|source| TrainError::Write { path: self.path.clone(), source })
    }
}
