//! The model folder: what a trained model is on disk.
//!
//! | file | what |
//! |---|---|
//! | `config.json` | the effective configuration, sizes of the vocabularies, format version |
//! | `model.safetensors` | the weights, under PyTorch's names where PyTorch has one |
//! | `tokenizer.json`, or `tokenizer.src.json` and `tokenizer.tgt.json` | the tokenizers |
//! | `training.safetensors` | the training's state: weights, optimiser, position (written by training only) |
//!
//! Every file is written under a temporary name, synced and renamed, so it is whole or absent. Reading checks everything against the configuration before a
//! number is used.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::config::{Config, TiedEmbeddings};
use crate::model::Seq2Seq;
use crate::params::{ParamSpec, Params};
use crate::read_bounded::read_text;
use crate::stored::{Storage, Stored};
use crate::text::{TextError, Tokenizers};

mod average;
mod tensors;
#[cfg(all(test, feature = "train"))]
mod tests;
mod write;

pub use average::AverageError;
pub(crate) use tensors::TensorFile;
pub(crate) use write::write_atomic;
use write::write_stored;
pub(crate) use write::{Numbers, Tensor, write_tensors};
#[cfg(feature = "train")]
pub(crate) use write::{replace, write_whole};

/// The longest `config.json` that is read, in bytes.
const MOST_CONFIG: u64 = 1 << 20;
/// The most numbers a model that is read may have: 4 GiB of them.
const MOST_PARAMETERS: usize = 1 << 30;
/// The version of the folder's format.
const FORMAT: u32 = 1;
/// The configuration's file.
pub const CONFIG_FILE: &str = "config.json";
/// The weights' file.
pub const MODEL_FILE: &str = "model.safetensors";
/// The training state's file.
pub const STATE_FILE: &str = "training.safetensors";

/// A model folder in memory.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// The effective configuration.
    pub config: Config,
    /// The tokenizers.
    pub tokenizers: Tokenizers,
    /// The model's structure.
    pub model: Seq2Seq,
    /// Its parameters.
    pub specs: Vec<ParamSpec>,
    /// How matrices are stored.
    pub storage: Storage,
    /// The values of the parameters, in the same order.
    pub values: Vec<Stored>,
}

/// `config.json`.
#[derive(Debug, Serialize, Deserialize)]
struct ConfigFile {
    format: u32,
    version: String,
    vocabulary: Vocabulary,
    /// How the matrices of the weights' file are stored.
    #[serde(default)]
    weights: Storage,
    #[serde(flatten)]
    config: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Vocabulary {
    src: usize,
    tgt: usize,
}

/// Why a model folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("`{}`: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A folder of a later program.
    #[error("`{}` has format {found}, this program reads {FORMAT}; use a newer lookback", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A parameter is not in the file.
    #[error("`{}` has no tensor `{tensor}`; is it from another model configuration?", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The parameter.
        tensor: String,
    },
    /// The file holds something the model does not have.
    #[error("`{}` holds tensor `{tensor}`, which the model of `config.json` does not have", path.display())]
    UnknownTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A parameter of the wrong shape.
    #[error("`{}`: tensor `{tensor}` has shape {found:?}, the configuration needs {expected:?}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// The parameter.
        tensor: String,
        /// What the configuration needs.
        expected: Vec<usize>,
        /// What the file holds.
        found: Vec<usize>,
    },
    /// A parameter of the wrong type.
    #[error("`{}`: tensor `{tensor}` holds {found}, expected {expected}; `weights` in `config.json` says how they are stored", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The parameter.
        tensor: String,
        /// What the configuration says.
        expected: String,
        /// What the file holds.
        found: String,
    },
    /// A parameter with an infinite value or NaN.
    #[error("`{}`: tensor `{tensor}` holds a value that is not finite at {index}", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The parameter.
        tensor: String,
        /// Where.
        index: usize,
    },
    /// A configuration of a model that is too large.
    #[error("`{}` describes a model of more than {MOST_PARAMETERS} numbers, which is refused", path.display())]
    TooManyParameters {
        /// The file.
        path: PathBuf,
    },
    /// Weights that lost bits, where all are needed.
    #[error("the weights are stored as {found}; this needs all their bits: use the folder they were made from")]
    Converted {
        /// How they are stored.
        found: &'static str,
    },
    /// A folder without a shortlist.
    #[error("`{}` has no shortlist; learn one from its training pairs: lookback shortlist -m DIR PAIRS", dir.display())]
    NoShortlist {
        /// The folder.
        dir: PathBuf,
    },
    /// A shortlist that knows other pieces.
    #[error("`{}` was learnt with other tokenizers; learn it again: lookback shortlist -m DIR PAIRS", path.display())]
    OtherTokenizers {
        /// The file.
        path: PathBuf,
    },
    /// A number that bfloat16 has not.
    #[error(
        "tensor `{tensor}` holds {value} at {index}, which is infinite in bfloat16; leave the model in single precision, or use 8 bits"
    )]
    BeyondBf16 {
        /// The parameter.
        tensor: String,
        /// Where.
        index: usize,
        /// The number.
        value: f32,
    },
    /// The tokenizers cannot be used.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The vocabulary of a tokenizer is not the one of the configuration.
    #[error("`{}`: the {side} tokenizer has {found} pieces, `config.json` says {expected}", dir.display())]
    Vocabulary {
        /// The folder.
        dir: PathBuf,
        /// `source` or `target`.
        side: &'static str,
        /// By the configuration.
        expected: usize,
        /// By the tokenizer.
        found: usize,
    },
}

