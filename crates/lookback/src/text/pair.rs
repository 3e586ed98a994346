//! The tokenizers of both sides, and their files.
#[cfg(feature = "files")]
use std::path::Path;

use serde::{Deserialize, Serialize};
#[cfg(feature = "files")]
use sha2::{Digest, Sha256};

#[cfg(any(feature = "files", feature = "train"))]
use super::TextError;
use super::normalize::Normalization;
use super::tokenizer::Tokenizer;
#[cfg(feature = "train")]
use super::train::{Counts, train};
#[cfg(feature = "files")]
use crate::data::hex;

/// What the pieces are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextMode {
    /// Byte-pair encoding (Sennrich, Haddow & Birch 2016): frequent strings inside a word are one piece.
    #[default]
    Bpe,
    /// The most probable sequence of pieces under a unigram model (Kudo 2018).
    Unigram,
    /// One piece per Unicode scalar value.
    Char,
    /// The most frequent words, as they stand between white space (so the text should be tokenised already); all others are
    /// `<unk>`, which is read but never written.
    Word,
    /// What a `tokenizer.json` made elsewhere says; nothing is trained.
    File,
}

/// Whether the sides share one vocabulary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sharing {
    /// One vocabulary, trained on both sides.
    #[default]
    Joint,
    /// A vocabulary for each side.
    Separate,
}

/// How tokenizers are trained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TokenizerSpec {
    /// What the pieces are.
    pub mode: TextMode,
    /// The most pieces of a vocabulary, specials and bytes included; a small corpus gives fewer.
    pub vocab_size: usize,
    /// Whether the sides share one vocabulary.
    pub sharing: Sharing,
    /// The normalization form of Unicode all text is brought to.
    pub normalization: Normalization,
    /// Whether capitals become small letters; what they were is lost.
    pub lowercase: bool,
    /// How often a pair must be seen to be merged (`bpe`, 2 if not given), a character (`char`, 1) or a word (`word`, 1) to
    /// have a piece. Not used by `unigram`.
    pub min_frequency: Option<u64>,
}

impl Default for TokenizerSpec {
    fn default() -> Self {
        Self {
            mode: TextMode::Bpe,
            vocab_size: 8000,
            sharing: Sharing::Joint,
            normalization: Normalization::Nfc,
            lowercase: false,
            min_frequency: None,
        }
    }
}

/// The tokenizers of both sides.
#[derive(Clone, Debug)]
pub struct Tokenizers {
    /// The source side.
    pub src: Tokenizer,
    /// The target side; the same one if joint.
    pub tgt: Tokenizer,
    /// Whether both are one.
    pub sharing: Sharing,
}

/// Trains tokenizers on texts it is shown one after another; they are not kept, so what it takes grows with the different words alone.
///
/// The result depends on how often each word was seen, and on nothing else.
#[cfg(feature = "train")]
#[derive(Clone, Debug)]
pub struct TokenizerTrainer {
    spec: TokenizerSpec,
    src: Counts,
    /// Of the target side, if it has a vocabulary of its own.
    tgt: Option<Counts>,
}

#[cfg(feature = "train")]
impl TokenizerTrainer {
    /// A trainer that has seen nothing.
    #[must_use]
    pub fn new(spec: TokenizerSpec) -> Self {
        let counts = Counts::new(&spec);
        let tgt = (spec.sharing == Sharing::Separate).then(|| counts.clone());
        Self { spec, src: counts, tgt }
    }

    /// Shows it a source.
    pub fn add_src(&mut self, text: &str) {
        self.src.add(text);
    }

    /// Shows it a target.
    pub fn add_tgt(&mut self, text: &str) {
        self.tgt.as_mut().unwrap_or(&mut self.src).add(text);
    }

    /// The tokenizers.
    ///
    /// # Errors
    /// As [`Tokenizers::train`].
    pub fn finish(self) -> Result<Tokenizers, TextError> {
        let Self { spec, src, tgt } = self;
        let src = train(&spec, src)?;
        Ok(match tgt {
            None => Tokenizers::joint(src),
            Some(tgt) => Tokenizers::separate(src, train(&spec, tgt)?),
        })
    }
}

#[cfg(feature = "files")]
const JOINT: &str = "tokenizer.json";
#[cfg(feature = "files")]
const SRC: &str = "tokenizer.src.json";
#[cfg(feature = "files")]
const TGT: &str = "tokenizer.tgt.json";

impl Tokenizers {
    /// One tokenizer for both sides.
    pub fn joint(tokenizer: Tokenizer) -> Self {
        Self { src: tokenizer.clone(), tgt: tokenizer, sharing: Sharing::Joint }
    }

    /// A tokenizer for each side.
    pub fn separate(src: Tokenizer, tgt: Tokenizer) -> Self {
        Self { src, tgt, sharing: Sharing::Separate }
    }

    /// The files of a model folder: `(file name, content)`, in a fixed order.
    pub fn to_json(&self) -> Vec<(&'static str, String)> {
        match self.sharing {
            Sharing::Joint => vec![("tokenizer.json", self.src.to_json())],
            Sharing::Separate => {
                vec![("tokenizer.src.json", self.src.to_json()), ("tokenizer.tgt.json", self.tgt.to_json())]
            }
        }
    }

