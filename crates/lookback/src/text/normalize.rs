//! Normalisation: which differences between texts are no differences.
use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tokenizers::normalizers::unicode::{NFC, NFKC};
use tokenizers::normalizers::{Lowercase, NormalizerWrapper};
use unicode_normalization::{UnicodeNormalization as _, is_nfc, is_nfkc};

/// A normalization form of Unicode (UAX #15).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// Canonical composition: `a` and a combining diaeresis become `ä`. Nothing visible is lost.
    #[default]
    Nfc,
    /// Compatibility composition as well: `ﬁ` becomes `fi`, `①` becomes `1`, full-width letters become ordinary ones.
    Nfkc,
    /// Text stays as it is.
    None,
}

/// What is done to text before anything else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Normalizer {
    pub(super) form: Normalization,
    pub(super) lowercase: bool,
}

impl Normalizer {
    /// Every one there is.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let forms = [Normalization::Nfc, Normalization::Nfkc, Normalization::None];
        forms.into_iter().flat_map(|form| [false, true].map(|lowercase| Self { form, lowercase }))
    }

    /// The normalised text. Doing it twice is doing it once.
    pub(super) fn apply(self, text: &str) -> Cow<'_, str> {
        if !self.lowercase {
            return compose(self.form, text);
        }
        // Compatibility forms can hold capitals, and small letters can compose where capitals do not.
        let text = if self.form == Normalization::Nfkc { compose(self.form, text) } else { Cow::Borrowed(text) };
        let small: String = text.chars().flat_map(char::to_lowercase).collect();
        Cow::Owned(compose(self.form, &small).into_owned())
    }

    /// The same as steps of a `tokenizer.json`.
    pub(super) fn steps(self) -> Vec<NormalizerWrapper> {
        let (nfc, nfkc) = (NormalizerWrapper::NFC(NFC), NormalizerWrapper::NFKC(NFKC));
        let lowercase = NormalizerWrapper::Lowercase(Lowercase);
        match (self.form, self.lowercase) {
            (Normalization::Nfc, false) => vec![nfc],
            (Normalization::Nfc, true) => vec![lowercase, nfc],
            (Normalization::Nfkc, false) => vec![nfkc],
            (Normalization::Nfkc, true) => vec![nfkc.clone(), lowercase, nfkc],
            (Normalization::None, false) => vec![],
            (Normalization::None, true) => vec![lowercase],
        }
    }
}

fn compose(form: Normalization, text: &str) -> Cow<'_, str> {
    match form {
        Normalization::Nfc if !is_nfc(text) => Cow::Owned(text.nfc().collect()),
        Normalization::Nfkc if !is_nfkc(text) => Cow::Owned(text.nfkc().collect()),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn apply(form: Normalization, lowercase: bool, text: &str) -> String {
        Normalizer { form, lowercase }.apply(text).into_owned()
    }

    #[test]
    fn forms_compose_fold_or_leave() {
        let text = "Ma\u{308}nner ﬁnden ①";
        assert_eq!(apply(Normalization::Nfc, false, text), "Männer ﬁnden ①");
        assert_eq!(apply(Normalization::Nfkc, false, text), "Männer finden 1");
        assert_eq!(apply(Normalization::None, false, text), text);
        assert_eq!(apply(Normalization::Nfc, true, text), "männer ﬁnden ①");
        assert_eq!(apply(Normalization::Nfkc, true, "ℌ ΑΣ"), "h ας".replace('ς', "σ"));
        assert_eq!(apply(Normalization::None, true, "A\u{308}"), "a\u{308}");
        assert_eq!(apply(Normalization::Nfc, true, "J\u{30C}"), "\u{1F0}"); // composes in small letters only
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn normalising_twice_changes_nothing(text: String) {
            for normalizer in Normalizer::all() {
                let once = normalizer.apply(&text).into_owned();
                prop_assert_eq!(normalizer.apply(&once).into_owned(), once);
            }
        }
    }
}
