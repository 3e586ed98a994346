//! The whole model against PyTorch (values, gradients, ten Adam steps), and its properties.

use lookback_testkit::{Golden, assert_close_f64, max_grad_error};

use super::*;
use crate::backend::{AdamStep, Cpu, Products, Real};
use crate::config::{AttentionKind, Bridge, CellKind, Config, DecoderOrder, WindowKind};
use crate::data::Example;
use crate::params::{Gradients, Params};
use crate::tape::{Recording, Tape};

#[path = "guided_tests.rs"]
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

fn config(bidirectional: bool, layers: usize, attention: AttentionKind, input_feeding: bool) -> ModelConfig {
    ModelConfig {
        embedding: Some(6),
        hidden: Some(8),
        encoder_hidden: Some(8),
        encoder_layers: layers,
        decoder_layers: layers,
        bidirectional,
        attention,
        input_feeding,
        dropout: Some(0.0),
        ..Config::default().model
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

/// The models of every score, with and without heads, in both orders.
fn scores_and_orders() -> Vec<(String, ModelConfig)> {
    use AttentionKind::{Concat, Dot, General, Location, ScaledDot};
    let mut all = Vec::new();
    let scores =
        [(Dot, "dot"), (ScaledDot, "scaled_dot"), (General, "general"), (Concat, "concat"), (Location, "location")];
    for (attention, score) in scores {
        for heads in [1, 2].into_iter().filter(|&heads| heads == 1 || attention != Location) {
            let of = |layers, decoder, input_feeding| ModelConfig {
                embedding: Some(4),
                hidden: Some(6),
                encoder_hidden: Some(6),
                heads,
                attention_width: (attention == Concat).then_some(8),
                location_length: (attention == Location).then_some(6),
                decoder,
                ..config(true, layers, attention, input_feeding)
            };
            let luong = format!("order_luong_{score}_{heads}h");
            all.push((format!("{luong}_nofeed"), of(1, DecoderOrder::Luong, false)));
            all.push((format!("{luong}_feed"), of(1, DecoderOrder::Luong, true)));
            all.push((format!("order_bahdanau_{score}_{heads}h"), of(1, DecoderOrder::Bahdanau, false)));
            if (attention, heads) == (Concat, 1) {
                all.push(("order_bahdanau_concat_2l".into(), of(2, DecoderOrder::Bahdanau, false)));
            }
        }
    }
    all
}

/// The models that look through windows.
fn windows() -> Vec<(String, ModelConfig)> {
    let plain = scores_and_orders();
    let base = |name: &str| plain.iter().find(|(n, _)| n == name).expect("in the list").1.clone();
    let mut all = Vec::new();
    for (window, kind, width) in [(WindowKind::LocalM, "local_m", 1), (WindowKind::LocalP, "local_p", 2)] {
        let mut add = |name: String, of: &str| {
            all.push((name, ModelConfig { window, window_width: Some(width), ..base(of) }));
        };
        for score in ["dot", "scaled_dot", "general", "concat", "location"] {
            add(format!("order_luong_{score}_{kind}_feed"), &format!("order_luong_{score}_1h_feed"));
        }
        add(format!("order_luong_dot_{kind}_nofeed"), "order_luong_dot_1h_nofeed");
        add(format!("order_luong_general_{kind}_2h"), "order_luong_general_2h_nofeed");
        add(format!("order_bahdanau_concat_{kind}"), "order_bahdanau_concat_1h");
    }
    all
}

/// Every model PyTorch computed, by name.
fn all() -> Vec<(String, ModelConfig)> {
    let mut all = Vec::new();
    for bidirectional in [false, true] {
        for layers in [1, 2] {
            for attention in [AttentionKind::Dot, AttentionKind::None] {
                for feeding in [false, true] {
                    let name = format!(
                        "model_{}_{layers}l_{}_{}",
                        if bidirectional { "bi" } else { "uni" },
                        if attention == AttentionKind::Dot { "dot" } else { "none" },
                        if feeding { "feed" } else { "nofeed" }
                    );
                    all.push((name, config(bidirectional, layers, attention, feeding)));
                }
            }
        }
    }
    let dot = AttentionKind::Dot;
    let mut add = |name: &str, config: ModelConfig| all.push((name.to_owned(), config));
    let tied = |of: TiedEmbeddings, base: ModelConfig| ModelConfig { tied_embeddings: of, ..base };
    add("model_tied", ModelConfig { embedding: Some(8), ..tied(TiedEmbeddings::Target, config(true, 1, dot, false)) });
    let project = ModelConfig { bridge: Bridge::Project, ..config(true, 2, dot, true) };
    add("model_bridge", project.clone());
    let (lstm, gru) = (CellKind::Lstm, CellKind::Gru);
    for cell in [gru, CellKind::Rnn] {
        for (direction, bidirectional) in [("uni", false), ("bi", true)] {
            for (feeding, input_feeding) in [("feed", true), ("nofeed", false)] {
                let config = ModelConfig { cell, ..config(bidirectional, 1, dot, input_feeding) };
                add(&format!("model_{direction}_{}_{feeding}", cell.name()), config);
            }
        }
    }
    add("model_gru_to_lstm", ModelConfig { encoder_cell: Some(gru), ..project.clone() });
    add("model_lstm_to_gru", ModelConfig { encoder_cell: Some(lstm), cell: gru, ..project });
    add("model_zero", ModelConfig { cell: gru, bridge: Bridge::Zero, ..config(true, 1, dot, false) });
    add("model_tied_projected", tied(TiedEmbeddings::Target, config(true, 1, dot, false)));
    add("model_tied_all", tied(TiedEmbeddings::All, ModelConfig { cell: gru, ..config(true, 1, dot, true) }));
    all.extend(scores_and_orders());
    all.extend(windows());
    all
}

fn agrees_with_pytorch<T: Real>(name: &str, config: &ModelConfig, rel: f64, abs: f64) {
    let case = Case::<T>::read(name, config, 2);
    let (loss, gradients) = case.gradients();
    assert_close_f64(name, &[loss], &case.golden.f64("loss"), rel, 0.0);
    for (spec, gradient) in case.params.specs().iter().zip(gradients.all()) {
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
            let gradients = case.gradients().1;
            gradients.all().iter().flatten().map(|&v| f64::from(v)).collect()
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
            let (loss, gradients) = case.gradients();
            assert!((loss / want - 1.0).abs() < 1e-9, "{name}, step {step}: {loss} for {want}");
            let tokens = case.batch.tgt_tokens as f64;
            let norm = gradients.norm(&case.cpu) / tokens;
            let scale = (1.0 / (norm + 1e-6)).min(1.0) / tokens;
            let adam = AdamStep { rate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, step, decay: 0.0, scale };
            let cpu = case.cpu.clone();
            for (i, weight) in case.params.weights_mut().iter_mut().enumerate() {
                cpu.adam(weight, &gradients.all()[i], &mut m[i], &mut v[i], adam);
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
fn the_whole_gradient_agrees_with_differences_in_every_parameter() {
    for name in ["model_bridge", "order_luong_general_local_p_feed", "order_bahdanau_concat_local_p"] {
        let (_, config) = all().into_iter().find(|(n, _)| n == name).expect("in the list");
        gradient_agrees_with_differences(name, &config);
    }
}

fn gradient_agrees_with_differences(name: &str, config: &ModelConfig) {
    let case = Case::<f64>::read(name, config, 1);
    let (_, gradients) = case.gradients();
    let values: Vec<Vec<f64>> = case.params.specs().iter().map(|s| stored(&case.golden, config, &s.name)).collect();
    let mut changed = Case::<f64>::read(name, config, 1);
    for i in 0..values.len() {
        let error = max_grad_error(&mut values[i].clone(), &gradients.all()[i], |v| {
            let mut all = values.clone();
            all[i] = v.to_vec();
            changed.params.set_exact(&changed.cpu, &all);
            let mut tape = Tape::new();
            let mut g = Graph::inference(&changed.cpu, &changed.params, &mut tape);
            changed.model.loss(&mut g, &changed.batch, 0.0).loss
        });
        // Differences of a loss near 40 nats: rounding of 4e-15 over a step of 1e-5, relative to gradients of 1e-4 and more.
        assert!(error < 5e-5, "{name}, {}: {error}", case.params.specs()[i].name);
    }
}

#[test]
fn predictions_are_the_best_words_of_the_logits() {
    for (name, config) in all() {
        let case = Case::<f64>::read(&name, &config, 1);
        let mut tape = Tape::new();
        let mut g = Graph::inference(&case.cpu, &case.params, &mut tape);
        let got = case.model.predictions(&mut g, &case.batch);
        let decoding = case.model.forced(&mut g, &case.batch);
        let logits = case.model.logits(&mut g, decoding.attentional);
        let width = g.shape(logits).width;
        let best = |row: &[f64]| {
            let place = (3..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).expect("words");
            u32::try_from(place).expect("small")
        };
        assert_eq!(got, g.download(logits).chunks(width).map(best).collect::<Vec<_>>(), "{name}");
    }
}

/// Models whose decoder runs at once, step by step, and in Bahdanau's order, with masks for all steps.
fn variational() -> Vec<ModelConfig> {
    let rates = |base: ModelConfig| ModelConfig {
        dropout_embedding: Some(0.3),
        dropout_layers: Some(0.2),
        dropout_state: Some(0.4),
        variational_dropout: true,
        ..base
    };
    let of = |feeding| config(true, 2, AttentionKind::Dot, feeding);
    let before = ModelConfig { decoder: DecoderOrder::Bahdanau, ..of(false) };
    [of(false), of(true), before].into_iter().map(rates).collect()
}

#[test]
fn the_gradient_agrees_with_differences_under_masks_for_all_steps() {
    for config in variational() {
        let (model, specs) = Seq2Seq::new(&config, 9, 9);
        let cpu = Cpu::<f64>::detect(1);
        let mut params = Params::init(&cpu, specs, 1);
        let sentence = |from: u32, len: u32| (from..from + len).collect::<Vec<u32>>();
        let examples = [(3, 2), (2, 3)].map(|(s, t)| Example { src: sentence(4, s), tgt: sentence(5, t), line: 1 });
        let batch = Batch::new(&examples.iter().collect::<Vec<_>>());
        let run = |params: &Params<Cpu<f64>>| {
            let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, params));
            let recording = Recording::On { seed: 1, step: 1 };
            let mut g = Graph::training(&cpu, params, &mut tape, &mut gradients, recording);
            let loss = model.loss(&mut g, &batch, 0.0).loss;
            g.backward();
            (loss, gradients)
        };
        let (_, gradients) = run(&params);
        let values: Vec<Vec<f64>> =
            params.values(&cpu).iter().map(|v| v.iter().map(|&v| f64::from(v)).collect()).collect();
        for i in 0..values.len() {
            let error = max_grad_error(&mut values[i].clone(), &gradients.all()[i], |v| {
                let mut all = values.clone();
                all[i] = v.to_vec();
                params.set_exact(&cpu, &all);
                run(&params).0
            });
            // As for the deterministic model.
            assert!(error < 5e-5, "{:?}: {}: {error}", config.decoder, params.specs()[i].name);
        }
    }
}

#[test]
fn a_sequence_loses_the_same_parts_of_its_states_at_every_step() {
    for config in variational() {
        let (model, specs) = Seq2Seq::new(&config, 20, 20);
        let cpu = Cpu::<f32>::detect(1);
        let params = Params::init(&cpu, specs, 1);
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
        let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, Recording::On { seed: 1, step: 1 });
        let (src, tgt): (Vec<u32>, Vec<u32>) = ((4..16).collect(), (5..17).collect());
        let memory = model.encode(&mut g, &src, &[3, 3, 3, 3]);
        let state = model.start(&mut g, &memory);
        let decoding = model.decode(&mut g, &memory, &state, &tgt);
        let states = g.download(decoding.attentional);
        let lost = |step: &[f32]| step.iter().map(|v| v.abs() > 0.0).collect::<Vec<bool>>();
        let steps: Vec<Vec<bool>> = states.chunks(4 * 8).map(lost).collect();
        assert!(steps.len() == 3 && steps.iter().all(|step| *step == steps[0]), "{:?}", config.decoder);
        assert!(steps[0].contains(&false) && steps[0][..8] != steps[0][8..16], "rows have masks of their own");
    }
}

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
    let batch = Batch::new(&examples.iter().collect::<Vec<_>>());
    let bits = |config: &ModelConfig, threads| {
        let (model, specs) = Seq2Seq::new(config, 300, 300);
        let cpu = Cpu::<f32>::detect(threads);
        let params = Params::init(&cpu, specs, 1);
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, &params));
        let mut g = Graph::training(&cpu, &params, &mut tape, &mut gradients, Recording::On { seed: 1, step: 1 });
        let loss = model.loss(&mut g, &batch, 0.1).loss;
        g.backward();
        let all: Vec<u32> = gradients.all().iter().flatten().map(|v| v.to_bits()).collect();
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
        model.loss(&mut g, &Batch::new(&[&example]), 0.0);
        g.backward();
        for (spec, gradient) in params.specs().iter().zip(gradients.all()) {
            assert!(gradient.iter().any(|g| g.abs() > 0.0), "{from:?} to {to:?}: {}", spec.name);
        }
    }
}

