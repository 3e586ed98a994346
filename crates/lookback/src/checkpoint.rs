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

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::model::Seq2Seq;
use crate::params::ParamSpec;
use crate::read_bounded::read_text;
use crate::text::{TextError, Tokenizers};

mod average;

pub use average::AverageError;

mod tensors;
#[cfg(all(test, feature = "train"))]
mod tests;

pub(crate) use tensors::TensorFile;

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
    /// Their values, in the same order.
    pub values: Vec<Vec<f32>>,
}

/// `config.json`.
#[derive(Debug, Serialize, Deserialize)]
struct ConfigFile {
    format: u32,
    version: String,
    vocabulary: Vocabulary,
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
    #[error("`{}`: tensor `{tensor}` holds {found}, expected F32", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The parameter.
        tensor: String,
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

impl Checkpoint {
    /// A model with given values.
    #[must_use]
    pub fn new(config: Config, tokenizers: Tokenizers, values: Vec<Vec<f32>>) -> Self {
        let (model, specs) = build(&config, &tokenizers);
        Self { config, tokenizers, model, specs, values }
    }

    /// Reads and checks a model folder.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what the configuration says. Names file and tensor.
    pub fn load(dir: &Path) -> Result<Self, CheckpointError> {
        let (config, vocabulary) = load_config(dir)?;
        let tokenizers = Tokenizers::load(dir)?;
        for (side, expected, found) in [
            ("source", vocabulary.src, tokenizers.src.vocab_size()),
            ("target", vocabulary.tgt, tokenizers.tgt.vocab_size()),
        ] {
            if expected != found {
                return Err(CheckpointError::Vocabulary { dir: dir.to_owned(), side, expected, found });
            }
        }
        let (model, specs) = build(&config, &tokenizers);
        check_size(&specs, dir)?;
        let path = dir.join(MODEL_FILE);
        let file = TensorFile::read(&path)?;
        file.expect_only(specs.iter().map(|s| s.name.clone()))?;
        let values = file.values(&specs, "")?;
        Ok(Self { config, tokenizers, model, specs, values })
    }

    /// Writes configuration and tokenizers.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save_config(dir: &Path, config: &Config, tokenizers: &Tokenizers) -> Result<(), CheckpointError> {
        let path = dir.join(CONFIG_FILE);
        let damaged = |message: String| CheckpointError::Damaged { path: path.clone(), message };
        let vocabulary = Vocabulary { src: tokenizers.src.vocab_size(), tgt: tokenizers.tgt.vocab_size() };
        let serde_json::Value::Object(map) = serde_json::to_value(config).map_err(|e| damaged(e.to_string()))? else {
            return Err(damaged("a configuration is a table".into()));
        };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let file = ConfigFile { format: FORMAT, version, vocabulary, config: map };
        let mut text = serde_json::to_string_pretty(&file).map_err(|e| damaged(e.to_string()))?;
        text.push('\n');
        for (name, json) in tokenizers.to_json() {
            write_atomic(&dir.join(name), json.as_bytes())?;
        }
        write_atomic(&path, text.as_bytes())
    }

    /// Writes weights.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save_weights(dir: &Path, specs: &[ParamSpec], values: &[Vec<f32>]) -> Result<(), CheckpointError> {
        let tensors: Vec<(String, Vec<usize>, &[f32])> =
            specs.iter().zip(values).map(|(s, v)| (s.name.clone(), s.shape.clone(), &v[..])).collect();
        write_tensors(&dir.join(MODEL_FILE), &tensors, HashMap::from([("format".to_owned(), "pt".to_owned())]))
    }

    /// Writes a whole model folder, made if need be.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save_parts(
        dir: &Path,
        config: &Config,
        tokenizers: &Tokenizers,
        specs: &[ParamSpec],
        values: &[Vec<f32>],
    ) -> Result<(), CheckpointError> {
        fs::create_dir_all(dir).map_err(|source| CheckpointError::Write { path: dir.to_owned(), source })?;
        Self::save_config(dir, config, tokenizers)?;
        Self::save_weights(dir, specs, values)
    }

    /// How many numbers the parameters are.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.specs.iter().map(ParamSpec::len).sum()
    }
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

fn load_config(dir: &Path) -> Result<(Config, Vocabulary), CheckpointError> {
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
    Ok((config, file.vocabulary))
}

/// Writes tensors of f32 under a temporary name, synced and renamed.
pub(crate) fn write_tensors(
    path: &Path,
    tensors: &[(String, Vec<usize>, &[f32])],
    metadata: HashMap<String, String>,
) -> Result<(), CheckpointError> {
    let damaged =
        |e: safetensors::SafeTensorError| CheckpointError::Damaged { path: path.to_owned(), message: e.to_string() };
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| Ok((name.clone(), TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(damaged)?;
    let file = safetensors::serialize(views, Some(metadata)).map_err(damaged)?;
    write_atomic(path, &file)
}

/// Writes a file under a temporary name beside it, syncs it and renames it: readers see the old file or the new one, never a part.
pub(crate) fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let write = |source| CheckpointError::Write { path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let whole = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    if let Err(source) = whole {
        // A half-written file would keep the disk full.
        drop(fs::remove_file(&temporary));
        return Err(write(source));
    }
    // The rename itself lasts once the folder is synced; not every system can.
    if let Some(dir) = path.parent()
        && let Ok(dir) = File::open(dir)
    {
        drop(dir.sync_all());
    }
    Ok(())
}
