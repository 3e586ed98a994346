//! Where the decoder looked while it wrote its translations.

use super::{TranslateError, Translation, Translator};
use crate::search::{KeepWeights, SearchOptions};
use crate::text::{EOS, Tokenizer};
use crate::view::{AttentionMap, Side};

impl Translator {
    /// Where the model looked while it wrote each of its best translations: one map per hypothesis, with its rank in the beam. A blank source has none.
    ///
    /// # Errors
    /// As [`Translator::translate_with`], and if the model has no attention.
    pub fn attend(&self, sources: &[&str], options: &SearchOptions) -> Result<Vec<Vec<AttentionMap>>, TranslateError> {
        self.need_attention()?;
        let options = SearchOptions { weights: KeepWeights::Yes, ..options.clone() };
        let translations = self.translate_with(sources, &options)?;
        let lines = translations.iter().zip(sources).enumerate();
        lines.map(|(line, (translations, source))| self.maps_of(line, source, translations)).collect()
    }

    /// Where the model looked while it wrote `translations`, those of `source`, the input line `line` (from 0), which were searched with
    /// [`KeepWeights::Yes`]: one map each, with its rank. Nothing is computed again. A blank source has none.
    ///
    /// # Errors
    /// If the model has no attention, or the weights were not kept.
    pub fn maps_of(
        &self,
        line: usize,
        source: &str,
        translations: &[Translation],
    ) -> Result<Vec<AttentionMap>, TranslateError> {
        self.need_attention()?;
        let found = translations.iter().filter(|t| !t.hypothesis.ids.is_empty()).enumerate();
        let map = |(rank, Translation { text, src_ids, hypothesis }): (usize, &Translation)| {
            let weights = hypothesis.weights.clone().ok_or(TranslateError::NoWeights)?;
            let src = side(&self.tokenizers.src, source.to_owned(), src_ids);
            let tgt = side(&self.tokenizers.tgt, text.clone(), &hypothesis.ids);
            Ok(AttentionMap::new(line, src, tgt, weights, hypothesis.log_prob)?.with_rank(rank))
        };
        found.map(map).collect()
    }

    /// Fails if no model has attention to show.
    ///
    /// # Errors
    /// In that case.
    pub fn need_attention(&self) -> Result<(), TranslateError> {
        if self.models.iter().any(|loaded| loaded.model.has_attention()) {
            Ok(())
        } else {
            Err(TranslateError::NoAttention)
        }
    }
}

/// One side of a map. The end of a sentence is in no word: it stands for itself.
pub(crate) fn side(tokenizer: &Tokenizer, text: String, ids: &[u32]) -> Side {
    let words = tokenizer.words(ids.strip_suffix(&[EOS]).unwrap_or(ids));
    Side { text, tokens: tokenizer.display_pieces(ids), words }
}
