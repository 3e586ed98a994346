//! The state of a training in one file, replaced atomically: weights, optimiser, position. Random streams need no state: they are named by seed and update.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Aligned, GoldPairs, Initial, TrainError, Validation};
use crate::align::GivenLinks;
use crate::backend::Isa;
use crate::checkpoint::{CheckpointError, STATE_FILE, Tensor, TensorFile, write_tensors};
use crate::config::{Config, Metric};
use crate::data::{Corpus, StreamPosition, fingerprint};
use crate::params::ParamSpec;
use crate::text::Tokenizers;

/// Where a training stands, beside its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Position {
    /// Updates made.
    pub(super) update: u64,
    /// The epoch the next batch belongs to, from 1.
    pub(super) epoch: u64,
    /// Batches of that epoch already used.
    pub(super) batch: usize,
    /// What plateaus have multiplied the learning rate by.
    pub(super) plateau: f64,
    /// Validations since the best one.
    pub(super) stale: u64,
    /// The best validation.
    pub(super) best: Option<Best>,
    /// The best score by each metric whose best model is kept, too.
    pub(super) kept_best: Vec<(Metric, f64)>,
    /// See [`Position::last_epoch`]; 0 before the first update, and in states of older versions.
    #[serde(default)]
    pub(super) last_epoch: u64,
    /// Target tokens seen.
    pub(super) tokens: u64,
    /// What divergences have multiplied the learning rate by.
    pub(super) rate_factor: f64,
    /// The update of the last validation.
    pub(super) validated: u64,
    /// Whether that one was made only because the run had come to a limit.
    #[serde(default)]
    pub(super) validated_at_limit: bool,
    /// Where the buffer at hand ends in the stream, if the pairs come from one.
    #[serde(default)]
    pub(super) stream: Option<StreamPosition>,
}

impl Position {
    /// Whether a training can be there: epochs count from 1, and nothing counts to where it would overflow.
    fn is_possible(&self) -> bool {
        let Self { update, epoch, last_epoch, batch, plateau, rate_factor, stale, tokens, validated, .. } = *self;
        let counts = [update, batch as u64, stale, validated, tokens];
        (1..1 << 32).contains(&epoch)
            && last_epoch <= epoch
            && counts.iter().all(|&count| count < 1 << 48)
            && [plateau, rate_factor].iter().all(|factor| factor.is_finite() && *factor > 0.0)
    }

    /// The epoch the last update belonged to.
    pub(super) fn last_epoch(&self) -> u64 {
        match self.last_epoch {
            0 => self.epoch - u64::from(self.batch == 0 && self.epoch > 1),
            known => known,
        }
    }

    pub(super) fn start() -> Self {
        Self {
            update: 0,
            epoch: 1,
            batch: 0,
            plateau: 1.0,
            stale: 0,
            best: None,
            kept_best: Vec::new(),
            last_epoch: 0,
            tokens: 0,
            rate_factor: 1.0,
            validated: 0,
            validated_at_limit: false,
            stream: None,
        }
    }
}

/// The best validation, without its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Best {
    update: u64,
    epoch: u64,
    nll: f64,
    /// States of older versions do not have it.
    #[serde(default)]
    accuracy: f64,
    scores: Vec<(Metric, f64)>,
    /// The sum of its model; states of older versions do not have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model_sha256: Option<String>,
}

impl Best {
    pub(super) fn of(v: &Validation, model_sha256: String) -> Self {
        let scores = v.scores.clone();
        let model_sha256 = Some(model_sha256);
        Self { update: v.update, epoch: v.epoch, nll: v.nll, accuracy: v.accuracy, scores, model_sha256 }
    }

    pub(super) fn validation(&self) -> Validation {
        let Self { update, epoch, nll, accuracy, scores, .. } = self.clone();
        Validation { update, epoch, nll, accuracy, scores, attention: None, is_best: true, seconds: 0.0 }
    }
}