/// A model folder whose configuration was read and checked. Tokenizers and weights can be read at the same time: what they have to be is known.
#[derive(Debug)]
pub(crate) struct Opened<'a> {
    dir: &'a Path,
    pub(crate) config: Config,
    vocabulary: Vocabulary,
    pub(crate) model: Seq2Seq,
    pub(crate) specs: Vec<ParamSpec>,
    pub(crate) storage: Storage,
}

impl<'a> Opened<'a> {
    pub(crate) fn open(dir: &'a Path) -> Result<Self, CheckpointError> {
        let (config, vocabulary, storage) = load_config(dir)?;
        let (model, specs) = Seq2Seq::new(&config.model, vocabulary.src, vocabulary.tgt);
        check_size(&specs, dir)?;
        Ok(Self { dir, config, vocabulary, model, specs, storage })
    }

    /// The tokenizers, which have as many pieces as the configuration says.
    pub(crate) fn tokenizers(&self) -> Result<Tokenizers, CheckpointError> {
        let tokenizers = Tokenizers::load(self.dir)?;
        for (side, expected, found) in [
            ("source", self.vocabulary.src, tokenizers.src.vocab_size()),
            ("target", self.vocabulary.tgt, tokenizers.tgt.vocab_size()),
        ] {
            if expected != found {
                return Err(CheckpointError::Vocabulary { dir: self.dir.to_owned(), side, expected, found });
            }
        }
        Ok(tokenizers)
    }

    /// The weights' file, which holds every parameter in its shape and type, and nothing else.
    fn weights(&self) -> Result<TensorFile, CheckpointError> {
        let weights = TensorFile::read(&self.dir.join(MODEL_FILE))?;
        weights.expect_stored(&self.specs, self.storage)?;
        Ok(weights)
    }

    /// The parameters on a device.
    pub(crate) fn params<B: Backend>(&self, backend: &B) -> Result<Params<B>, CheckpointError> {
        let file = self.weights()?;
        let weights = self.specs.iter().map(|spec| file.weight(backend, spec, self.storage));
        Ok(Params::of_weights(self.specs.clone(), weights.collect::<Result<_, _>>()?))
    }
}

impl Checkpoint {
    /// A model with given values.
    #[must_use]
    pub fn new(config: Config, tokenizers: Tokenizers, values: Vec<Vec<f32>>) -> Self {
        let (model, specs) = build(&config, &tokenizers);
        let values = values.into_iter().map(Stored::from).collect();
        Self { config, tokenizers, model, specs, storage: Storage::F32, values }
    }

    /// The same model with its matrices stored otherwise.
    ///
    /// # Errors
    /// If they lost bits before (what is made of them would lose more), or a number is infinite in bfloat16. Names the tensor.
    pub fn convert(self, storage: Storage) -> Result<Self, CheckpointError> {
        let converted = |(spec, values): (&ParamSpec, &Vec<f32>)| {
            let stored = Stored::new(spec, values, storage);
            match stored.first_beyond_bf16() {
                Some(index) => {
                    Err(CheckpointError::BeyondBf16 { tensor: spec.name.clone(), index, value: values[index] })
                }
                None => Ok(stored),
            }
        };
        let values = self.specs.iter().zip(&self.all_bits()?).map(converted).collect::<Result<_, _>>()?;
        Ok(Self { storage, values, ..self })
    }

    /// The values of every parameter in single precision, of a model that lost none of their bits.
    ///
    /// # Errors
    /// If it did.
    pub fn all_bits(&self) -> Result<Vec<Vec<f32>>, CheckpointError> {
        if self.storage != Storage::F32 {
            return Err(CheckpointError::Converted { found: self.storage.name() });
        }
        Ok(self.values.iter().map(Stored::to_f32).collect())
    }

    /// How the matrices of a model folder are stored.
    ///
    /// # Errors
    /// If its `config.json` cannot be read.
    pub fn storage(dir: &Path) -> Result<Storage, CheckpointError> {
        load_config(dir).map(|(_, _, storage)| storage)
    }

    /// The configuration of a model folder.
    ///
    /// # Errors
    /// If its `config.json` cannot be read.
    pub fn config(dir: &Path) -> Result<Config, CheckpointError> {
        load_config(dir).map(|(config, _, _)| config)
    }

