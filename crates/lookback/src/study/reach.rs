//! The norm of ∂loss_t/∂h_i by distance.
//!
//! ```text
//! distance(i, t) = (S − 1 − i) + (t + 1)        positions i of the source from 0, its end at S − 1; steps t from 0
//! ```
//! which is the number of recurrent steps from h_i to the decoder state that writes y_t, where the encoder reads forward and hands its last state over. Each loss_t is differentiated by itself.

use crate::backend::Cpu;
use crate::checkpoint::Checkpoint;
use crate::data::{Batch, Example};
use crate::params::{Gradients, Params};
use crate::tape::{Graph, Recording, Tape};
use crate::text::PAD;

/// Sums of norms by distance.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Profile {
    /// Sum and count at distance d, from 1, at place d − 1.
    at: Vec<(f64, usize)>,
}

impl Profile {
    fn add(&mut self, distance: usize, norm: f64) {
        if self.at.len() < distance {
            self.at.resize(distance, (0.0, 0));
        }
        let (sum, count) = &mut self.at[distance - 1];
        *sum += norm;
        *count += 1;
    }

    /// The mean norm at every distance.
    pub(super) fn means(&self) -> impl Iterator<Item = (usize, f64)> {
        (1..)
            .zip(&self.at)
            .filter(|(_, (_, count))| *count > 0)
            .map(|(distance, &(sum, count))| (distance, mean(sum, count)))
    }

    /// The mean norm at distances `from` to `to`; none if there is none.
    pub(super) fn mean(&self, from: usize, to: usize) -> Option<f64> {
        let part = self.at.iter().take(to).skip(from - 1);
        let (sum, count) = part.fold((0.0, 0), |(sum, count), (s, c)| (sum + s, count + c));
        (count > 0).then(|| mean(sum, count))
    }
}

#[allow(clippy::cast_precision_loss, reason = "few norms")]
fn mean(sum: f64, count: usize) -> f64 {
    sum / count as f64
}

/// The profile of a model with these values of its parameters, over given pairs, in double precision.
pub(super) fn profile(cpu: &Cpu, model: &Checkpoint, values: &[Vec<f32>], pairs: &[(&str, &str)]) -> Profile {
    let tokenizers = &model.tokenizers;
    let example = |&(src, tgt): &(&str, &str)| Example {
        src: tokenizers.src.encode(src),
        tgt: tokenizers.tgt.encode(tgt),
        line: 0,
    };
    let examples: Vec<Example> = pairs.iter().map(example).collect();
    let batch = Batch::new(examples.iter());
    let cpu = Cpu::<f64>::with_threads(cpu.threads(), cpu.isa());
    let params = Params::from_values(&cpu, model.specs.clone(), values);
    let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
    let mut profile = Profile::default();
    for t in 0..batch.tgt_max {
        let one = only(&batch, t);
        tape.reset();
        gradients.clear(&cpu);
        let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, Recording::Deterministic);
        let (_, probes) = model.model.probed_loss(&mut g, &one);
        g.backward();
        let Some(dh) = probes.first().and_then(|&probe| g.gradient(probe)) else { continue };
        let width = dh.len() / (batch.src_max * batch.batch);
        for (b, (&positions, &steps)) in batch.src_len.iter().zip(&batch.tgt_len).enumerate() {
            for i in (0..positions as usize).filter(|_| t < steps as usize) {
                let row = &dh[(i * batch.batch + b) * width..][..width];
                let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                profile.add(positions as usize - i + t, norm);
            }
        }
    }
    profile
}

/// The batch with step `t` alone to be predicted.
fn only(batch: &Batch, t: usize) -> Batch {
    let mut one = batch.clone();
    for (step, row) in one.tgt_out.chunks_mut(batch.batch).enumerate() {
        if step != t {
            row.fill(PAD);
        }
    }
    one
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_over_all_norms_of_a_distance() {
        let mut profile = Profile::default();
        for (distance, norm) in [(1, 2.0), (3, 4.0), (3, 6.0)] {
            profile.add(distance, norm);
        }
        assert_eq!(profile.means().collect::<Vec<_>>(), [(1, 2.0), (3, 5.0)]);
        assert_eq!((profile.mean(1, 3), profile.mean(2, 2), profile.mean(4, 9)), (Some(4.0), None, None));
    }
}
