//! Word alignments from attention: which words of a given pair the decoder connected.
//!
//! The model reads the pair, and each target word is linked to the source word with its highest weight (Luong, Pham & Manning 2015, §5.5), or to all above a threshold.
//! Words are what stands between white space: weights of a source word's pieces are summed, those of a target word's averaged. Two directions are merged as phrase-based
//! translation did it, see [`Merge`].

#[cfg(feature = "train")]
mod given;
mod merge;

use crate::TranslateError;
use crate::translator::Translator;
use crate::view::{AttentionMap, Links, links_of};

#[cfg(feature = "train")]
pub use given::GivenLinks;
#[cfg(feature = "train")]
pub(crate) use given::{GivenRows, PairLinks, checked_starts};
pub use merge::{Merge, merge};

/// A link: positions of words in source and target, from 0.
pub type Link = (usize, usize);

/// Whose weights are those of a target word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightsOf {
    /// The steps that write the word: the decoder looks for what to say next.
    #[default]
    Writing,
    /// The steps that read the word, which are one later: the decoder knows what it has said (Chen et al. 2020, "Shift-Att").
    Reading,
}

impl Translator {
    /// The links of given pairs `(source, target)`, ascending by source, then by target, in the order of the pairs.
    ///
    /// # Errors
    /// If the model has no attention or its numbers are not finite, or the words of a text are not those between its white space once the tokenizer has normalised it.
    pub fn align_pairs(
        &self,
        pairs: &[(&str, &str)],
        weights: WeightsOf,
        links: Links,
    ) -> Result<Vec<Vec<Link>>, TranslateError> {
        let maps = self.attend_pairs(pairs)?;
        let aligned = maps.into_iter().zip(pairs).map(|(map, &(src, tgt))| {
            let map = between_words(map, weights);
            check_words(&map, src, tgt)?;
            Ok(links_of(&map, links))
        });
        aligned.collect()
    }
}

/// A text whose words are others once the tokenizer has normalised it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the vocabulary's normalisation makes {found} words of the {expected} between the white space of {text:?}, so links could not be counted in the text; \
     normalise the text before"
)]
pub struct OtherWords {
    /// The text.
    pub text: String,
    /// Whether it is the pair's target, not its source.
    pub is_target: bool,
    /// Words of its pieces.
    pub found: usize,
    /// Words between white space.
    pub expected: usize,
}

impl OtherWords {
    /// Fails if `text` has not as many words as `found` in its pieces.
    fn check(text: &str, is_target: bool, found: usize) -> Result<(), Self> {
        let expected = text.split_whitespace().count();
        if found == expected { Ok(()) } else { Err(Self { text: text.to_owned(), is_target, found, expected }) }
    }
}

/// A map between what stands between white space, with the weights of these steps.
pub(crate) fn between_words(map: AttentionMap, weights: WeightsOf) -> AttentionMap {
    match weights {
        WeightsOf::Writing => map.spaced(),
        WeightsOf::Reading => map.one_step_later().spaced(),
    }
}

/// Fails if a side of `map` has not as many words as its text.
fn check_words(map: &AttentionMap, src: &str, tgt: &str) -> Result<(), TranslateError> {
    for (is_target, side, text) in [(false, map.src(), src), (true, map.tgt(), tgt)] {
        OtherWords::check(text, is_target, side.inside().len())
            .map_err(|source| TranslateError::OtherWords { pair: map.id(), source })?;
    }
    Ok(())
}
