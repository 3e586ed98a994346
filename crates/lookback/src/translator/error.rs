//! Why text could not be translated, scored or shown.

use crate::align::OtherWords;
use crate::search::SearchError;
use crate::view::ViewError;

/// Why text could not be translated, scored or shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TranslateError {
    /// The search failed. Sentences are counted as they were given, from 0.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// No model has attention to show.
    #[error("the model has no attention (`model.attention = \"none\"`), so there are no weights to show")]
    NoAttention,
    /// Translations without the weights they were found with.
    #[error("the translations carry no attention weights; search them with `KeepWeights::Yes`")]
    NoWeights,
    /// The probability of a given translation is not a number.
    #[error("pair {pair}: the log-probability is not finite; the model's weights are damaged or too large")]
    NotFinite {
        /// Which pair, from 0.
        pair: usize,
    },
    /// A given text has other words once it is normalised.
    #[error("pair {pair}: {source}")]
    OtherWords {
        /// Which pair, from 0.
        pair: usize,
        /// Which text.
        source: OtherWords,
    },
    /// The weights are not those of an attention.
    #[error("the model's attention cannot be shown")]
    View(#[from] ViewError),
}

impl TranslateError {
    /// The same error with the sentence, or the pair, counted otherwise, as its caller counts.
    #[must_use]
    pub fn of_sentence(self, number: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Search(error) => Self::Search(error.of_sentence(number)),
            Self::NotFinite { pair } => Self::NotFinite { pair: number(pair) },
            Self::OtherWords { pair, source } => Self::OtherWords { pair: number(pair), source },
            Self::NoAttention | Self::NoWeights | Self::View(_) => self,
        }
    }
}
