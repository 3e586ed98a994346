//! What two configurations differ in, key by key.

use std::fmt;

use serde_json::Value;

use super::{Config, ScheduledSampling, TrainConfig};

/// A key with another value than before.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The key with its section, `train.warmup`.
    pub key: String,
    /// Its value before, as JSON.
    pub before: Value,
    /// Its value now.
    pub now: Value,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` from {} to {}", self.key, Shown(&self.before), Shown(&self.now))
    }
}

/// A value as it was written: a number that came from single precision has the digits it needs there.
struct Shown<'a>(&'a Value);

impl fmt::Display for Shown<'_> {
    #[allow(clippy::cast_possible_truncation, clippy::float_cmp, reason = "whether anything is lost is what is asked")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_f64().filter(|_| self.0.is_f64()) {
            Some(number) if f64::from(number as f32) == number => write!(f, "{}", number as f32),
            _ => write!(f, "{}", self.0),
        }
    }
}

impl Config {
    /// The keys whose values are others than in `before`, in order.
    #[must_use]
    pub fn changes(&self, before: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let trees = [self, before].map(|config| serde_json::to_value(config).unwrap_or_default());
        let mut compare = |key: String, now: &Value, before: &Value| {
            if now != before {
                changes.push(Change { key, before: before.clone(), now: now.clone() });
            }
        };
        for (section, now) in trees[0].as_object().into_iter().flatten() {
            let before = &trees[1][section];
            match now.as_object() {
                Some(keys) => {
                    keys.iter().for_each(|(key, now)| compare(format!("{section}.{key}"), now, &before[key.as_str()]));
                }
                None => compare(section.clone(), now, before),
            }
        }
        changes
    }

    /// What decides the numbers of a run: how long it lasts only if something goes by the share that is done.
    #[must_use]
    pub fn decisive(&self) -> Self {
        let mut config = self.without_limits();
        let train = &self.train;
        if train.schedule.needs_end() || train.scheduled_sampling == ScheduledSampling::Linear {
            (config.train.max_updates, config.train.max_epochs) = (train.max_updates, train.max_epochs);
            (config.train.max_minutes, config.train.stop_after) = (train.max_minutes, train.stop_after);
        }
        config
    }

    /// Whether something else than in `before` says how long a run lasts.
    #[must_use]
    pub fn has_other_limits(&self, before: &Self) -> bool {
        let limits = |config: &Self| {
            let train = &config.train;
            (train.max_updates, train.max_epochs, train.max_minutes, train.stop_after, train.patience)
        };
        limits(self) != limits(before)
    }

    /// Without what only says how long a run lasts, and what changes no number.
    #[must_use]
    pub fn without_limits(&self) -> Self {
        let mut config = self.without_reports();
        (config.train.max_updates, config.train.max_epochs, config.train.max_minutes) = (None, None, None);
        (config.train.stop_after, config.train.patience) = (None, 0);
        config
    }

    /// Without what changes no number.
    #[must_use]
    pub fn without_reports(&self) -> Self {
        let mut config = self.clone();
        let usual = TrainConfig::default();
        config.train.log_every = None;
        (config.train.checkpoint_every, config.train.tensorboard) = (usual.checkpoint_every, usual.tensorboard);
        // How bf16 is computed is the processor's affair.
        config.train.emulate_bf16 = false;
        config
    }

    /// What weights and tokenizers are made for: its text and its model, without what matters in training only.
    #[must_use]
    pub fn architecture(&self) -> Self {
        let mut config = Self { text: self.text.clone(), model: self.model.clone(), ..Self::default() };
        config.text.bpe_dropout = 0.0;
        let model = &mut config.model;
        (model.dropout, model.variational_dropout) = (None, false);
        (model.dropout_embedding, model.dropout_layers, model.dropout_state) = (None, None, None);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_key_and_both_values() {
        let of = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
            Config::from_layers(&[], &sets).expect("the keys exist")
        };
        let (before, now) = (of(&["seed=1"]), of(&["seed=2", "model.hidden=64", "model.dropout=0.3"]));
        let said: Vec<String> = now.changes(&before).iter().map(Change::to_string).collect();
        assert_eq!(said, ["`model.dropout` from null to 0.3", "`model.hidden` from null to 64", "`seed` from 1 to 2"]);
        let said: Vec<String> =
            now.architecture().changes(&before.architecture()).iter().map(Change::to_string).collect();
        assert_eq!(said, ["`model.hidden` from null to 64"]);
        assert!(now.changes(&now).is_empty());
    }
}
