//! What to search for, and what is refused.

use crate::config::SearchConfig;

use super::SearchError;

/// What to search for.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOptions {
    /// The search itself.
    pub config: SearchConfig,
    /// Hypotheses returned per sentence, `1..=beam_size`; fewer come back if fewer were found. With sampling, how many are drawn.
    pub nbest: usize,
    /// Whether hypotheses carry their attention weights.
    pub weights: KeepWeights,
    /// Draw translations instead of looking for the best ones; the beam size then means nothing.
    pub sampling: Option<Sampling>,
}

impl From<SearchConfig> for SearchOptions {
    /// The best hypothesis of this search, without attention weights.
    fn from(config: SearchConfig) -> Self {
        Self { config, nbest: 1, weights: KeepWeights::No, sampling: None }
    }
}

impl Default for SearchOptions {
    fn default() -> Self {
        SearchConfig::default().into()
    }
}

/// Whether hypotheses carry their attention weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepWeights {
    /// They do, if the model has any.
    Yes,
    /// They do not.
    No,
}

/// How translations are drawn: every token from the model's distribution, sharpened and without its tail.
///
/// What is drawn is a function of the seed, the sentence's [number](super::Sentence::number), which of its samples it is, and the position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// The seed.
    pub seed: u64,
    /// Log-probabilities are divided by it: below 1 probable tokens get more probable. Above 0.
    pub temperature: f64,
    /// Only the so many most probable tokens are drawn; all if not given.
    pub top_k: Option<usize>,
    /// Only the most probable tokens that together have this share are drawn (Holtzman et al. 2020), taken after temperature and `top_k`. In (0, 1]; 1 keeps all.
    pub top_p: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { seed: 0, temperature: 1.0, top_k: None, top_p: 1.0 }
    }
}

/// The most rows of a sentence.
const MOST: usize = 1024;

fn refuse(key: &'static str, message: String) -> Result<(), SearchError> {
    Err(SearchError::Option { key, message })
}

impl SearchOptions {
    /// What a search would refuse, before there is anything to search.
    ///
    /// # Errors
    /// Names the first option that is out of range.
    pub fn check(&self) -> Result<(), SearchError> {
        let config = &self.config;
        let beam_size = config.beam_size;
        if !(1..=MOST).contains(&beam_size) {
            return refuse("beam_size", format!("{beam_size} is not between 1 and {MOST}; 1 is greedy search"));
        }
        match &self.sampling {
            Some(sampling) => {
                if !(1..=MOST).contains(&self.nbest) {
                    return refuse("nbest", format!("{} is not between 1 and {MOST}", self.nbest));
                }
                sampling.check()?;
            }
            None if !(1..=beam_size).contains(&self.nbest) => {
                return refuse("nbest", format!("{} is not between 1 and {beam_size}, the beam size", self.nbest));
            }
            None => {}
        }
        for (key, value) in [
            ("length_penalty", config.length_penalty),
            ("coverage_penalty", config.coverage_penalty),
            ("min_length_ratio", config.min_length_ratio),
            ("max_length_ratio", config.max_length_ratio),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return refuse(key, format!("{value} is not a finite number of at least 0"));
            }
        }
        if config.min_length_ratio > config.max_length_ratio {
            let (least, most) = (config.min_length_ratio, config.max_length_ratio);
            return refuse("min_length_ratio", format!("{least} is above {most}, the max_length_ratio"));
        }
        Ok(())
    }

    /// The most ids of a hypothesis, `</s>` included, for a source of `src_len` positions, `</s>` included.
    pub(super) fn length_limit(&self, src_len: u32) -> usize {
        // What a search remembers is counted in 32 bits.
        scaled(self.config.max_length_ratio, src_len).saturating_add(self.config.max_length_extra).clamp(1, 1 << 24)
    }

    /// The fewest ids of a hypothesis before `</s>`.
    pub(super) fn least_length(&self, src_len: u32) -> usize {
        scaled(self.config.min_length_ratio, src_len)
    }
}

/// `ratio` × the source's pieces, `</s>` not counted.
fn scaled(ratio: f64, src_len: u32) -> usize {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, and is not negative")]
    let scaled = (ratio * f64::from(src_len - 1)) as usize;
    scaled
}

impl Sampling {
    fn check(&self) -> Result<(), SearchError> {
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            let message = format!(
                "{} is not a finite number above 0; for the best token always, search with a beam of 1",
                self.temperature
            );
            return refuse("temperature", message);
        }
        if self.top_k == Some(0) {
            return refuse("top_k", "0 leaves nothing to draw from; leave it out to draw from all".into());
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return refuse("top_p", format!("{} is not above 0 and at most 1; 1 keeps all", self.top_p));
        }
        Ok(())
    }
}