    /// The SHA-256 of the names and contents of their files, as 64 hexadecimal digits.
    #[cfg(feature = "files")]
    pub(crate) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        for (name, json) in self.to_json() {
            hash.update(format!("{name} {}\n{json}", json.len()));
        }
        hex(hash)
    }

    /// Trains on the texts of both sides; [`TokenizerTrainer`] does so on texts that come one after another.
    ///
    /// Joint: one vocabulary of `spec.vocab_size` from both. Separate: each side has one of that size. The result depends
    /// on the texts and `spec` alone.
    ///
    /// # Errors
    /// [`TextError::VocabTooSmall`] if `vocab_size` leaves no room beside specials and (words aside) bytes.
    #[cfg(feature = "train")]
    pub fn train<'a>(
        spec: &TokenizerSpec,
        src: impl IntoIterator<Item = &'a str>,
        tgt: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, TextError> {
        let mut trainer = TokenizerTrainer::new(spec.clone());
        src.into_iter().for_each(|text| trainer.add_src(text));
        tgt.into_iter().for_each(|text| trainer.add_tgt(text));
        trainer.finish()
    }

    /// Writes `tokenizer.json`, or `tokenizer.src.json` and `tokenizer.tgt.json`, into `dir`.
    ///
    /// # Errors
    /// [`TextError::Io`], naming the file.
    #[cfg(feature = "files")]
    pub fn save(&self, dir: &Path) -> Result<(), TextError> {
        for (name, json) in self.to_json() {
            let path = dir.join(name);
            std::fs::write(&path, json).map_err(|source| TextError::Io { path, source })?;
        }
        Ok(())
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// Files that are missing, ambiguous, unreadable or not [valid](Tokenizer::from_json); each error names the file.
    #[cfg(feature = "files")]
    pub fn load(dir: &Path) -> Result<Self, TextError> {
        let there = |name: &str| dir.join(name).exists();
        let read = |name: &str| Tokenizer::read(&dir.join(name));
        if there(JOINT) {
            if let Some(other) = [SRC, TGT].into_iter().find(|name| there(name)) {
                return Err(TextError::Ambiguous { dir: dir.to_owned(), other });
            }
            return Ok(Self::joint(read(JOINT)?));
        }
        if !there(SRC) && !there(TGT) {
            return Err(TextError::Missing { dir: dir.to_owned() });
        }
        Ok(Self::separate(read(SRC)?, read(TGT)?))
    }
}

#[cfg(all(test, feature = "train"))]
mod tests {
    use super::*;

    fn trained(sharing: Sharing) -> Tokenizers {
        let spec = TokenizerSpec { sharing, vocab_size: 300, ..TokenizerSpec::default() };
        Tokenizers::train(&spec, ["ein Haus, ein Baum"; 4], ["a house, a tree"; 4]).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn saved_and_loaded_tokenizers_are_the_same() {
        for (sharing, files) in [(Sharing::Joint, vec![JOINT]), (Sharing::Separate, vec![SRC, TGT])] {
            let dir = tempfile::tempdir().unwrap();
            let saved = trained(sharing);
            saved.save(dir.path()).unwrap();
            assert_eq!(names(dir.path()), files);
            let loaded = Tokenizers::load(dir.path()).unwrap();
            assert_eq!((loaded.sharing, loaded.to_json()), (sharing, saved.to_json()));
            assert_eq!(loaded.tgt.encode("a house"), saved.tgt.encode("a house"));
        }
    }

    #[test]
    fn a_folder_with_no_or_too_many_files_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let said = || Tokenizers::load(dir.path()).unwrap_err().to_string();
        assert!(said().contains("no tokenizer.json and no pair"), "{}", said());
        trained(Sharing::Separate).save(dir.path()).unwrap();
        std::fs::remove_file(dir.path().join(TGT)).unwrap();
        assert!(said().contains("tokenizer.tgt.json: "), "{}", said());
        trained(Sharing::Joint).save(dir.path()).unwrap();
        assert!(said().contains("tokenizer.json and tokenizer.src.json are both there"), "{}", said());
        std::fs::remove_file(dir.path().join(SRC)).unwrap();
        std::fs::write(dir.path().join(JOINT), "{}").unwrap();
        assert!(said().contains("tokenizer.json: no object under `model`"), "{}", said());
        let error = trained(Sharing::Joint).save(&dir.path().join("absent")).unwrap_err().to_string();
        assert!(error.contains("tokenizer.json: "), "{error}");
    }

    #[test]
    fn a_spec_is_read_with_defaults_and_refuses_unknown_keys() {
        let spec: TokenizerSpec = serde_json::from_str(r#"{"mode": "char", "sharing": "separate"}"#).unwrap();
        let expected = TokenizerSpec { mode: TextMode::Char, sharing: Sharing::Separate, ..TokenizerSpec::default() };
        assert_eq!(spec, expected);
        assert!(serde_json::from_str::<TokenizerSpec>(r#"{"vocab": 1}"#).is_err());
    }
}