/// What a run was started with, to recognise it, and what became of that on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// What decides its numbers.
    config: Config,
    train_sha256: String,
    valid_sha256: String,
    /// Of the links that guide the attention.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    links_sha256: Option<String>,
    /// Of the pairs with known links.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gold_sha256: Option<String>,
    /// Of the model or the word vectors it began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initial_sha256: Option<String>,
    /// Of the tokenizers. States of older versions have neither this nor what follows.
    #[serde(default)]
    tokenizers_sha256: Option<String>,
    /// What it was computed with last.
    #[serde(default)]
    instruction_set: Option<String>,
    /// The version of the program that it was computed with last.
    #[serde(default)]
    version: Option<String>,
    /// What a run that goes straight through would not have done.
    #[serde(default)]
    pub(super) changed: Vec<String>,
}

impl Origin {
    /// Of a run whose tokenizers are not there yet.
    pub(super) fn new(
        config: &Config,
        [train, valid]: [&Corpus; 2],
        aligned: &Aligned,
        initial: &Initial,
        isa: Isa,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            config: config.decisive(),
            train_sha256: fingerprint(&train.pairs)?,
            valid_sha256: fingerprint(&valid.pairs)?,
            links_sha256: aligned.guide.as_ref().map(GivenLinks::sha256),
            gold_sha256: aligned.gold.as_ref().map(GoldPairs::sha256).transpose()?,
            initial_sha256: initial.sha256()?,
            tokenizers_sha256: None,
            instruction_set: Some(isa.name().to_owned()),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            changed: Vec::new(),
        })
    }

    pub(super) fn with_tokenizers(self, tokenizers: &Tokenizers) -> Self {
        Self { tokenizers_sha256: Some(tokenizers.sha256()), ..self }
    }

    /// The same run after `before`, whose way is a part of its own.
    pub(super) fn after(mut self, before: &Self, changes: &[String]) -> Self {
        self.changed.clone_from(&before.changed);
        changes.iter().for_each(|change| self.record(change.clone()));
        let computed_with = [
            ("instruction set", before.instruction_set.clone(), self.instruction_set.clone()),
            ("version", before.version.clone(), self.version.clone()),
        ];
        for (what, then, now) in computed_with {
            if let (Some(then), Some(now)) = (then, now)
                && then != now
            {
                self.record(format!("the {what} from {then} to {now}"));
            }
        }
        self
    }

    /// Takes down what a run that goes straight through would not have done.
    pub(super) fn record(&mut self, change: String) {
        if !self.changed.contains(&change) {
            self.changed.push(change);
        }
    }

    /// What it was computed with last, if that is known.
    pub(super) fn instruction_set(&self) -> Option<&str> {
        self.instruction_set.as_deref()
    }

    /// The sums of the pairs to learn from and to validate on.
    pub(super) fn pairs(&self) -> [String; 2] {
        [self.train_sha256.clone(), self.valid_sha256.clone()]
    }

    /// What differs from `before`: the name that allows it, and the change in words. Data that differ because they were held out by another seed or number
    /// are not a change of their own.
    pub(super) fn changes(&self, before: &Self) -> Vec<(String, String)> {
        let changes = self.config.changes(&before.config.decisive());
        let holds_out_others = changes.iter().any(|change| HELD_OUT_BY.contains(&change.key.as_str()));
        let data = [
            ("the training data", &self.train_sha256, &before.train_sha256),
            ("the validation data", &self.valid_sha256, &before.valid_sha256),
        ];
        let data = data.iter().filter(|(_, now, then)| now != then && !holds_out_others);
        let links = (self.links_sha256 != before.links_sha256).then_some("the alignments that guide the attention");
        let gold = (self.gold_sha256 != before.gold_sha256).then_some("the pairs with known links");
        let data = data.map(|(what, ..)| *what).chain(links).chain(gold);
        // What is chosen from the data changes with them; they come first.
        let mut all: Vec<_> = data.map(|what| ("data".to_owned(), what.to_owned())).collect();
        if before.tokenizers_sha256.is_some() {
            if self.tokenizers_sha256 != before.tokenizers_sha256 {
                all.push(("tokenizer".to_owned(), "the tokenizer".to_owned()));
            }
            if self.initial_sha256 != before.initial_sha256 {
                all.push(("initial".to_owned(), "the model or the word vectors it began with".to_owned()));
            }
        }
        all.extend(changes.into_iter().map(|change| (change.key.clone(), change.to_string())));
        all
    }
}

