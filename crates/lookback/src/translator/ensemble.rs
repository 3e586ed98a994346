//! Several models that translate together.

#[cfg(feature = "files")]
use std::path::{Path, PathBuf};

use super::Translator;
#[cfg(feature = "files")]
use crate::backend::Cpu;
#[cfg(feature = "files")]
use crate::checkpoint::CheckpointError;
use crate::text::Tokenizer;

/// Why models cannot translate together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnsembleError {
    /// A model folder cannot be read.
    #[cfg(feature = "files")]
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No model was named.
    #[error("no model; name at least one model folder")]
    Empty,
    /// A folder that does not go with the first.
    #[cfg(feature = "files")]
    #[error("`{}` does not go with `{}`: {source}", dir.display(), first.display())]
    Folder {
        /// The folder.
        dir: PathBuf,
        /// The first one.
        first: PathBuf,
        /// Why not.
        source: Box<EnsembleError>,
    },
    /// The vocabularies are not equally large.
    #[error("model {number}: its {side} vocabulary has {found} pieces, that of model 1 has {expected}; {REMEDY}")]
    Size {
        /// Which model, from 1.
        number: usize,
        /// `source` or `target`.
        side: &'static str,
        /// Pieces of the first model.
        expected: usize,
        /// Its own.
        found: usize,
    },
    /// A piece is not the same.
    #[error("model {number}: {side} piece {id} is `{found}`, in model 1 it is `{expected}`; {REMEDY}")]
    Piece {
        /// Which model, from 1.
        number: usize,
        /// `source` or `target`.
        side: &'static str,
        /// The first id whose pieces differ.
        id: u32,
        /// Of the first model.
        expected: String,
        /// Its own.
        found: String,
    },
    /// The pieces are the same, but text is cut otherwise.
    #[error("model {number}: its {side} tokenizer has the pieces of model 1, but cuts text by other rules; {REMEDY}")]
    Rules {
        /// Which model, from 1.
        number: usize,
        /// `source` or `target`.
        side: &'static str,
    },
}

const REMEDY: &str = "models of an ensemble are trained with the same tokenizers";

impl Translator {
    /// Reads model folders that translate together on `cpu`: at every step they say the mean of their log-probabilities. They may
    /// differ in all but their vocabularies. Search settings are those of the first.
    ///
    /// # Errors
    /// As [`Translator::load`], if no folder is named, and if vocabularies differ: names the first difference.
    #[cfg(feature = "files")]
    pub fn load_ensemble(dirs: &[impl AsRef<Path>], cpu: &Cpu) -> Result<Self, EnsembleError> {
        let (first, others) = dirs.split_first().ok_or(EnsembleError::Empty)?;
        let mut ensemble = Self::load_on(first, cpu.clone())?;
        for dir in others {
            let other = Self::load_on(dir, cpu.clone())?;
            ensemble = ensemble.join(other).map_err(|source| EnsembleError::Folder {
                dir: dir.as_ref().to_owned(),
                first: first.as_ref().to_owned(),
                source: Box::new(source),
            })?;
        }
        Ok(ensemble)
    }

    /// The models of both, on the processor of the first.
    ///
    /// # Errors
    /// If their vocabularies differ: names the first difference.
    pub fn join(mut self, other: Self) -> Result<Self, EnsembleError> {
        let number = self.models.len() + 1;
        same(number, "source", &self.tokenizers.src, &other.tokenizers.src)?;
        same(number, "target", &self.tokenizers.tgt, &other.tokenizers.tgt)?;
        self.models.extend(other.models);
        Ok(self)
    }
}

fn same(number: usize, side: &'static str, first: &Tokenizer, other: &Tokenizer) -> Result<(), EnsembleError> {
    let (expected, found) = (first.vocab_size(), other.vocab_size());
    let piece = |tokenizer: &Tokenizer, id| tokenizer.piece(id).unwrap_or_default().to_owned();
    let ids = 0..u32::try_from(expected.min(found)).unwrap_or(u32::MAX);
    if let Some(id) = ids.into_iter().find(|&id| first.piece(id) != other.piece(id)) {
        let (expected, found) = (piece(first, id), piece(other, id));
        return Err(EnsembleError::Piece { number, side, id, expected, found });
    }
    if expected != found {
        return Err(EnsembleError::Size { number, side, expected, found });
    }
    if first.to_json() != other.to_json() {
        return Err(EnsembleError::Rules { number, side });
    }
    Ok(())
}
