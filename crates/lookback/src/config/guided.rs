//! Guided alignment: how attention weights are drawn towards given links.

use serde::{Deserialize, Serialize};

use super::{AttentionKind, Config, ConfigError, Metric};
use crate::backend::GuidedCost;

/// How attention weights α are compared with those of given links, A, at a target position (Chen et al. 2016).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuidedKind {
    /// Cross-entropy, −Σ A·ln α.
    Ce,
    /// Half the squared distance, ½ Σ (α − A)².
    Mse,
    /// The logarithm of the product, −ln Σ A·α.
    Mult,
}

/// Whose weights are a target word's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GuidedStep {
    /// Those of the steps that write it.
    Write,
    /// Those of the next ones, which read it: better links, for `lookback align --weights read`, and worse translations.
    Read,
}

impl From<GuidedKind> for GuidedCost {
    fn from(kind: GuidedKind) -> Self {
        match kind {
            GuidedKind::Ce => Self::CrossEntropy,
            GuidedKind::Mse => Self::SquaredError,
            GuidedKind::Mult => Self::Product,
        }
    }
}

impl Config {
    /// Chooses what is open of guided alignment, for a training that is given links.
    ///
    /// # Errors
    /// If there is no attention to guide, or the weight is out of range.
    pub fn guided(mut self) -> Result<Self, ConfigError> {
        if self.model.attention == AttentionKind::None {
            let message = "links were given to guide the attention, and there is none; give no links, or set another `model.attention`";
            return Err(ConfigError::Invalid { key: "model.attention", message: message.into() });
        }
        let weight = *self.train.guided_alignment_weight.get_or_insert(0.1);
        if !(weight.is_finite() && weight > 0.0) {
            let message = format!("{weight} is not a number above 0");
            return Err(ConfigError::Invalid { key: "train.guided_alignment_weight", message });
        }
        self.train.guided_alignment_cost.get_or_insert(GuidedKind::Ce);
        self.train.guided_alignment_step.get_or_insert(GuidedStep::Write);
        Ok(self)
    }

    /// Chooses what is open of known links, for a training that is given some.
    ///
    /// # Errors
    /// If there is no attention to compare with them, or positions start nowhere.
    pub fn with_gold(mut self) -> Result<Self, ConfigError> {
        if self.model.attention == AttentionKind::None {
            let message = "known links were given to compare the attention with, and there is none; give no links, or set another `model.attention`";
            return Err(ConfigError::Invalid { key: "model.attention", message: message.into() });
        }
        match *self.train.gold_base.get_or_insert(0) {
            0 | 1 => Ok(self),
            base => {
                let message = format!("{base} is neither 0 nor 1");
                Err(ConfigError::Invalid { key: "train.gold_base", message })
            }
        }
    }

    /// Fails if something needs known links, for a training without.
    ///
    /// # Errors
    /// In that case.
    pub fn without_gold(self) -> Result<Self, ConfigError> {
        let train = &self.train;
        let needed = [
            ("train.metric", train.metric == Metric::Aer),
            ("train.validate_metrics", train.validate_metrics.contains(&Metric::Aer)),
            ("train.keep_best", train.keep_best.contains(&Metric::Aer)),
            ("train.gold_base", train.gold_base.is_some()),
        ];
        match needed.iter().find(|(_, is_needed)| *is_needed) {
            Some(&(key, _)) => {
                let message = "no known links were given to compare with; give them with --align-pairs and --align-gold, or leave it out";
                Err(ConfigError::Invalid { key, message: message.into() })
            }
            None => Ok(self),
        }
    }

    /// Fails if something is said of guided alignment, for a training without links.
    ///
    /// # Errors
    /// In that case.
    pub fn unguided(self) -> Result<Self, ConfigError> {
        let train = &self.train;
        let said = [
            ("train.guided_alignment_cost", train.guided_alignment_cost.is_some()),
            ("train.guided_alignment_weight", train.guided_alignment_weight.is_some()),
            ("train.guided_alignment_step", train.guided_alignment_step.is_some()),
        ];
        match said.iter().find(|(_, is_said)| *is_said) {
            Some(&(key, _)) => {
                let message = "no links were given, so there is nothing to compare with; give them with --guided-alignment, or leave it out";
                Err(ConfigError::Invalid { key, message: message.into() })
            }
            None => Ok(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(sets: &[&str]) -> Config {
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        Config::from_layers(&[], &sets).expect("the keys exist")
    }

    #[test]
    fn what_is_open_is_chosen_if_links_are_given_and_refused_if_not() {
        let train = config(&[]).guided().expect("chosen").train;
        assert_eq!(
            (train.guided_alignment_cost, train.guided_alignment_weight, train.guided_alignment_step),
            (Some(GuidedKind::Ce), Some(0.1), Some(GuidedStep::Write))
        );
        assert_eq!(config(&[]).unguided().expect("nothing is said"), config(&[]));
        for set in ["guided_alignment_cost=mse", "guided_alignment_weight=0.5", "guided_alignment_step=read"] {
            let set = format!("train.{set}");
            assert_eq!(
                config(&[&set]).guided().expect("kept").guided().expect("again"),
                config(&[&set]).guided().expect("kept")
            );
            let message = config(&[&set]).unguided().expect_err("refused").to_string();
            assert!(
                message.starts_with(set.split('=').next().expect("a key")) && message.contains("no links"),
                "{message}"
            );
        }
    }

    #[test]
    fn what_needs_known_links_is_refused_without_them() {
        for set in ["metric=aer", "validate_metrics=bleu,aer", "keep_best=aer", "gold_base=1"] {
            let set = format!("train.{set}");
            let message = config(&[&set]).without_gold().expect_err("refused").to_string();
            assert!(message.starts_with(set.split('=').next().expect("a key")) && message.contains("--align-gold"));
            config(&[&set]).with_gold().expect("there are some");
        }
        assert_eq!(config(&[]).with_gold().expect("chosen").train.gold_base, Some(0));
        assert_eq!(config(&[]).without_gold().expect("nothing needs them"), config(&[]));
        let said = |set: &str| config(&[set]).with_gold().expect_err("refused").to_string();
        assert!(said("train.gold_base=2").starts_with("train.gold_base: 2"));
        assert!(said("model.attention=none").starts_with("model.attention: known links"));
    }

    #[test]
    fn what_cannot_guide_is_refused() {
        let said = |set: &str| config(&[set]).guided().expect_err("refused").to_string();
        assert!(said("model.attention=none").starts_with("model.attention: links were given"));
        for weight in ["0.0", "-1.0"] {
            assert!(
                said(&format!("train.guided_alignment_weight={weight}")).starts_with("train.guided_alignment_weight: ")
            );
        }
    }
}
