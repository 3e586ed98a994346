//! Which layer of the encoder starts which of the decoder.

use super::cases::config;
use super::*;
use crate::config::{AttentionKind, Bridge};

#[test]
fn top_layers_meet_where_depths_differ() {
    for (depths, starts_from) in [((2, 1), vec![1]), ((1, 2), vec![0, 0]), ((3, 2), vec![1, 2]), ((2, 2), vec![0, 1])] {
        let config = ModelConfig {
            encoder_layers: depths.0,
            decoder_layers: depths.1,
            bridge: Bridge::Project,
            ..config(true, 1, AttentionKind::Dot, false)
        };
        let (model, specs) = Seq2Seq::new(&config, 9, 9);
        let cpu = Cpu::<f32>::detect(1);
        let params = Params::init(&cpu, specs, 7);
        let values = params.values(&cpu);
        let value = |name: &str| &values[params.find(name).expect("a parameter of the bridge").0];
        let mut tape = Tape::new();
        let mut g = Graph::inference(&cpu, &params, &mut tape);
        let memory = model.encode(&mut g, &[4, 5, 6, 7, 8, 4], &[3, 3]);
        let state = model.start(&mut g, &memory);
        for (layer, &from) in starts_from.iter().enumerate() {
            for (what, got, last) in [
                ("h", Some(state.layers[layer].h), Some(memory.last[from].h)),
                ("c", state.layers[layer].c, memory.last[from].c),
            ] {
                let (got, last) = (g.download(got.expect("an LSTM")), g.download(last.expect("an LSTM")));
                let weight = value(&format!("decoder.bridge.{what}_l{layer}.weight"));
                let bias = value(&format!("decoder.bridge.{what}_l{layer}.bias"));
                let (inputs, outputs) = (weight.len() / bias.len(), bias.len());
                for (i, got) in got.iter().enumerate() {
                    let (row, unit) = (&last[i / outputs * inputs..][..inputs], i % outputs);
                    let sum: f32 = row.iter().zip(&weight[unit * inputs..]).map(|(x, w)| x * w).sum();
                    let want = if what == "h" { (sum + bias[unit]).tanh() } else { sum + bias[unit] };
                    assert!(
                        (got - want).abs() < 1e-5,
                        "{what} of layer {layer} for depths {depths:?}: {got}, not {want}"
                    );
                }
            }
        }
    }
}
