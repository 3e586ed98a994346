//! What the decoder says: words, steps, masks; and that neither other sentences nor padding change it.

use super::cases::{all, config};
use super::*;
use crate::config::{AttentionKind, DecoderOrder};

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
pub(super) fn variational() -> Vec<ModelConfig> {
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
            let mut kept: Vec<Var> = state.vars_mut().map(|var| *var).collect();
            g.keep(mark, &mut kept);
            state.vars_mut().zip(kept).for_each(|(var, kept)| *var = kept);
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
