//! The optimiser and the course of its learning rate; what of it cannot combine is refused with the remedy.

use serde::{Deserialize, Serialize};

use super::check::invalid;
use super::{Config, ConfigError, TrainConfig};

/// What an update does with a gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Adam (Kingma & Ba 2015).
    Adam,
    /// Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019).
    AdamW,
    /// Stochastic gradient descent, with `momentum` if given.
    Sgd,
}

impl OptimizerKind {
    /// The name as it stands in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::Sgd => "sgd",
        }
    }

    /// The learning rate if none is given: for `sgd` that of Luong et al. 2015, §4.1.
    #[must_use]
    pub fn default_rate(self) -> f64 {
        match self {
            Self::Adam | Self::AdamW => 1e-3,
            Self::Sgd => 1.0,
        }
    }
}

/// How the learning rate goes after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It stays.
    Constant,
    /// It falls with the square root of the updates: rate·√(warmup / update).
    InverseSqrt,
    /// It is multiplied by `decay` whenever a validation is not better than the best.
    Plateau,
    /// It is multiplied by `decay` at the start of epoch `decay_from` and every `decay_every` epochs after it.
    Exponential,
    /// It is halved at the start of epoch `decay_from` and every `decay_every` epochs after it (Luong et al. 2015, §4.1).
    Halving,
    /// It falls linearly to `min_learning_rate` at the end of the run; needs a limit.
    Linear,
    /// It falls along half a cosine to `min_learning_rate` at the end of the run (Loshchilov & Hutter 2017); needs a limit.
    Cosine,
    /// It is halved 5 times over the second half of the run, as TensorFlow's NMT tutorial names it; needs a limit.
    Luong5,
    /// It is halved 10 times over the second half of the run; needs a limit.
    Luong10,
    /// It is halved 4 times over the last third of the run; needs a limit.
    Luong234,
}

impl Schedule {
    /// The name as it stands in configurations.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::InverseSqrt => "inverse_sqrt",
            Self::Plateau => "plateau",
            Self::Exponential => "exponential",
            Self::Halving => "halving",
            Self::Linear => "linear",
            Self::Cosine => "cosine",
            Self::Luong5 => "luong5",
            Self::Luong10 => "luong10",
            Self::Luong234 => "luong234",
        }
    }

    /// Whether its course depends on how much of the run is done.
    #[must_use]
    pub fn needs_end(self) -> bool {
        matches!(self, Self::Linear | Self::Cosine | Self::Luong5 | Self::Luong10 | Self::Luong234)
    }

    /// Whether it multiplies the rate by `decay`.
    #[must_use]
    pub fn decays(self) -> bool {
        matches!(self, Self::Plateau | Self::Exponential)
    }

    /// Whether it counts epochs.
    #[must_use]
    pub fn counts_epochs(self) -> bool {
        matches!(self, Self::Exponential | Self::Halving)
    }
}

impl TrainConfig {
    /// The learning rate at its highest.
    #[must_use]
    pub fn peak_rate(&self) -> f64 {
        self.learning_rate.unwrap_or(self.optimizer.default_rate())
    }
}

impl Config {
    /// Chooses what the optimiser leaves open.
    pub(super) fn resolve_optimization(&mut self) {
        let train = &mut self.train;
        train.learning_rate.get_or_insert(train.optimizer.default_rate());
        if train.optimizer == OptimizerKind::AdamW {
            // As PyTorch's.
            train.weight_decay.get_or_insert(0.01);
        }
    }

    /// What cannot combine.
    pub(super) fn check_optimization(&self) -> Result<(), ConfigError> {
        self.check_optimizer()?;
        self.check_schedule()
    }

