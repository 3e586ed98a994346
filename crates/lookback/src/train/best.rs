//! What a validation decides: which models are kept, and where.

use std::fs;
use std::path::Path;

use super::folder::{BEST, NEXT_MODEL};
use super::job::Run;
use super::receipt::sum;
use super::state::{Best, first_not_finite};
use super::{Asked, Event, Observer, TrainError, Validation, kept};
use crate::checkpoint::{Checkpoint, CheckpointError, write_tensors};
use crate::search::SearchError;

impl Run {
    /// Validates after the last update.
    pub(super) fn validate(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        observer.event(Event::Validating);
        if let Some(tensor) = first_not_finite(&self.learner.model().tensors(&self.cpu, "")) {
            return Err(TrainError::NotFinite { update: self.position.update, tensor: tensor.to_owned() });
        }
        let Self { cpu, model, learner, tape, tokenizers, config, .. } = self;
        let update = self.position.update;
        let mut validation = match self.valid.run(cpu, model, learner.shown(), tape, tokenizers, config) {
            Err(TrainError::Search(SearchError::NotFinite { .. })) => {
                return Err(TrainError::ValidationNotFinite { update });
            }
            ended => ended?,
        };
        // Before anything is written: such a model is not the best one, and not one to go on from.
        if !validation.nll.is_finite() {
            return Err(TrainError::ValidationNotFinite { update });
        }
        (validation.update, validation.epoch) = (update, self.position.last_epoch());
        let metric = config.train.metric;
        let best = self.position.best.as_ref().and_then(|best| best.validation().score(metric));
        let score = validation.score(metric);
        validation.is_best = best.is_none_or(|best| score.is_some_and(|score| metric.is_better(score, best)));
        self.position.validated = self.position.update;
        if validation.is_best {
            let model_sha256 = self.write_next_model()?;
            self.position.best = Some(Best::of(&validation, model_sha256));
            self.position.stale = 0;
        } else if self.position.update > self.config.train.warmup {
            // While the rate still rises, a validation that is not better says nothing.
            self.position.stale += 1;
            self.position.plateau *= self.config.train.decay;
        }
        self.keep()?;
        self.keep_best(&validation)?;
        self.metrics.validation(&validation)?;
        observer.event(Event::Validated(&validation));
        self.checkpoint(Asked::No, observer)
    }

    /// Writes the model beside the one of the folder, whose place it takes once a state has its sum.
    fn write_next_model(&mut self) -> Result<String, TrainError> {
        let path = self.dir.join(NEXT_MODEL);
        write_tensors(&path, &self.learner.model().tensors(&self.cpu, ""), None)?;
        let sum = sum(&path)?;
        self.next_model = Some(sum.clone());
        Ok(sum)
    }

    /// Keeps the model of a validation beside the others, if any are to be kept.
    fn keep(&self) -> Result<(), TrainError> {
        let (count, update) = (self.config.train.keep_checkpoints, self.position.update);
        if count > 0 {
            self.save_model(&kept::folder(&self.dir, update))?;
            kept::prune(&self.dir, count, update)?;
        }
        Ok(())
    }

    /// Writes the model as it stands into a folder of its own.
    fn save_model(&self, folder: &Path) -> Result<(), CheckpointError> {
        let write = |source| CheckpointError::Write { path: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(write)?;
        Checkpoint::save_config(folder, &self.config, &self.tokenizers)?;
        Checkpoint::save_params(folder, self.learner.model(), &self.cpu)
    }

    /// Keeps the model of a validation that is the best by another metric, too.
    fn keep_best(&mut self, validation: &Validation) -> Result<(), TrainError> {
        for &metric in &self.config.train.keep_best {
            let Some(score) = validation.score(metric) else { continue };
            let kept = self.position.kept_best.iter_mut().find(|(kept, _)| *kept == metric);
            match kept {
                Some((_, best)) if metric.is_better(score, *best) => *best = score,
                Some(_) => continue,
                None => self.position.kept_best.push((metric, score)),
            }
            self.save_model(&self.dir.join(BEST).join(metric.key()))?;
        }
        Ok(())
    }
}
