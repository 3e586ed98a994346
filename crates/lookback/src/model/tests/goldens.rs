//! Values, gradients and ten steps of Adam, as PyTorch computed them.

use lookback_testkit::{Golden, assert_close_f64};

use super::cases::{all, config};
use super::*;
use crate::backend::{AdamStep, Products};
use crate::config::{AttentionKind, CellKind};

fn agrees_with_pytorch<T: Real>(name: &str, config: &ModelConfig, rel: f64, abs: f64) {
    let case = Case::<T>::read(name, config, 2);
    let (loss, mut gradients) = case.gradients();
    assert_close_f64(name, &[loss], &case.golden.f64("loss"), rel, 0.0);
    for (spec, gradient) in case.params.specs().iter().zip(gradients.values(&case.cpu)) {
        let got: Vec<f64> = gradient.iter().map(|v| v.to_f64()).collect();
        let what = format!("{name}: gradient of {}", spec.name);
        assert_close_f64(&what, &got, &stored(&case.golden, config, &format!("grad.{}", spec.name)), rel, abs);
    }
    let mut tape = Tape::new();
    let mut g = Graph::inference(&case.cpu, &case.params, &mut tape);
    let batch = &case.batch;
    let memory = case.model.encode(&mut g, &batch.src, &batch.src_len);
    let state = case.model.start(&mut g, &memory);
    let decoding = case.model.decode(&mut g, &memory, &state, &batch.tgt_in);
    let logits = case.model.logits(&mut g, decoding.attentional);
    let weights = decoding.weights.map(|weights| weights.mean(&mut g));
    let real = |name: &str, var: Var, width: usize| {
        // PyTorch ran through padding too, on states that differ from ours there.
        let keep = |x: &[f64]| {
            let rows = x.chunks(width).zip(&batch.tgt_out).filter(|(_, t)| **t != PAD);
            rows.flat_map(|(row, _)| row.to_vec()).collect::<Vec<f64>>()
        };
        let got: Vec<f64> = g.download(var).iter().map(|v| v.to_f64()).collect();
        assert_close_f64(name, &keep(&got), &keep(&case.golden.f64(name)), rel, abs);
    };
    real("logits", logits, g.shape(logits).width);
    if let Some(weights) = weights {
        real("weights", weights, batch.src_max);
    }
}

#[test]
fn every_model_and_every_gradient_agree_with_pytorch_in_double_precision() {
    for (name, config) in all() {
        // Stored in single precision: half a unit of the last place.
        agrees_with_pytorch::<f64>(&name, &config, 1e-7, 1e-7);
    }
}

#[test]
fn every_model_and_every_gradient_agree_with_pytorch_in_single_precision() {
    for (name, config) in all() {
        agrees_with_pytorch::<f32>(&name, &config, 1e-4, 2e-6);
    }
}

/// Rounding to 8 bits of mantissa is relative to 2⁻⁹ at most, and spreads over the few products between a parameter and the loss: a few thousandths of the gradient's length.
#[test]
fn gradients_of_rounded_products_point_where_those_of_single_precision_point() {
    for (name, config) in all().into_iter().filter(|(name, _)| name.contains("_feed") || name == "model_bridge") {
        let mut case = Case::<f32>::read(&name, &config, 2);
        let flat = |case: &Case<f32>| -> Vec<f64> {
            case.gradients().1.values(&case.cpu).iter().flatten().map(|&v| f64::from(v)).collect()
        };
        let full = flat(&case);
        case.cpu = case.cpu.clone().with_products(Products::Bf16);
        let rounded = flat(&case);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let difference: Vec<f64> = full.iter().zip(&rounded).map(|(a, b)| a - b).collect();
        let error = (dot(&difference, &difference) / dot(&full, &full)).sqrt();
        let cosine = dot(&full, &rounded) / (dot(&full, &full) * dot(&rounded, &rounded)).sqrt();
        assert!(error > 1e-5 && error < 2e-2, "{name}: {error}");
        assert!(cosine > 0.9998, "{name}: {cosine}");
    }
}

#[test]
fn ten_adam_steps_follow_ten_losses_of_pytorch() {
    for (name, config) in all().into_iter().filter(|(name, _)| name.starts_with("model")) {
        let mut case = Case::<f64>::read(&name, &config, 2);
        let zeros =
            |case: &Case<f64>| -> Vec<Vec<f64>> { case.params.specs().iter().map(|s| vec![0.0; s.len()]).collect() };
        let (mut m, mut v) = (zeros(&case), zeros(&case));
        let losses = case.golden.f64("losses");
        for (step, &want) in (1u64..).zip(&losses) {
            let (loss, mut gradients) = case.gradients();
            assert!((loss / want - 1.0).abs() < 1e-9, "{name}, step {step}: {loss} for {want}");
            let tokens = case.batch.tgt_tokens as f64;
            let norm = gradients.norm(&case.cpu) / tokens;
            let scale = (1.0 / (norm + 1e-6)).min(1.0) / tokens;
            let adam = AdamStep { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step, decay: 0.0, scale };
            let cpu = case.cpu.clone();
            for (i, weight) in case.params.weights_mut().iter_mut().enumerate() {
                cpu.adam(weight, &gradients.settled(&cpu)[i], &mut m[i], &mut v[i], adam);
            }
        }
        let values = case.params.values(&case.cpu);
        for (spec, got) in case.params.specs().iter().zip(values) {
            let got: Vec<f64> = got.into_iter().map(f64::from).collect();
            let want = stored(&case.golden, &config, &format!("after.{}", spec.name));
            assert_close_f64(&format!("{name} {}", spec.name), &got, &want, 1e-6, 1e-6);
        }
    }
}

#[test]
fn the_total_gradient_of_every_encoder_state_agrees_with_pytorch_step_by_step() {
    use AttentionKind::{Dot, None};
    let totals = Golden::read("state_gradients");
    for (name, cell, attention) in [
        ("uni_1l_dot_nofeed", CellKind::Lstm, Dot),
        ("uni_1l_none_nofeed", CellKind::Lstm, None),
        ("uni_gru_nofeed", CellKind::Gru, Dot),
        ("uni_rnn_nofeed", CellKind::Rnn, Dot),
    ] {
        let config = ModelConfig { cell, ..config(false, 1, attention, false) };
        let case = Case::<f64>::read(&format!("model_{name}"), &config, 2);
        let (want, shape) = (totals.f64(name), totals.shape(name));
        let [steps, positions, batch, width] = shape[..] else { panic!("{name}: {shape:?}") };
        for t in 0..steps {
            let mut one = case.batch.clone();
            one.tgt_out.chunks_mut(batch).enumerate().filter(|(row, _)| *row != t).for_each(|(_, row)| row.fill(PAD));
            let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&case.cpu, &case.params));
            let mut g = Graph::training(&case.cpu, &case.params, &mut tape, &mut gradients, Recording::Deterministic);
            let (_, probes) = case.model.probed_loss(&mut g, &one);
            g.backward();
            let got = g.gradient(probes[0]).expect("the loss depends on the encoder");
            for i in 0..positions {
                for b in (0..batch).filter(|&b| (i as u32) < one.src_len[b]) {
                    let at = (i * batch + b) * width;
                    let from = (t * positions * batch) * width + at;
                    // The golden is stored in single precision.
                    assert_close_f64(name, &got[at..][..width], &want[from..][..width], 1e-6, 1e-7);
                }
            }
        }
    }
}
