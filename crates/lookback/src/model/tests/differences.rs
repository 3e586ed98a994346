//! Gradients of whole models against central differences in double precision.

use lookback_testkit::max_grad_error;

use super::cases::all;
use super::decoding::variational;
use super::*;
use crate::data::Example;

#[test]
fn the_whole_gradient_agrees_with_differences_in_every_parameter() {
    for name in ["model_bridge", "order_luong_general_local_p_feed", "order_bahdanau_concat_local_p"] {
        let (_, config) = all().into_iter().find(|(n, _)| n == name).expect("in the list");
        gradient_agrees_with_differences(name, &config);
    }
}

/// Every cell in every direction and way of the decoder, with scores by turns.
#[test]
fn the_whole_gradient_of_every_cell_and_order_agrees_with_differences() {
    let scores = ["general", "concat", "location", "dot", "scaled_dot"];
    let mut turn = scores.iter().cycle();
    let mut checked = 0;
    for cell in ["lstm", "gru", "rnn"] {
        for direction in ["uni", "bi"] {
            for way in ["luong_feed", "luong_nofeed", "bahdanau"] {
                let score = turn.next().expect("without end");
                let name = format!("grid_{cell}_{direction}/{way}_{score}");
                let (_, config) = all().into_iter().find(|(n, _)| *n == name).expect("in the list");
                gradient_agrees_with_differences(&name, &config);
                checked += 1;
            }
        }
    }
    assert_eq!(checked, 3 * 2 * 3);
}

fn gradient_agrees_with_differences(name: &str, config: &ModelConfig) {
    let case = Case::<f64>::read(name, config, 1);
    let gradients = case.gradients().1.values(&case.cpu);
    let values: Vec<Vec<f64>> = case.params.specs().iter().map(|s| stored(&case.golden, config, &s.name)).collect();
    let mut changed = Case::<f64>::read(name, config, 1);
    for i in 0..values.len() {
        let error = max_grad_error(&mut values[i].clone(), &gradients[i], |v| {
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
fn the_gradient_agrees_with_differences_under_masks_for_all_steps() {
    for config in variational() {
        let (model, specs) = Seq2Seq::new(&config, 9, 9);
        let cpu = Cpu::<f64>::detect(1);
        let mut params = Params::init(&cpu, specs, 1);
        let sentence = |from: u32, len: u32| (from..from + len).collect::<Vec<u32>>();
        let examples = [(3, 2), (2, 3)].map(|(s, t)| Example { src: sentence(4, s), tgt: sentence(5, t), line: 1 });
        let batch = Batch::new(examples.iter());
        let run = |params: &Params<Cpu<f64>>| {
            let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&cpu, params));
            let recording = Recording::On { seed: 1, step: 1 };
            let mut g = Graph::training(&cpu, params, &mut tape, &mut gradients, recording);
            let loss = model.loss(&mut g, &batch, 0.0).loss;
            g.backward();
            (loss, gradients)
        };
        let gradients = run(&params).1.values(&cpu);
        let values: Vec<Vec<f64>> =
            params.values(&cpu).iter().map(|v| v.iter().map(|&v| f64::from(v)).collect()).collect();
        for i in 0..values.len() {
            let error = max_grad_error(&mut values[i].clone(), &gradients[i], |v| {
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
