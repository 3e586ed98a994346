//! The whole model against PyTorch (values, gradients, ten Adam steps) and against differences, and its properties.

use lookback_testkit::Golden;

use super::*;
use crate::backend::{Cpu, Real};
use crate::params::{Gradients, Params};
use crate::tape::{Recording, Tape};

mod batches;
mod bridges;
mod cases;
mod decoding;
mod differences;
mod goldens;
mod guided;

/// The model of a golden, its parameters in the device's precision, and its batch.
struct Case<T: Real> {
    cpu: Cpu<T>,
    model: Seq2Seq,
    params: Params<Cpu<T>>,
    batch: Batch,
    golden: Golden,
}

impl<T: Real> Case<T> {
    fn read(name: &str, config: &ModelConfig, threads: usize) -> Self {
        let golden = Golden::read(name);
        let vocab = |side: &str| {
            let own = format!("{side}.embedding.weight");
            golden.shape(if golden.names().contains(&own) { &own } else { "embedding.weight" })[0]
        };
        let (model, specs) = Seq2Seq::new(config, vocab("encoder"), vocab("decoder"));
        let cpu = Cpu::<T>::detect(threads);
        let values: Vec<Vec<f64>> = specs.iter().map(|s| stored(&golden, config, &s.name)).collect();
        for (spec, values) in specs.iter().zip(&values) {
            assert_eq!(spec.len(), values.len(), "{name}: {}", spec.name);
        }
        let mut params = Params::init(&cpu, specs, 0);
        params.set_exact(&cpu, &values);
        let [src, src_len, tgt_in, tgt_out, tgt_len] =
            ["src", "src_len", "tgt_in", "tgt_out", "tgt_len"].map(|n| golden.ids(n));
        let batch = src_len.len();
        let sum = |x: &[u32]| x.iter().sum::<u32>() as usize;
        let batch = Batch {
            batch,
            src_max: src.len() / batch,
            tgt_max: tgt_in.len() / batch,
            src_tokens: sum(&src_len),
            tgt_tokens: sum(&tgt_len),
            lines: vec![],
            src,
            src_len,
            tgt_in,
            tgt_out,
            tgt_len,
        };
        Self { cpu, model, params, batch, golden }
    }

    /// Loss in nats and gradients.
    fn gradients(&self) -> (f64, Gradients<Cpu<T>>) {
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&self.cpu, &self.params));
        let mut g = Graph::training(&self.cpu, &self.params, &mut tape, &mut gradients, Recording::Deterministic);
        let loss = self.model.loss(&mut g, &self.batch, 0.0).loss;
        g.backward();
        (loss, gradients)
    }
}

/// A stored parameter (or its gradient, with a prefix) by our name: the fed-back part of the first layer's input weights is a matrix of its own here.
fn stored(golden: &Golden, config: &ModelConfig, name: &str) -> Vec<f64> {
    let (prefix, plain) = name.find("decoder").or(name.find("encoder")).map_or(("", name), |at| name.split_at(at));
    let width = config.embedding.unwrap();
    let joined = format!("{prefix}decoder.rnn.weight_ih_l0");
    let columns = |range: std::ops::Range<usize>| {
        let all = golden.shape(&joined)[1];
        golden.f64(&joined).chunks(all).flat_map(|row| row[range.start..range.end.min(all)].to_vec()).collect()
    };
    match plain {
        "decoder.rnn.weight_ih_l0" => columns(0..width),
        "decoder.feed.weight" if !golden.names().contains(&name.to_owned()) => columns(width..usize::MAX),
        _ => golden.f64(name),
    }
}
