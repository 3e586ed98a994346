//! `receipt.json`: what a model was made of and under which circumstances. Times, threads and the machine stand here and in no other file that a repeated run would
//! write.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::job::Run;
use super::validate::scorer;
use super::{Ending, TrainError};
use crate::checkpoint::{CONFIG_FILE, CheckpointError, MODEL_FILE, write_atomic};
use crate::config::TrainPrecision;
use crate::data::file_sha256;
use crate::read_bounded::read_text;

/// The file's name in the model folder.
pub(super) const RECEIPT_FILE: &str = "receipt.json";

/// The files of a model, whose sums a receipt has.
const SUMMED: [&str; 5] = [CONFIG_FILE, MODEL_FILE, "tokenizer.json", "tokenizer.src.json", "tokenizer.tgt.json"];

/// The longest file that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// What is known of how a model was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// The program's version.
    pub version: String,
    /// The seed of everything random.
    pub seed: u64,
    /// What its products rounded their operands to.
    pub precision: TrainPrecision,
    /// The instruction set it computed with last.
    pub instruction_set: String,
    /// Threads it computed on last.
    pub threads: usize,
    /// Seconds of training, of all runs together.
    pub seconds: f64,
    /// Updates made.
    pub updates: u64,
    /// Why it ended; none while it runs.
    pub ended: Option<Ending>,
    /// The files that were read.
    pub provenance: Provenance,
    /// SHA-256 over the pairs to learn from and to validate on, as they were read.
    pub pairs: [String; 2],
    /// What a run that goes straight through would not have done: changes when it was resumed, limits that were moved after it had met them, another
    /// instruction set or version, going back after a divergence.
    pub changed: Vec<String>,
    /// SHA-256 of the model folder's files: configuration, tokenizers, weights.
    pub files: BTreeMap<String, String>,
    /// The validation of the weights, if there was one.
    pub validation: Option<Validated>,
}

/// The files that a run read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// In the order in which they were given.
    pub inputs: Vec<Input>,
    /// Which columns of tables were taken, as `1,2`.
    pub columns: Option<String>,
}

/// A file that a run read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The option it was given with, `pairs` without one.
    pub role: String,
    /// Where it was.
    pub path: PathBuf,
    /// Its SHA-256; none of a stream.
    pub sha256: Option<String>,
}

/// A validation with what its scores mean.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Validated {
    /// After which update.
    pub update: u64,
    /// Negative log-likelihood per target token, in nats.
    pub nll: f64,
    /// Scores of greedy translations by metric.
    pub scores: BTreeMap<String, Scored>,
}

/// A score and its signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The score; exact matches are a share.
    pub score: f64,
    /// What it was computed with.
    pub signature: String,
}

/// How a file of the model folder stands to its receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It is the file of the receipt.
    Same,
    /// It is another file.
    Changed,
    /// There is no such file.
    Missing,
    /// The receipt does not know it.
    Unknown,
}

impl Receipt {
    /// The receipt in a model folder; none if there is none.
    ///
    /// # Errors
    /// If there is one that cannot be read.
    pub fn read(dir: impl AsRef<Path>) -> Result<Option<Self>, TrainError> {
        let path = dir.as_ref().join(RECEIPT_FILE);
        let text = match read_text(&path, MOST_BYTES) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(CheckpointError::Read { path, source }.into()),
        };
        let damaged = |message: String| CheckpointError::Damaged {
            path: path.clone(),
            message: format!(
                "{message}; without this file a training goes on too, but forgets the time it took so far"
            ),
        };
        let receipt: Self = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
        if let Some(name) = receipt.files.keys().find(|name| !SUMMED.contains(&name.as_str())) {
            return Err(damaged(format!("`{name}` is not a file of a model folder")).into());
        }
        Ok(Some(receipt))
    }

    /// Compares the folder's files with the receipt: all that the receipt names, and all that belong to a model.
    ///
    /// # Errors
    /// If a file is there but cannot be read.
    pub fn compare(&self, dir: &Path) -> Result<Vec<(String, Finding)>, TrainError> {
        let mut findings = Vec::new();
        for name in SUMMED {
            let path = dir.join(name);
            let found = match file_sha256(&path) {
                Ok(found) => Some(found),
                Err(e) if e.kind() == ErrorKind::NotFound => None,
                Err(source) => return Err(CheckpointError::Read { path, source }.into()),
            };
            let finding = match (self.files.get(name), found) {
                (None, None) => continue,
                (None, Some(_)) => Finding::Unknown,
                (Some(_), None) => Finding::Missing,
                (Some(want), Some(found)) if *want == found => Finding::Same,
                (Some(_), Some(_)) => Finding::Changed,
            };
            findings.push((name.to_owned(), finding));
        }
        Ok(findings)
    }

    fn write(&self, dir: &Path) -> Result<(), TrainError> {
        let path = dir.join(RECEIPT_FILE);
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|e| CheckpointError::Damaged { path: path.clone(), message: e.to_string() })?;
        text.push('\n');
        Ok(write_atomic(&path, text.as_bytes())?)
    }
}

/// The sums of a model folder's files, of those there are.
pub(super) fn sums(dir: &Path) -> Result<BTreeMap<String, String>, TrainError> {
    let mut sums = BTreeMap::new();
    for name in SUMMED.into_iter().filter(|name| dir.join(name).exists()) {
        sums.insert(name.to_owned(), sum(&dir.join(name))?);
    }
    Ok(sums)
}

/// The sum of a file.
pub(super) fn sum(path: &Path) -> Result<String, TrainError> {
    Ok(file_sha256(path).map_err(|source| CheckpointError::Read { path: path.to_owned(), source })?)
}

impl Run {
    /// Writes the receipt of the run as it stands.
    pub(super) fn write_receipt(&self, ended: Option<Ending>) -> Result<(), TrainError> {
        let validated = |best: crate::train::Validation| {
            let scores = best.scores.iter().map(|(metric, score)| {
                let signature = scorer(*metric).map_or_else(String::new, |scorer| scorer.signature(Some(1)));
                (metric.key().to_owned(), Scored { score: *score, signature })
            });
            Validated { update: best.update, nll: best.nll, scores: scores.collect() }
        };
        let receipt = Receipt {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: self.config.seed,
            precision: self.config.train.precision,
            instruction_set: self.origin.instruction_set().unwrap_or(self.cpu.isa().name()).to_owned(),
            threads: self.cpu.threads(),
            seconds: self.elapsed(),
            updates: self.position.update,
            ended,
            provenance: self.provenance.clone(),
            pairs: self.origin.pairs(),
            changed: self.origin.changed.clone(),
            files: self.sums.clone(),
            validation: self.position.best.as_ref().map(|best| validated(best.validation())),
        };
        receipt.write(&self.dir)
    }
}
