//! A lexical shortlist: which pieces a translation may be written with, by the pieces of its source.
//!
//! Most of a decoder's time goes into the output layer over the whole vocabulary, of which a sentence needs a few hundred pieces. A shortlist has, for every piece of the source, the
//! pieces that most probably translate it, and the most frequent ones for all (Jean et al. 2015, §4; Marian's `--shortlist`). It is learnt from pairs, with IBM's first model.
//!
//! | tensor of `shortlist.safetensors` | what |
//! |---|---|
//! | `counts` (V_src,) | how many candidates every piece of the source has |
//! | `candidates` | these, piece after piece, the most probable first |
//! | `frequent` | the candidates of all sentences, the most frequent first |
//!
//! No list has a piece twice. The metadata has the SHA-256 of the tokenizers under `tokenizers`: of others' pieces the list knows nothing.

#[cfg(feature = "files")]
use std::io::ErrorKind;
#[cfg(feature = "files")]
use std::path::Path;

#[cfg(feature = "files")]
use crate::checkpoint::{CheckpointError, Numbers, Tensor, TensorFile, write_tensors};
#[cfg(feature = "files")]
use crate::text::Tokenizers;

mod learn;
#[cfg(all(test, feature = "train"))]
mod tests;

pub use learn::{Learner, Settings};

/// The shortlist's file in a model folder.
#[cfg(feature = "files")]
pub const SHORTLIST_FILE: &str = "shortlist.safetensors";

/// Where the tokenizers' SHA-256 is in its metadata.
#[cfg(feature = "files")]
const TOKENIZERS: &str = "tokenizers";

/// Candidates by the pieces of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortlist {
    /// How many each piece of the source has (V_src,).
    counts: Vec<u32>,
    /// Where each piece's begin (V_src,).
    starts: Vec<usize>,
    candidates: Vec<u32>,
    frequent: Vec<u32>,
}

impl Shortlist {
    fn new(counts: Vec<u32>, candidates: Vec<u32>, frequent: Vec<u32>) -> Self {
        let mut end = 0;
        let start = |&count: &u32| {
            end += count as usize;
            end - count as usize
        };
        let starts = counts.iter().map(start).collect();
        Self { counts, starts, candidates, frequent }
    }

    /// The pieces a translation of `src` may be written with: ascending, none twice. Ids outside the vocabulary have none of their own.
    #[must_use]
    pub fn candidates(&self, src: &[u32]) -> Vec<u32> {
        // Each list once: a source may be long, and a list from a stranger as long as its file.
        let mut src = src.to_vec();
        src.sort_unstable();
        src.dedup();
        let mut all = self.frequent.clone();
        for id in src {
            if let (Some(&start), Some(&count)) = (self.starts.get(id as usize), self.counts.get(id as usize)) {
                all.extend(&self.candidates[start..start + count as usize]);
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    /// How many pieces of the source have candidates of their own, and how many candidates there are in all.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        (self.counts.iter().filter(|&&count| count > 0).count(), self.candidates.len())
    }

    /// Writes the shortlist into a model folder with these tokenizers.
    ///
    /// # Errors
    /// If the file cannot be written.
    #[cfg(feature = "files")]
    pub fn save(&self, dir: &Path, tokenizers: &Tokenizers) -> Result<(), CheckpointError> {
        let tensors = [("counts", &self.counts), ("candidates", &self.candidates), ("frequent", &self.frequent)];
        let tensors = tensors.map(|(name, ids)| Tensor {
            name: name.to_owned(),
            shape: vec![ids.len()],
            numbers: Numbers::U32(ids),
        });
        write_tensors(&dir.join(SHORTLIST_FILE), &tensors, Some((TOKENIZERS, tokenizers.sha256())))
    }

    /// Reads the shortlist of a model folder whose tokenizers are these.
    ///
    /// # Errors
    /// If there is none, it cannot be read, it was learnt with other tokenizers, or its lists are not of their vocabularies. Names file and tensor.
    #[cfg(feature = "files")]
    pub fn load(dir: &Path, tokenizers: &Tokenizers) -> Result<Self, CheckpointError> {
        let path = dir.join(SHORTLIST_FILE);
        let file = TensorFile::read(&path).map_err(|error| match error {
            CheckpointError::Read { source, .. } if source.kind() == ErrorKind::NotFound => {
                CheckpointError::NoShortlist { dir: dir.to_owned() }
            }
            other => other,
        })?;
        if file.metadata(TOKENIZERS)? != tokenizers.sha256() {
            return Err(CheckpointError::OtherTokenizers { path });
        }
        file.expect_only(["counts", "candidates", "frequent"].map(str::to_owned).into_iter())?;
        let [counts, candidates, frequent] = [file.ids("counts")?, file.ids("candidates")?, file.ids("frequent")?];
        let damaged = |message: String| Err(CheckpointError::Damaged { path: path.clone(), message });
        let (src, tgt) = (tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
        if counts.len() != src {
            let found = counts.len();
            return damaged(format!("`counts` has {found} pieces, the source vocabulary {src}"));
        }
        if let Some(index) = counts.iter().position(|&count| count as usize > tgt) {
            let count = counts[index];
            return damaged(format!("`counts` holds {count} at {index}; the target vocabulary has {tgt} pieces"));
        }
        let sum: u64 = counts.iter().map(|&count| u64::from(count)).sum();
        if sum != candidates.len() as u64 {
            return damaged(format!("`counts` add up to {sum}, `candidates` are {}", candidates.len()));
        }
        for (name, ids) in [("candidates", &candidates), ("frequent", &frequent)] {
            if let Some(index) = ids.iter().position(|&id| id as usize >= tgt) {
                let id = ids[index];
                return damaged(format!("`{name}` holds {id} at {index}; the target vocabulary has {tgt} pieces"));
            }
        }
        let shortlist = Self::new(counts, candidates, frequent);
        // For every piece of the target, the last list that had it.
        let mut last = vec![None; tgt];
        let lists = shortlist.starts.iter().zip(&shortlist.counts);
        let lists =
            lists.map(|(&start, &count)| ("candidates", start, &shortlist.candidates[start..][..count as usize]));
        for (list, (name, start, ids)) in lists.chain([("frequent", 0, &shortlist.frequent[..])]).enumerate() {
            let is_repeated = |&id: &u32| last[id as usize].replace(list) == Some(list);
            if let Some(index) = ids.iter().position(is_repeated) {
                let (id, index) = (ids[index], start + index);
                return damaged(format!("`{name}` holds {id} at {index} for the second time in a list"));
            }
        }
        Ok(shortlist)
    }
}