    #[allow(clippy::float_cmp, reason = "a default that was not touched is the same number")]
    fn check_optimizer(&self) -> Result<(), ConfigError> {
        let (train, default) = (&self.train, TrainConfig::default());
        let optimizer = train.optimizer;
        let decay = train.weight_decay.unwrap_or(0.0);
        if !(decay.is_finite() && decay >= 0.0) {
            return invalid("train.weight_decay", format!("{decay} is not a finite number of at least 0"));
        }
        if decay > 0.0 && optimizer != OptimizerKind::AdamW {
            let message = format!(
                "`{}` has none; leave it out, or set `train.optimizer = \"adamw\"`, which keeps it apart from the gradient",
                optimizer.name()
            );
            return invalid("train.weight_decay", message);
        }
        if decay * train.peak_rate() >= 1.0 {
            let message =
                format!("{decay} times the learning rate is 1 or more, which leaves nothing; lower one of them");
            return invalid("train.weight_decay", message);
        }
        if !(0.0..1.0).contains(&train.momentum) {
            return invalid("train.momentum", format!("{} is not at least 0 and below 1", train.momentum));
        }
        if train.momentum > 0.0 && optimizer != OptimizerKind::Sgd {
            let message = format!(
                "`{}` has moments of its own; leave it out, or set `train.optimizer = \"sgd\"`",
                optimizer.name()
            );
            return invalid("train.momentum", message);
        }
        let moments = [
            ("train.beta1", train.beta1, default.beta1),
            ("train.beta2", train.beta2, default.beta2),
            ("train.epsilon", train.epsilon, default.epsilon),
        ];
        match moments.into_iter().find(|(_, value, default)| value != default) {
            Some((key, ..)) if optimizer == OptimizerKind::Sgd => invalid(
                key,
                "`sgd` has no moments; leave it out, or set `train.optimizer = \"adam\"` or `\"adamw\"`".into(),
            ),
            _ => Ok(()),
        }
    }

