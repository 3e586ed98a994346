//! The mean of several models: of the last checkpoints of one training it is usually better than any of them (Junczys-Dowmunt, Dwojak & Sennrich 2016, §2.4).

use std::path::{Path, PathBuf};

use super::{Checkpoint, CheckpointError};
use crate::config::Change;

/// Why models have no mean.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AverageError {
    /// A folder cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// There is nothing to take the mean of.
    #[error("the mean of {0} model is no other model; give two or more")]
    TooFew(usize),
    /// Models of different configurations.
    #[error(
        "`{}` and `{}` are not of one training: {change}; the mean of models that were configured differently is no model",
        first.display(), other.display()
    )]
    Configuration {
        /// The first folder.
        first: PathBuf,
        /// The other one.
        other: PathBuf,
        /// What differs.
        change: Box<Change>,
    },
    /// Models of different vocabularies.
    #[error("`{}` and `{}` have different vocabularies ({file}): their rows stand for different pieces", first.display(), other.display())]
    Tokenizers {
        /// The first folder.
        first: PathBuf,
        /// The other one.
        other: PathBuf,
        /// The file that differs.
        file: &'static str,
    },
}

impl Checkpoint {
    /// The arithmetic mean of the models in `dirs`: every value is the sum in double precision, in their order, divided by their number. Configuration and tokenizers are
    /// those of the first one; only the limits of the runs may differ.
    ///
    /// # Errors
    /// If a folder cannot be read, there are fewer than two, or configurations or tokenizers differ; the error names what does.
    pub fn average(dirs: &[PathBuf]) -> Result<Self, AverageError> {
        let [first_dir, others @ ..] = dirs else { return Err(AverageError::TooFew(0)) };
        if others.is_empty() {
            return Err(AverageError::TooFew(1));
        }
        let mut first = Self::load(first_dir)?;
        let mut sums: Vec<Vec<f64>> =
            first.all_bits()?.iter().map(|v| v.iter().map(|&v| f64::from(v)).collect()).collect();
        for dir in others {
            let other = Self::load(dir)?;
            first.expect_same(first_dir, &other, dir)?;
            for (sums, values) in sums.iter_mut().zip(&other.all_bits()?) {
                sums.iter_mut().zip(values).for_each(|(sum, &v)| *sum += f64::from(v));
            }
        }
        #[allow(clippy::cast_precision_loss, reason = "models are few")]
        let count = dirs.len() as f64;
        let mean = |sums: &Vec<f64>| sums.iter().map(|sum| (sum / count) as f32).collect::<Vec<f32>>().into();
        first.values = sums.iter().map(mean).collect();
        Ok(first)
    }

    fn expect_same(&self, dir: &Path, other: &Self, other_dir: &Path) -> Result<(), AverageError> {
        let (first, other_dir) = (dir.to_owned(), other_dir.to_owned());
        let configs = [&other.config, &self.config].map(|config| config.without_limits());
        if let Some(change) = configs[0].changes(&configs[1]).into_iter().next() {
            return Err(AverageError::Configuration { first, other: other_dir, change: Box::new(change) });
        }
        let files = self.tokenizers.to_json().into_iter().zip(other.tokenizers.to_json());
        match files.into_iter().find(|(a, b)| a != b) {
            Some(((file, _), _)) => Err(AverageError::Tokenizers { first, other: other_dir, file }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, CorpusSize};
    use crate::text::{TextMode, TokenizerSpec, Tokenizers};

    fn model(sets: &[&str], text: &str, value: f32) -> Checkpoint {
        let small = ["model.hidden=4", "model.embedding=4", "text.mode=char", "train.max_updates=5"];
        let sets: Vec<String> = small.iter().chain(sets).map(ToString::to_string).collect();
        let config = Config::from_layers(&[], &sets).expect("the keys exist");
        let config = config.resolve(CorpusSize { pairs: 4, words: 1.0, characters: 4.0 }).expect("valid");
        let sharing = config.text.sharing.expect("resolved");
        let spec = TokenizerSpec { mode: TextMode::Char, sharing, vocab_size: 400, ..TokenizerSpec::default() };
        let tokenizers = Tokenizers::train(&spec, [text], [text]).expect("a vocabulary");
        let checkpoint = Checkpoint::new(config, tokenizers, Vec::new());
        let values = (0..).zip(&checkpoint.specs).map(|(i, s)| vec![value + f32::from(i as u16); s.len()]).collect();
        Checkpoint::new(checkpoint.config, checkpoint.tokenizers, values)
    }

    fn average(models: &[Checkpoint]) -> (tempfile::TempDir, Result<Checkpoint, AverageError>) {
        let dir = tempfile::tempdir().expect("a folder");
        let dirs: Vec<PathBuf> = (0..models.len()).map(|i| dir.path().join(i.to_string())).collect();
        for (dir, model) in dirs.iter().zip(models) {
            model.save(dir).expect("a folder");
        }
        let mean = Checkpoint::average(&dirs);
        (dir, mean)
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "halves are exact")]
    fn every_value_is_the_mean_and_the_rest_is_the_firsts() {
        let models = [model(&[], "ab", 1.0), model(&["train.max_updates=9"], "ab", 2.0), model(&[], "ab", 4.5)];
        let (dir, mean) = average(&models);
        let mean = mean.expect("a mean");
        for (i, values) in (0u16..).zip(&mean.values) {
            assert!(values.to_f32().iter().all(|&v| v == 2.5 + f32::from(i)));
        }
        let out = dir.path().join("mean");
        mean.save(&out).expect("a folder");
        assert_eq!(Checkpoint::load(&out).expect("a model").values, mean.values);
        assert_eq!(mean.config, models[0].config);
    }

    #[test]
    fn models_that_do_not_belong_together_are_refused_with_what_differs() {
        let said = |models: &[Checkpoint]| average(models).1.expect_err("refused").to_string();
        let hidden = said(&[model(&[], "ab", 1.0), model(&["train.warmup=9"], "ab", 1.0)]);
        assert!(hidden.contains("`train.warmup` from 400 to 9"), "{hidden}");
        let vocabulary = said(&[model(&[], "ab", 1.0), model(&[], "cd", 1.0)]);
        assert!(vocabulary.contains("different vocabularies (tokenizer"), "{vocabulary}");
        assert!(said(&[model(&[], "ab", 1.0)]).starts_with("the mean of 1 model"));
    }
}
