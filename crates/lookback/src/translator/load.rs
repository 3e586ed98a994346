//! From a model folder, or from its parts, to a translator.

#[cfg(feature = "files")]
use std::path::Path;
use std::sync::Mutex;

use super::{Loaded, Translator};
use crate::backend::{Cpu, Purpose};
#[cfg(feature = "files")]
use crate::checkpoint::{Checkpoint, CheckpointError, Opened};
use crate::config::Config;
use crate::model::Seq2Seq;
use crate::params::Params;
use crate::shortlist::Shortlist;
use crate::stored::Stored;
use crate::text::Tokenizers;

impl Translator {
    /// Reads a model folder; computes on all cores.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what the folder's configuration says. Names file and tensor.
    #[cfg(feature = "files")]
    pub fn load(dir: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        Self::load_with(dir, 0)
    }

    /// Reads a model folder; computes on `threads` threads, 0 for one per core. Their number changes no result.
    ///
    /// # Errors
    /// As [`Translator::load`].
    #[cfg(feature = "files")]
    pub fn load_with(dir: impl AsRef<Path>, threads: usize) -> Result<Self, CheckpointError> {
        Self::load_on(dir, Cpu::detect(threads))
    }

    /// Reads a model folder; computes on a given processor, whose threads others may share.
    ///
    /// # Errors
    /// As [`Translator::load`].
    #[cfg(feature = "files")]
    pub fn load_on(dir: impl AsRef<Path>, cpu: Cpu) -> Result<Self, CheckpointError> {
        let opened = Opened::open(dir.as_ref())?;
        let (tokenizers, params) = std::thread::scope(|scope| {
            let read = || std::thread::Builder::new().spawn_scoped(scope, || opened.tokenizers()).ok();
            let beside = if cpu.threads() > 1 { read() } else { None };
            let params = opened.params(&cpu);
            // A thread that is not wanted, or that the system refuses, is done without.
            let tokenizers = beside.map_or_else(
                || opened.tokenizers(),
                |thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
            (tokenizers, params)
        });
        let (tokenizers, params) = (tokenizers?, params?);
        let Opened { config, model, .. } = opened;
        Ok(Self::with(cpu, tokenizers, Loaded { config, model, params }))
    }

    /// A model in memory, on a given processor.
    ///
    /// # Panics
    /// If a parameter has not the length its shape needs.
    #[cfg(feature = "files")]
    #[must_use]
    pub fn from_checkpoint(checkpoint: Checkpoint, cpu: Cpu<f32>) -> Self {
        Self::new(checkpoint.config, checkpoint.tokenizers, &checkpoint.values, cpu)
    }

    /// A model from its parts; `values` are those of [`Seq2Seq::new`]'s parameters, in the same order.
    ///
    /// # Panics
    /// If the configuration was not resolved, or `values` do not fit it.
    #[must_use]
    pub fn new(config: Config, tokenizers: Tokenizers, values: &[Stored], cpu: Cpu<f32>) -> Self {
        let (src, tgt) = (tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
        let (model, specs) = Seq2Seq::new(&config.model, src, tgt);
        let params = Params::from_stored(&cpu, specs, values);
        Self::with(cpu, tokenizers, Loaded { config, model, params })
    }

    fn with(cpu: Cpu<f32>, tokenizers: Tokenizers, mut loaded: Loaded) -> Self {
        loaded.params.prepare(&cpu, Purpose::Decode);
        Self { cpu, tokenizers, models: vec![loaded], shortlist: None, tapes: Mutex::default() }
    }

    /// [`Translator::with_shortlist`], with the one of a model folder.
    ///
    /// # Errors
    /// If there is none, it cannot be read, or its vocabularies are others.
    #[cfg(feature = "files")]
    pub fn with_shortlist_of(self, dir: impl AsRef<Path>) -> Result<Self, CheckpointError> {
        let shortlist = Shortlist::load(dir.as_ref(), &self.tokenizers)?;
        Ok(self.with_shortlist(shortlist))
    }

    /// The same translator with a shortlist: translations are written with its candidates alone, and log-probabilities are those among them. Scoring does not use it.
    #[must_use]
    pub fn with_shortlist(self, shortlist: Shortlist) -> Self {
        Self { shortlist: Some(shortlist), ..self }
    }
}
