//! What a trained model makes of the test: its translations and how probable it finds the references. Kept in a file of its own, so that a study that goes on does not
//! translate again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Stage, StudyError, StudyObserver, folder};
use crate::Translator;
use crate::align::{Link, WeightsOf};
use crate::train::{GoldPairs, StopFlag};
use crate::view::Links;

/// Sentences translated between two looks at the stop flag.
const ROUND: usize = 128;

/// The sums of what a model was measured with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Of {
    /// Of the files of the model folder.
    pub(super) model: BTreeMap<String, String>,
    /// Of the test pairs.
    pub(super) test: String,
    /// Of the pairs whose words were linked, if any were.
    pub(super) linked: Option<String>,
}

/// What was measured of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Measured {
    of: Of,
    /// The best translation of every test source.
    pub(super) translations: Vec<String>,
    /// Negative log-likelihood of the references in nats, summed over their pieces.
    pub(super) nll: f64,
    /// Pieces of the references, ends included.
    pub(super) pieces: usize,
    /// The links it found between the words of the pairs with gold links.
    pub(super) links: Option<Vec<Vec<Link>>>,
}

impl Measured {
    /// What `path` holds of the model with these files on this test, if it does.
    pub(super) fn read(path: &Path, of: &Of) -> Option<Self> {
        let kept: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (kept.of == *of).then_some(kept)
    }

    /// Translates and scores `pairs`, links the words of those with gold links, and keeps the result in `path`.
    pub(super) fn make(
        path: &Path,
        of: Of,
        translator: &Translator,
        pairs: &[(&str, &str)],
        gold: Option<&GoldPairs>,
        stop: &StopFlag,
        observer: &mut dyn StudyObserver,
    ) -> Result<Self, StudyError> {
        let mut made = Self { of, translations: Vec::with_capacity(pairs.len()), nll: 0.0, pieces: 0, links: None };
        for round in pairs.chunks(ROUND) {
            if stop.is_set() {
                return Err(StudyError::Stopped);
            }
            observer.stage(Stage::Translating { done: made.translations.len(), all: pairs.len() });
            let sources: Vec<&str> = round.iter().map(|(src, _)| *src).collect();
            let found = translator.translate(&sources)?;
            // A model may write any character; a translation is a line.
            made.translations.extend(found.iter().map(|text| text.replace(['\n', '\0'], " ")));
            for score in translator.score_pairs(round)? {
                made.nll -= score.log_prob;
                made.pieces += score.tokens;
            }
        }
        if let Some(gold) = gold {
            let pairs = gold.pairs.pairs.to_vec()?;
            let linked: Vec<(&str, &str)> = pairs.iter().map(|pair| (pair.src.as_str(), pair.tgt.as_str())).collect();
            made.links = Some(translator.align_pairs(&linked, WeightsOf::Writing, Links::Strongest)?);
        }
        let json = serde_json::to_vec(&made).unwrap_or_else(|_| unreachable!("strings and finite numbers are JSON"));
        folder::write(path, &json)?;
        Ok(made)
    }

    /// Perplexity per piece of the references.
    #[allow(clippy::cast_precision_loss, reason = "pieces of a test are far below 2⁵²")]
    pub(super) fn perplexity(&self) -> f64 {
        (self.nll / self.pieces.max(1) as f64).exp()
    }
}
