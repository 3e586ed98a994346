//! One update: forward and backward over its batches, then a step of the optimiser; and the rehearsal that says how long an epoch will take.

use std::time::Instant;

use super::batches::Place;
use super::job::Run;
use super::word_dropout::drop_words;
use super::{Observer, Progress, TrainError, UpdateReport, learning_rate, sampling};
use crate::align::GivenRows;
use crate::backend::{CrossEntropy, GuidedLoss, Purpose};
use crate::data::{Batch, DataError};
use crate::model::Guidance;
use crate::params::{ParamSpec, Role};
use crate::tape::{Graph, Recording};

/// Seconds after which no further pass of a rehearsal begins.
const REHEARSAL: f64 = 1.0;
/// What Adam takes of a number, by what the norm does: measured with both.
const ADAM_BY_NORM: f64 = 3.7;

/// What the batches of an update add up to.
#[derive(Debug, Default)]
struct Sums {
    loss: f64,
    /// Tokens that the model found most probable.
    right: u64,
    tokens: u64,
    guided: GuidedLoss,
    /// Where the first pairs of each batch stand.
    places: Vec<Place>,
}

impl Run {
    /// One update: forward and backward over one batch or several, then a step of the optimiser.
    pub(super) fn update(&mut self, observer: &mut dyn Observer) -> Result<UpdateReport, TrainError> {
        let start = Instant::now();
        let done = self.done();
        let config = &self.config.train;
        let (update, epoch, first_batch) = (self.position.update + 1, self.position.epoch, self.position.batch);
        let at = Progress { update, epoch, done, plateau: self.position.plateau };
        let rate = learning_rate(config, at) * self.position.rate_factor;
        let sampled = sampling::share(config, update, done);
        self.learner.params.prepare(&self.cpu, Purpose::Train);
        self.gradients.clear(&self.cpu);
        let mut sums = Sums::default();
        for part in 0..config.accumulate {
            // A stream may end before an update is full.
            if self.batches.is_over() {
                break;
            }
            // Every forward pass draws its own masks.
            let step = (update - 1) * self.config.train.accumulate as u64 + part as u64 + 1;
            self.pass(step, sampled, &mut sums, observer)?;
        }
        let Sums { loss, right, tokens, guided, places } = sums;
        #[allow(clippy::cast_precision_loss, reason = "tokens of a batch are far below 2⁵²")]
        let (loss, accuracy) = (loss / tokens.max(1) as f64, right as f64 / tokens.max(1) as f64);
        let norm = self.learner.step(&self.cpu, &mut self.gradients, rate, tokens);
        #[allow(clippy::cast_precision_loss, reason = "positions of a batch are far below 2⁵²")]
        let guided_alignment = (guided.rows > 0).then(|| guided.loss / guided.rows as f64);
        if !loss.is_finite() || !norm.is_finite() {
            let lines = places.iter().map(Place::to_string).collect::<Vec<_>>().join(", ");
            let (what, value) = if loss.is_finite() { ("norm of the gradient", norm) } else { ("loss", loss) };
            return Err(TrainError::Diverged { update, epoch, batch: first_batch + 1, what, value, lines });
        }
        (self.position.update, self.position.tokens) = (update, self.position.tokens + tokens);
        self.position.last_epoch = epoch;
        self.origin.computed_with(self.cpu.isa());
        Ok(UpdateReport {
            update,
            epoch,
            loss,
            guided_alignment,
            accuracy,
            gradient_norm: norm,
            learning_rate: rate,
            tokens,
            seconds: start.elapsed().as_secs_f64(),
            done: self.done(),
            reached: self.reached(),
        })
    }

    /// Forward and backward over the next batch; gradients are added.
    fn pass(
        &mut self,
        step: u64,
        sampled: f64,
        sums: &mut Sums,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let mut batch = std::mem::take(&mut self.batch);
        let given = self.batches.lay_out(self.position.batch, &mut batch)?;
        sums.places.extend(self.batches.places(self.position.batch, &batch));
        self.advance(observer)?;
        if sampled > 0.0 {
            self.tape.reset();
            let mut graph = Graph::inference(&self.cpu, &self.learner.params, &mut self.tape);
            let own = self.model.predictions(&mut graph, &batch);
            sampling::mix(&mut batch, &own, sampled, self.config.seed, step);
        }
        let config = &self.config.train;
        drop_words(&mut batch, [config.word_dropout_src, config.word_dropout_tgt], self.config.seed, step);
        let (loss, guided) = self.learn(&batch, given.as_ref(), step);
        sums.loss += loss.loss;
        sums.right += loss.right;
        sums.tokens += loss.tokens;
        sums.guided.loss += guided.loss;
        sums.guided.rows += guided.rows;
        self.batch = batch;
        Ok(())
    }

    /// Forward and backward over a batch, whose attention may be drawn towards given rows.
    fn learn(&mut self, batch: &Batch, given: Option<&GivenRows>, step: u64) -> (CrossEntropy, GuidedLoss) {
        let recording = Recording::On { seed: self.config.seed, step };
        self.tape.reset();
        let params = &self.learner.params;
        let mut graph = Graph::training(&self.cpu, params, &mut self.tape, &mut self.gradients, recording);
        let config = &self.config.train;
        let epsilon = config.label_smoothing;
        let (loss, guided) = match (given, config.guided_alignment_cost, config.guided_alignment_weight) {
            (Some(given), Some(cost), Some(weight)) => {
                let guidance = Guidance { given: given.rows(), cost: cost.into(), weight };
                self.model.guided_loss(&mut graph, batch, epsilon, guidance)
            }
            _ => (self.model.loss(&mut graph, batch, epsilon), GuidedLoss::default()),
        };
        graph.backward();
        (loss, guided)
    }

    /// Seconds an epoch will take without its validation, from a few passes whose gradients are thrown away: nothing of the training changes.
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵²")]
    pub(super) fn rehearse(&mut self) -> Result<f64, DataError> {
        let (count, clock) = (self.batches.count(), Instant::now());
        if count == 0 {
            return Ok(0.0);
        }
        self.learner.params.prepare(&self.cpu, Purpose::Train);
        let (mut seconds, mut tokens, mut batch) = (0.0, 0, Batch::default());
        // The first pass makes buffers and warms caches.
        for (i, place) in [3, 3, 1, 5].into_iter().enumerate() {
            if i > 1 && clock.elapsed().as_secs_f64() > REHEARSAL {
                break;
            }
            let given = self.batches.lay_out(count * place / 6, &mut batch)?;
            let start = Instant::now();
            self.learn(&batch, given.as_ref(), 1);
            if i > 0 {
                seconds += start.elapsed().as_secs_f64();
                tokens += batch.src_tokens + batch.tgt_tokens;
            }
        }
        // The norm reads the gradients that are kept whole, an update goes through all parameters.
        let numbers = |which: fn(&&ParamSpec) -> bool| {
            self.learner.params.specs().iter().filter(which).map(ParamSpec::len).sum::<usize>() as f64
        };
        let by_norm = 1.0 + ADAM_BY_NORM * numbers(|_| true) / numbers(|spec| spec.role != Role::LookUp);
        let start = Instant::now();
        self.gradients.norm(&self.cpu);
        let update = by_norm * start.elapsed().as_secs_f64();
        let updates = count.div_ceil(self.config.train.accumulate) as f64;
        Ok(seconds / tokens as f64 * self.batches.tokens() as f64 + updates * update)
    }
}