    /// The tokenizers of a model folder.
    ///
    /// # Errors
    /// If its `config.json` or they cannot be read, or do not go together.
    pub fn tokenizers(dir: &Path) -> Result<Tokenizers, CheckpointError> {
        Opened::open(dir)?.tokenizers()
    }

    /// Reads and checks a model folder.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what the configuration says. Names file and tensor.
    pub fn load(dir: &Path) -> Result<Self, CheckpointError> {
        let opened = Opened::open(dir)?;
        let tokenizers = opened.tokenizers()?;
        let weights = opened.weights()?;
        let Opened { config, model, specs, storage, .. } = opened;
        let values = specs.iter().map(|spec| weights.stored(spec, storage)).collect::<Result<_, _>>()?;
        Ok(Self { config, tokenizers, model, specs, storage, values })
    }

    /// Writes the whole model folder, made if need be.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), CheckpointError> {
        fs::create_dir_all(dir).map_err(|source| CheckpointError::Write { path: dir.to_owned(), source })?;
        write_config(dir, &self.config, &self.tokenizers, self.storage)?;
        write_stored(&dir.join(MODEL_FILE), &self.specs, &self.values)
    }

    /// Writes configuration and tokenizers of a model in single precision.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save_config(dir: &Path, config: &Config, tokenizers: &Tokenizers) -> Result<(), CheckpointError> {
        write_config(dir, config, tokenizers, Storage::F32)
    }

    /// Writes the weights of a model that is being trained.
    #[cfg(feature = "train")]
    pub(crate) fn save_params<B: Backend>(dir: &Path, params: &Params<B>, backend: &B) -> Result<(), CheckpointError> {
        write_tensors(&dir.join(MODEL_FILE), &params.tensors(backend, ""), None)
    }

    /// How many numbers the parameters are.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.specs.iter().map(ParamSpec::len).sum()
    }
}

fn write_config(dir: &Path, config: &Config, tokenizers: &Tokenizers, storage: Storage) -> Result<(), CheckpointError> {
    let path = dir.join(CONFIG_FILE);
    let damaged = |message: String| CheckpointError::Damaged { path: path.clone(), message };
    let vocabulary = Vocabulary { src: tokenizers.src.vocab_size(), tgt: tokenizers.tgt.vocab_size() };
    let serde_json::Value::Object(map) = serde_json::to_value(config).map_err(|e| damaged(e.to_string()))? else {
        return Err(damaged("a configuration is a table".into()));
    };
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let file = ConfigFile { format: FORMAT, version, vocabulary, weights: storage, config: map };
    let mut text = serde_json::to_string_pretty(&file).map_err(|e| damaged(e.to_string()))?;
    text.push('\n');
    for (name, json) in tokenizers.to_json() {
        write_atomic(&dir.join(name), json.as_bytes())?;
    }
    write_atomic(&path, text.as_bytes())
}

fn build(config: &Config, tokenizers: &Tokenizers) -> (Seq2Seq, Vec<ParamSpec>) {
    Seq2Seq::new(&config.model, tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size())
}

/// Refuses a configuration whose parameters nobody has memory for.
fn check_size(specs: &[ParamSpec], dir: &Path) -> Result<(), CheckpointError> {
    let add =
        |sum: usize, spec: &ParamSpec| sum.checked_add(spec.shape.iter().try_fold(1, |a: usize, &b| a.checked_mul(b))?);
    match specs.iter().try_fold(0, add) {
        Some(count) if count <= MOST_PARAMETERS => Ok(()),
        _ => Err(CheckpointError::TooManyParameters { path: dir.join(CONFIG_FILE) }),
    }
}

fn load_config(dir: &Path) -> Result<(Config, Vocabulary, Storage), CheckpointError> {
    let path = dir.join(CONFIG_FILE);
    let text = read_text(&path, MOST_CONFIG).map_err(|source| CheckpointError::Read { path: path.clone(), source })?;
    let damaged = |message: String| CheckpointError::Damaged { path: path.clone(), message };
    let file: ConfigFile = serde_json::from_str(&text).map_err(|e| damaged(e.to_string()))?;
    if file.format != FORMAT {
        return Err(CheckpointError::Format { path, found: file.format });
    }
    let config: Config =
        serde_json::from_value(serde_json::Value::Object(file.config)).map_err(|e| damaged(e.to_string()))?;
    if config.model.hidden.is_none() || config.model.embedding.is_none() || config.model.dropout.is_none() {
        return Err(damaged("`model.hidden`, `model.embedding` and `model.dropout` must have values".into()));
    }
    config.check().map_err(|e| damaged(e.to_string()))?;
    let Vocabulary { src, tgt } = file.vocabulary;
    if config.model.tied_embeddings == TiedEmbeddings::All && src != tgt {
        return Err(damaged(format!("all embeddings are tied, but the vocabularies have {src} and {tgt} pieces")));
    }
    Ok((config, file.vocabulary, file.weights))
}
