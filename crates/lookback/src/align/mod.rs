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
pub use given::{GivenLinks, OtherWords};
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

/// A map between what stands between white space, with the weights of these steps.
pub(crate) fn between_words(map: AttentionMap, weights: WeightsOf) -> AttentionMap {
    match weights {
        WeightsOf::Writing => map.spaced(),
        WeightsOf::Reading => map.one_step_later().spaced(),
    }
}

/// Fails if a side of `map` has not as many words as its text.
fn check_words(map: &AttentionMap, src: &str, tgt: &str) -> Result<(), TranslateError> {
    for (side, text) in [(map.src(), src), (map.tgt(), tgt)] {
        let (found, expected) = (side.inside().len(), text.split_whitespace().count());
        if found != expected {
            return Err(TranslateError::Words { pair: map.id(), text: text.to_owned(), found, expected });
        }
    }
    Ok(())
}
