//! What a run was started with: how it is recognised when it goes on.

use serde::{Deserialize, Serialize};

use super::{Aligned, GoldPairs, Initial, TrainError};
use crate::align::GivenLinks;
use crate::backend::Isa;
use crate::config::Config;
use crate::data::{Corpus, fingerprint};
use crate::text::Tokenizers;

/// What a run was started with, to recognise it, and what became of that on its way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Origin {
    /// All but what changes no number; states of older versions have no limits.
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
            config: config.without_reports(),
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

    /// Whether it is of a version that knew less of a run.
    pub(super) fn is_older(&self) -> bool {
        self.instruction_set.is_none()
    }

    pub(super) fn has_tokenizers(&self) -> bool {
        self.tokenizers_sha256.is_some()
    }

    /// The same run after `before`, whose way is a part of its own. What it was computed with stays so until there is an update.
    pub(super) fn after(mut self, before: &Self, changes: &[String]) -> Self {
        self.changed.clone_from(&before.changed);
        changes.iter().for_each(|change| self.record(change.clone()));
        self.instruction_set.clone_from(&before.instruction_set);
        self.version.clone_from(&before.version);
        self
    }

    /// Whether its limits are others than those of `before`.
    pub(super) fn has_other_limits(&self, before: &Self) -> bool {
        !before.is_older() && self.config.has_other_limits(&before.config)
    }

    /// An update was made with this instruction set, by this program.
    pub(super) fn computed_with(&mut self, isa: Isa) {
        let version = env!("CARGO_PKG_VERSION");
        let now = [("instruction set", isa.name()), ("version", version)];
        let then = [&self.instruction_set, &self.version].map(Option::as_deref);
        if now.iter().zip(then).all(|((_, now), then)| then == Some(now)) {
            return;
        }
        let then = then.map(|then| then.map(str::to_owned));
        for ((what, now), then) in now.into_iter().zip(then) {
            if let Some(then) = then.filter(|then| then != now) {
                self.record(format!("the {what} from {then} to {now}"));
            }
        }
        (self.instruction_set, self.version) = (Some(isa.name().to_owned()), Some(version.to_owned()));
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
        let decisive = if before.is_older() { Config::without_limits } else { Config::decisive };
        let changes = decisive(&self.config).changes(&decisive(&before.config));
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
        if self.tokenizers_sha256 != before.tokenizers_sha256 {
            all.push(("tokenizer".to_owned(), "the tokenizer".to_owned()));
        }
        if !before.is_older() && self.initial_sha256 != before.initial_sha256 {
            all.push(("initial".to_owned(), "the model or the word vectors it began with".to_owned()));
        }
        all.extend(changes.into_iter().map(|change| (change.key.clone(), change.to_string())));
        all
    }
}

/// Keys that decide which pairs are held out.
const HELD_OUT_BY: [&str; 2] = ["seed", "data.hold_out"];
