//! Steps of training: threads, parts of batches, buffers, and what every parameter learns.

use lookback_testkit::assert_close_f64;

use super::cases::config;
use super::*;
use crate::config::{AttentionKind, Bridge, CellKind, DecoderOrder, WindowKind};
use crate::data::Example;

#[test]
fn threads_change_no_bit_of_loss_or_gradient() {
    // Large enough that every product and every loop has several tiles.
    let size = Some(64);
    let dot = |cell| ModelConfig {
        cell,
        embedding: size,
        hidden: size,
        encoder_hidden: size,
        ..config(true, 2, AttentionKind::Dot, true)
    };
    let concat = ModelConfig {
        attention: AttentionKind::Concat,
        heads: 2,
        attention_width: size,
        input_feeding: false,
        decoder: DecoderOrder::Bahdanau,
        ..dot(CellKind::Lstm)
    };
    let sentence = |b: u32, len: u32| (0..len).map(|t| 4 + (b * 31 + t * 17) % 296).collect::<Vec<u32>>();
    let examples: Vec<Example> =
        (0..40).map(|b| Example { src: sentence(b, 20 + b % 9), tgt: sentence(b + 7, 15 + b % 11), line: 1 }).collect();
    let batch = Batch::new(examples.iter());
    let bits = |config: &ModelConfig, threads| {
        let (model, specs) = Seq2Seq::new(config, 300, 300);
        let cpu = Cpu::<f32>::detect(threads);
        let params = Params::init(&cpu, specs, 1);
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
        let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, Recording::On { seed: 1, step: 1 });
        let loss = model.loss(&mut g, &batch, 0.1).loss;
        g.backward();
        let all: Vec<u32> = gradients.values(&cpu).iter().flatten().map(|v| v.to_bits()).collect();
        (loss.to_bits(), all)
    };
    let local = ModelConfig { window: WindowKind::LocalP, window_width: Some(5), ..dot(CellKind::Lstm) };
    for config in [dot(CellKind::Lstm), dot(CellKind::Gru), dot(CellKind::Rnn), concat, local] {
        let one = bits(&config, 1);
        assert!(one == bits(&config, 2) && one == bits(&config, 4), "{:?}, {:?}", config.cell, config.attention);
    }
}

#[test]
fn a_projecting_bridge_lets_every_layer_learn_also_when_depths_and_cells_differ() {
    let (lstm, gru, rnn) = (CellKind::Lstm, CellKind::Gru, CellKind::Rnn);
    for (encoder_layers, decoder_layers, from, to) in [(1, 2, lstm, lstm), (2, 1, gru, lstm), (2, 1, lstm, rnn)] {
        let base = config(true, 1, AttentionKind::None, false);
        let cells = ModelConfig { encoder_cell: Some(from), cell: to, ..base };
        let config = ModelConfig { encoder_layers, decoder_layers, bridge: Bridge::Project, ..cells };
        let (model, specs) = Seq2Seq::new(&config, 20, 20);
        let cpu = Cpu::<f64>::detect(1);
        let params = Params::init(&cpu, specs, 1);
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
        let example = Example { src: vec![5, 6, 7], tgt: vec![8, 9], line: 1 };
        let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, Recording::Deterministic);
        model.loss(&mut g, &Batch::new([&example]), 0.0);
        g.backward();
        for (spec, gradient) in params.specs().iter().zip(gradients.values(&cpu)) {
            assert!(gradient.iter().any(|g| g.abs() > 0.0), "{from:?} to {to:?}: {}", spec.name);
        }
    }
}

/// Sentences `which` of a batch, as a batch.
fn part(batch: &Batch, which: &[usize]) -> Batch {
    let pick = |ids: &[u32]| -> Vec<u32> {
        ids.chunks(batch.batch).flat_map(|row| which.iter().map(|&b| row[b]).collect::<Vec<_>>()).collect()
    };
    let lengths = |len: &[u32]| -> Vec<u32> { which.iter().map(|&b| len[b]).collect() };
    Batch {
        src: pick(&batch.src),
        src_len: lengths(&batch.src_len),
        tgt_in: pick(&batch.tgt_in),
        tgt_out: pick(&batch.tgt_out),
        tgt_len: lengths(&batch.tgt_len),
        batch: which.len(),
        lines: vec![],
        ..*batch
    }
}

#[test]
fn accumulated_gradients_are_those_of_the_large_batch() {
    let config = config(true, 2, AttentionKind::Dot, true);
    let mut case = Case::<f64>::read("model_bi_2l_dot_feed", &config, 2);
    let (whole_loss, mut whole) = case.gradients();
    let batch = case.batch.clone();
    let (mut tape, mut sum) = (Tape::new(), Gradients::zeros(&case.cpu, &case.params));
    let mut loss = 0.0;
    for which in [&[0, 2][..], &[1]] {
        case.batch = part(&batch, which);
        tape.reset();
        let mut g = Graph::training(&case.cpu, &case.params, &mut tape, &mut sum, Recording::Deterministic);
        loss += case.model.loss(&mut g, &case.batch, 0.0).loss;
        g.backward();
    }
    assert!((loss - whole_loss).abs() < 1e-10);
    let (sum, whole) = (sum.values(&case.cpu), whole.values(&case.cpu));
    for (spec, (got, want)) in case.params.specs().iter().zip(sum.iter().zip(&whole)) {
        assert_close_f64(&spec.name, got, want, 1e-10, 1e-12);
    }
}

#[test]
fn a_steady_step_allocates_no_buffer() {
    let config = config(true, 2, AttentionKind::Dot, true);
    let case = Case::<f32>::read("model_bi_2l_dot_feed", &config, 2);
    let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&case.cpu, &case.params));
    let mut allocations = Vec::new();
    for _ in 0..4 {
        for which in [&[0, 1, 2][..], &[1]] {
            tape.reset();
            let mut g = Graph::training(&case.cpu, &case.params, &mut tape, &mut gradients, Recording::Deterministic);
            case.model.loss(&mut g, &part(&case.batch, which), 0.0);
            g.backward();
        }
        allocations.push(tape.allocations());
    }
    assert_eq!(allocations[1..], [allocations[0]; 3], "both shapes were seen in the first round");
}