    #[allow(clippy::float_cmp, reason = "a default that was not touched is the same number")]
    fn check_schedule(&self) -> Result<(), ConfigError> {
        let (train, default) = (&self.train, TrainConfig::default());
        let (schedule, floor) = (train.schedule, train.min_learning_rate);
        if schedule == Schedule::InverseSqrt && train.warmup == 0 {
            return invalid("train.warmup", "`inverse_sqrt` needs a warm-up of at least one update".into());
        }
        if !(0.0..=train.peak_rate()).contains(&floor) {
            let message =
                format!("{floor} is not between 0 and {}, the learning rate at its highest", train.peak_rate());
            return invalid("train.min_learning_rate", message);
        }
        if floor > 0.0 && schedule == Schedule::Constant {
            let message = "a `constant` rate does not fall; leave it out, or set `train.schedule`";
            return invalid("train.min_learning_rate", message.into());
        }
        if train.decay_every == 0 {
            return invalid("train.decay_every", "0 is not a number of epochs; 1 is every epoch".into());
        }
        let of_epochs = [
            ("train.decay_from", train.decay_from, default.decay_from),
            ("train.decay_every", train.decay_every, default.decay_every),
        ];
        let touched = of_epochs.into_iter().find(|(_, value, default)| value != default);
        if let Some((key, ..)) = touched.filter(|_| !schedule.counts_epochs()) {
            let message = format!(
                "`{}` does not count epochs; leave it out, or set `train.schedule = \"exponential\"` or `\"halving\"`",
                schedule.name()
            );
            return invalid(key, message);
        }
        if train.decay != default.decay && schedule == Schedule::Halving {
            let message = "`halving` halves; leave it out, or set `train.schedule = \"exponential\"`";
            return invalid("train.decay", message.into());
        }
        if train.decay != default.decay && !schedule.decays() {
            let message = format!(
                "`{}` has a course of its own; leave it out, or set `train.schedule = \"plateau\"` or `\"exponential\"`",
                schedule.name()
            );
            return invalid("train.decay", message);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::CorpusSize;
    use super::*;

    fn resolved(sets: &[&str]) -> Result<Config, ConfigError> {
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        let config = Config::from_layers(&[], &sets).expect("the keys exist");
        config.resolve(CorpusSize { pairs: 30_000, words: 9.0, characters: 50.0 })
    }

    #[test]
    fn every_optimizer_has_a_rate_and_only_adamw_a_decay() {
        let of = |name: &str| {
            let train = resolved(&[&format!("train.optimizer={name}")]).expect("valid").train;
            (train.learning_rate, train.weight_decay)
        };
        assert_eq!(of("adam"), (Some(1e-3), None));
        assert_eq!(of("adamw"), (Some(1e-3), Some(0.01)));
        assert_eq!(of("sgd"), (Some(1.0), None));
        let given = resolved(&["train.optimizer=sgd", "train.learning_rate=0.5"]).expect("valid");
        assert_eq!(given.train.learning_rate, Some(0.5));
    }

    #[test]
    fn names_are_those_of_the_file() {
        use Schedule::{
            Constant, Cosine, Exponential, Halving, InverseSqrt, Linear, Luong5, Luong10, Luong234, Plateau,
        };
        for schedule in
            [Constant, InverseSqrt, Plateau, Exponential, Halving, Linear, Cosine, Luong5, Luong10, Luong234]
        {
            assert_eq!(serde_json::to_value(schedule).expect("a word"), schedule.name());
        }
        for kind in [OptimizerKind::Adam, OptimizerKind::AdamW, OptimizerKind::Sgd] {
            assert_eq!(serde_json::to_value(kind).expect("a word"), kind.name());
        }
    }

    #[test]
    fn what_cannot_combine_is_refused_by_its_key() {
        let cases = [
            (&["train.weight_decay=0.1"][..], "train.weight_decay: `adam` has none"),
            (&["train.weight_decay=0.1", "train.optimizer=sgd"], "train.weight_decay: `sgd` has none"),
            (&["train.weight_decay=-1.0", "train.optimizer=adamw"], "train.weight_decay: -1"),
            (&["train.weight_decay=2000", "train.optimizer=adamw"], "train.weight_decay: 2000 times"),
            (&["train.momentum=0.9"], "train.momentum: `adam` has moments"),
            (&["train.momentum=1.0", "train.optimizer=sgd"], "train.momentum: 1 is not at least 0 and below 1"),
            (&["train.beta1=0.8", "train.optimizer=sgd"], "train.beta1: `sgd` has no moments"),
            (&["train.epsilon=1e-6", "train.optimizer=sgd"], "train.epsilon: `sgd` has no moments"),
            (&["train.warmup=0"], "train.warmup: "),
            (&["train.min_learning_rate=1.0"], "train.min_learning_rate: 1 is not between 0 and 0.001"),
            (&["train.min_learning_rate=1e-5", "train.schedule=constant"], "train.min_learning_rate: a `constant`"),
            (&["train.decay_every=0"], "train.decay_every: 0"),
            (&["train.decay_every=2"], "train.decay_every: `inverse_sqrt` does not"),
            (&["train.decay=0.9", "train.schedule=halving"], "train.decay: `halving` halves"),
            (&["train.decay=0.3", "train.schedule=cosine"], "train.decay: `cosine` has a course"),
            (&["train.decay=0.3", "train.schedule=constant"], "train.decay: `constant` has a course"),
            (&["train.decay=0.1"], "train.decay: `inverse_sqrt` has a course"),
            (&["train.decay=0.1", "train.schedule=luong5"], "train.decay: `luong5` has a course"),
            (&["train.decay_from=3", "train.schedule=constant"], "train.decay_from: `constant` does not"),
            (&["train.decay_from=9", "train.schedule=cosine"], "train.decay_from: `cosine` does not"),
            (&["train.decay_from=2", "train.schedule=plateau"], "train.decay_from: `plateau` does not"),
        ];
        for (sets, start) in cases {
            let message = resolved(sets).expect_err("refused").to_string();
            assert!(message.starts_with(start), "{message}");
        }
    }
}
