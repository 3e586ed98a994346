//! Whether one system is better than another, or the difference is luck: sacreBLEU's paired tests.
//!
//! The baseline B and a system A translated the same sentences; δ = |score(A) − score(B)|.
//!
//! ```text
//! bootstrap (Koehn 2004)                   n corpora of as many sentences, drawn with replacement, the same for both systems
//!                                          d_k = |score_k(A) − score_k(B)|        p = (#{d_k − mean(d) > δ} + 1) / (n + 1)
//! approximate randomisation (Riezler &     n times, each sentence's translations are swapped or not by a coin
//! Maxwell 2005)                            d_k = |score_k(A′) − score_k(B′)|      p = (#{d_k > δ} + 1) / (n + 1)
//! ```
//! Draws, precisions of sums and order of additions are those of sacreBLEU 2.6.0 with NumPy 2, so p-values and intervals agree with a given
//! seed. Threads change nothing.

mod bootstrap;
mod paired;
mod randomization;
mod scores;

use super::{EvalError, Statistics};

pub use bootstrap::{Interval, bootstrap_difference, bootstrap_interval};
pub use paired::{Compared, compare};

/// Which paired test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairedTest {
    /// Bootstrap resampling; yields intervals as well.
    Bootstrap,
    /// Approximate randomisation.
    Randomization,
}

impl PairedTest {
    /// sacreBLEU's number of samples: 1,000 for the bootstrap, 10,000 for approximate randomisation.
    #[must_use]
    pub fn default_samples(self) -> usize {
        match self {
            Self::Bootstrap => 1_000,
            Self::Randomization => 10_000,
        }
    }
}

/// How often and with which seed is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Samples, at least 1.
    pub samples: usize,
    /// The seed, as given to NumPy's `default_rng`.
    pub seed: u64,
}

impl Sampling {
    /// sacreBLEU's seed.
    pub const SEED: u64 = 12_345;

    /// sacreBLEU's samples and seed for a test.
    #[must_use]
    pub fn of(test: PairedTest) -> Self {
        Self { samples: test.default_samples(), seed: Self::SEED }
    }

    /// The number of sentences of all systems, if there is something to draw.
    fn check(self, systems: &[&Statistics]) -> Result<u32, EvalError> {
        let sentences = systems[0].sentences();
        if let Some(other) = systems.iter().map(|system| system.sentences()).find(|&other| other != sentences) {
            return Err(EvalError::UnequalSystems { baseline: sentences, other });
        }
        if self.samples == 0 {
            return Err(EvalError::NoSample);
        }
        match u32::try_from(sentences) {
            Ok(0) => Err(EvalError::Empty),
            Ok(sentences) => Ok(sentences),
            Err(_) => Err(EvalError::TooManySentences { sentences }),
        }
    }
}

impl Default for Sampling {
    /// That of the bootstrap.
    fn default() -> Self {
        Self::of(PairedTest::Bootstrap)
    }
}