/// Keys that decide which pairs are held out.
const HELD_OUT_BY: [&str; 2] = ["seed", "data.hold_out"];

/// A training's state.
#[derive(Debug)]
pub(super) struct State<'a> {
    pub(super) origin: &'a Origin,
    pub(super) position: &'a Position,
    /// What is kept of every parameter, the weights first.
    pub(super) tensors: Vec<Tensor<'a>>,
}

/// A state that was read as far as its header, and has every tensor that is wanted, in its shape.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) position: Position,
    file: TensorFile,
}

impl Found {
    /// What was kept of a parameter under the name of a slot.
    pub(super) fn values(&self, slot: &str, spec: &ParamSpec) -> Result<Vec<f32>, TrainError> {
        Ok(self.file.value(spec, &format!("{slot}."))?)
    }
}

impl State<'_> {
    /// Writes the state, unless a number in it is not finite: then the last one stays.
    pub(super) fn save(&self, dir: &Path) -> Result<(), TrainError> {
        if let Some(tensor) = first_not_finite(&self.tensors) {
            // A parameter, without the name of what is kept of it.
            let tensor = tensor.split_once('.').map_or(tensor, |(_, name)| name).to_owned();
            return Err(TrainError::NotFinite { update: self.position.update, tensor });
        }
        let json =
            |e: serde_json::Error| CheckpointError::Damaged { path: dir.join(STATE_FILE), message: e.to_string() };
        let text = serde_json::to_string(&(self.origin, self.position)).map_err(json)?;
        Ok(write_tensors(&dir.join(STATE_FILE), &self.tensors, Some(("training", text)))?)
    }

    /// Origin and position of the state in `dir`, without its tensors.
    pub(super) fn read(dir: &Path) -> Result<(TensorFile, Origin, Position), TrainError> {
        let path = dir.join(STATE_FILE);
        let file = TensorFile::read(&path)?;
        let text = file.metadata("training")?;
        let damaged = |message| CheckpointError::Damaged { path: path.clone(), message };
        let (origin, position): (Origin, Position) =
            serde_json::from_str(&text).map_err(|e| damaged(format!("its position: {e}")))?;
        if !position.is_possible() {
            return Err(damaged("its position: no training gets there".to_owned()).into());
        }
        Ok((file, origin, position))
    }

    /// The state in `dir`, which must have each of `slots` of every parameter and nothing else. No tensor is read yet.
    pub(super) fn find(dir: &Path, specs: &[ParamSpec], slots: &[&'static str]) -> Result<Found, TrainError> {
        let (file, _, position) = Self::read(dir)?;
        slots.iter().try_for_each(|slot| file.expect(specs, &format!("{slot}.")))?;
        file.expect_only(slots.iter().flat_map(|slot| specs.iter().map(move |s| format!("{slot}.{}", s.name))))?;
        Ok(Found { position, file })
    }
}

/// The first tensor with a value that is infinite or not a number.
pub(super) fn first_not_finite<'a>(tensors: &'a [Tensor<'_>]) -> Option<&'a str> {
    tensors.iter().find(|tensor| !tensor.is_finite()).map(|tensor| tensor.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_no_training_gets_to_is_recognised() {
        let start = Position::start();
        assert!(start.is_possible() && Position { epoch: 9, update: 1 << 40, ..start.clone() }.is_possible());
        for wrong in [
            Position { epoch: 0, ..start.clone() },
            Position { epoch: u64::MAX, ..start.clone() },
            Position { last_epoch: 2, ..start.clone() },
            Position { update: u64::MAX, ..start.clone() },
            Position { batch: usize::MAX, ..start.clone() },
            Position { tokens: u64::MAX, ..start.clone() },
            Position { rate_factor: f64::NAN, ..start.clone() },
            Position { plateau: 0.0, ..start },
        ] {
            assert!(!wrong.is_possible(), "{wrong:?}");
        }
    }
}