#[test]
fn step_by_step_decoding_is_the_whole_sequence() {
    for (name, config) in all() {
        let case = Case::<f32>::read(&name, &config, 2);
        let (cpu, batch) = (&case.cpu, &case.batch);
        let (mut tape, mut steps) = (Tape::new(), Tape::new());
        let mut whole = Graph::inference(cpu, &case.params, &mut tape);
        let memory = case.model.encode(&mut whole, &batch.src, &batch.src_len);
        let state = case.model.start(&mut whole, &memory);
        let all = case.model.decode(&mut whole, &memory, &state, &batch.tgt_in);
        let (all, weights) =
            (whole.download(all.attentional), all.weights.map(|w| whole.download(w.each)).unwrap_or_default());

        let mut g = Graph::inference(cpu, &case.params, &mut steps);
        let memory = case.model.encode(&mut g, &batch.src, &batch.src_len);
        let mark = g.mark();
        let mut state = case.model.start(&mut g, &memory);
        let (mut got, mut seen) = (Vec::new(), Vec::new());
        for t in 0..batch.tgt_max {
            let prev = &batch.tgt_in[t * batch.batch..][..batch.batch];
            let step = case.model.decode(&mut g, &memory, &state, prev);
            got.extend(g.download(step.attentional));
            seen.extend(step.weights.map(|w| g.download(w.each)).unwrap_or_default());
            state = step.state;
            g.keep(mark, &mut state.vars_mut());
        }
        assert!(got == all && seen == weights, "{name}");
    }
}

