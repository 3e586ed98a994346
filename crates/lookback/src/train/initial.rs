//! What a training starts from: random weights, the weights of another model, or word vectors in the place of random embeddings.

use sha2::{Digest, Sha256};

use super::{Event, Observer, TrainError};
use crate::backend::Cpu;
use crate::checkpoint::Checkpoint;
use crate::config::{Config, ConfigError, TextMode, TiedEmbeddings};
use crate::data::{DataError, Side, VectorReport, WordVectors, file_sha256, hex};
use crate::params::{ParamSpec, Params};
use crate::text::Tokenizers;

/// What a training starts from.
#[derive(Debug, Default)]
pub enum Initial {
    /// Weights drawn from the seed.
    #[default]
    Random,
    /// The weights and tokenizers of a model, to be trained further on other pairs; the optimiser starts anew.
    Model(Box<Checkpoint>),
    /// Random weights, but embeddings of the words that are found in these files.
    Vectors(VectorFiles),
}

/// Files of word vectors, for `text.mode = "word"`.
#[derive(Debug, Default)]
pub struct VectorFiles {
    /// Vectors of source words.
    pub src: Option<WordVectors>,
    /// Vectors of target words.
    pub tgt: Option<WordVectors>,
}

impl Initial {
    /// Fails if the configuration says another model than the one to start from; what it leaves open is not looked at.
    pub(super) fn check_model(&self, config: &Config) -> Result<(), TrainError> {
        let Self::Model(model) = self else { return Ok(()) };
        let changes = config.architecture().changes(&model.config.architecture());
        match changes.into_iter().find(|change| !change.now.is_null()) {
            Some(change) => Err(TrainError::OtherModel { change }),
            None => Ok(()),
        }
    }

    /// Fails if a training with this resolved configuration cannot start from it.
    pub(super) fn check(&self, config: &Config) -> Result<(), TrainError> {
        match self {
            Self::Random => Ok(()),
            Self::Model(model) => {
                model.all_bits()?;
                self.check_model(config)
            }
            Self::Vectors(files) => Ok(files.check(config)?),
        }
    }

    /// The sum of the model, or of the files of word vectors; none of random weights.
    pub(super) fn sha256(&self) -> Result<Option<String>, TrainError> {
        let mut hash = Sha256::new();
        match self {
            Self::Random => return Ok(None),
            Self::Model(model) => {
                hash.update(model.tokenizers.sha256());
                for values in &model.values {
                    values.to_f32().iter().for_each(|value| hash.update(value.to_le_bytes()));
                }
            }
            Self::Vectors(VectorFiles { src, tgt }) => {
                for (side, file) in [("source", src), ("target", tgt)] {
                    let Some(WordVectors(path)) = file else { continue };
                    let sum = file_sha256(path).map_err(|source| DataError::Io { path: path.clone(), source })?;
                    hash.update(format!("{side} {sum} "));
                }
            }
        }
        Ok(Some(hex(hash)))
    }

    /// The tokenizers that come with it.
    pub(super) fn tokenizers(&self) -> Option<Tokenizers> {
        match self {
            Self::Model(model) => Some(model.tokenizers.clone()),
            _ => None,
        }
    }

    /// The weights of a training that begins.
    pub(super) fn params(
        &self,
        cpu: &Cpu,
        specs: Vec<ParamSpec>,
        seed: u64,
        tokenizers: &Tokenizers,
        observer: &mut dyn Observer,
    ) -> Result<Params<Cpu>, TrainError> {
        match self {
            Self::Random => Ok(Params::init(cpu, specs, seed)),
            Self::Model(model) => Ok(Params::from_values(cpu, specs, &model.all_bits()?)),
            Self::Vectors(files) => {
                let mut values: Vec<Vec<f32>> = (0..).zip(&specs).map(|(place, s)| s.initial(seed, place)).collect();
                for report in files.put(&specs, &mut values, tokenizers)? {
                    observer.event(Event::Vectors(&report));
                }
                Ok(Params::from_values(cpu, specs, &values))
            }
        }
    }
}

impl VectorFiles {
    fn check(&self, config: &Config) -> Result<(), ConfigError> {
        if config.text.mode != Some(TextMode::Word) {
            let message = "word vectors are for whole words; set it to `\"word\"`, or leave the vectors out".into();
            return Err(ConfigError::Invalid { key: "text.mode", message });
        }
        if self.tgt.is_some() && config.model.tied_embeddings == TiedEmbeddings::All {
            let message = "with `all` both sides have one table; give vectors for the source alone".into();
            return Err(ConfigError::Invalid { key: "model.tied_embeddings", message });
        }
        Ok(())
    }

    /// Puts the vectors in the rows of their words.
    fn put(
        &self,
        specs: &[ParamSpec],
        values: &mut [Vec<f32>],
        tokenizers: &Tokenizers,
    ) -> Result<Vec<VectorReport>, TrainError> {
        let sides = [
            (Side::Src, &self.src, &tokenizers.src, "encoder.embedding.weight"),
            (Side::Tgt, &self.tgt, &tokenizers.tgt, "decoder.embedding.weight"),
        ];
        let mut reports = Vec::new();
        for (side, file, tokenizer, table) in sides {
            let Some(file) = file else { continue };
            let place = specs.iter().position(|s| s.name == table || s.name == "embedding.weight");
            let place = place.expect("a model has embeddings");
            reports.push(file.put(side, tokenizer, &mut values[place])?);
        }
        Ok(reports)
    }
}