#[test]
fn other_sentences_and_padding_change_nothing() {
    for (name, config) in all() {
        let case = Case::<f32>::read(&name, &config, 2);
        let batch = &case.batch;
        let nll = |batch: &Batch| {
            let mut tape = Tape::new();
            let mut g = Graph::inference(&case.cpu, &case.params, &mut tape);
            case.model.score(&mut g, batch).0
        };
        let together = nll(batch);
        for b in 0..batch.batch {
            let column =
                |ids: &[u32], len: usize| -> Vec<u32> { ids.chunks(batch.batch).map(|row| row[b]).take(len).collect() };
            let (src_len, tgt_len) = (batch.src_len[b] as usize, batch.tgt_len[b] as usize);
            let alone = Batch {
                src: column(&batch.src, src_len),
                src_len: vec![batch.src_len[b]],
                tgt_in: column(&batch.tgt_in, tgt_len),
                tgt_out: column(&batch.tgt_out, tgt_len),
                tgt_len: vec![batch.tgt_len[b]],
                batch: 1,
                src_max: src_len,
                tgt_max: tgt_len,
                src_tokens: src_len,
                tgt_tokens: tgt_len,
                lines: vec![],
            };
            for (t, got) in nll(&alone).into_iter().enumerate() {
                let want = together[t * batch.batch + b];
                assert!((got - want).abs() < 1e-5, "{name}, sentence {b}, position {t}: {got} for {want}");
            }
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
    let (whole_loss, whole) = case.gradients();
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
    for (spec, (got, want)) in case.params.specs().iter().zip(sum.all().iter().zip(whole.all())) {
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
