//! Guided alignment through whole models: gradients for every score, window, order and number of heads.

use super::cases::all;
use super::*;
use crate::config::{AttentionKind, WindowKind};

/// Weights given for most positions of a batch: one place or two.
fn given(batch: &Batch) -> (Vec<u32>, Vec<u32>, Vec<f32>) {
    let (mut starts, mut columns, mut shares) = (vec![0], Vec::new(), Vec::new());
    for t in 0..batch.tgt_max {
        for b in 0..batch.batch {
            let (place, len) = (u32::try_from(t * 5 + b * 3).expect("few"), batch.src_len[b]);
            if t < batch.tgt_len[b] as usize && place % 4 != 3 {
                let (first, second) = (place % len, (place + 1) % len);
                let entries = if first == second { vec![(first, 1.0)] } else { vec![(first, 0.25), (second, 0.75)] };
                columns.extend(entries.iter().map(|entry| entry.0));
                shares.extend(entries.iter().map(|entry| entry.1));
            }
            starts.push(u32::try_from(columns.len()).expect("few"));
        }
    }
    (starts, columns, shares)
}

#[test]
fn gradients_of_the_guided_loss_agree_with_differences_for_every_score_order_window_and_head() {
    // The weights know nothing of cells and directions.
    let is_guided =
        |name: &str, config: &ModelConfig| config.attention != AttentionKind::None && !name.starts_with("grid_");
    let guided: Vec<_> = all().into_iter().filter(|(name, config)| is_guided(name, config)).collect();
    assert!(guided.iter().any(|(_, c)| c.heads > 1) && guided.iter().any(|(_, c)| c.window != WindowKind::Global));
    for (name, config) in guided {
        let mut case = Case::<f64>::read(&name, &config, 1);
        let (starts, columns, shares) = given(&case.batch);
        let rows = GuidedRows { starts: &starts, columns: &columns, shares: &shares };
        let values: Vec<Vec<f64>> =
            case.params.specs().iter().map(|s| stored(&case.golden, &config, &s.name)).collect();
        for cost in [GuidedCost::CrossEntropy, GuidedCost::SquaredError, GuidedCost::Product] {
            let guidance = Guidance { given: rows, cost, weight: 0.7 };
            let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&case.cpu, &case.params));
            let mut g = Graph::training(&case.cpu, &case.params, &mut tape, &mut gradients, Recording::Deterministic);
            let (_, seen) = case.model.guided_loss(&mut g, &case.batch, 0.0, guidance);
            g.backward();
            assert!(seen.rows > 2 && seen.loss > 0.0, "{name}");
            let gradients = gradients.values(&case.cpu);
            // Along one direction in each parameter: the derivative is the gradient's share of it.
            for i in 0..values.len() {
                let direction: Vec<f64> = (0..values[i].len()).map(|k| (k as f64 * 0.7 + 0.3).sin()).collect();
                let mut loss = |step: f64| {
                    let mut all = values.clone();
                    all[i].iter_mut().zip(&direction).for_each(|(v, d)| *v += step * d);
                    case.params.set_exact(&case.cpu, &all);
                    let mut tape = Tape::new();
                    let mut g = Graph::inference(&case.cpu, &case.params, &mut tape);
                    let (loss, guided) = case.model.guided_loss(&mut g, &case.batch, 0.0, guidance);
                    loss.loss + 0.7 * guided.loss
                };
                let difference = (loss(1e-6) - loss(-1e-6)) / 2e-6;
                let gradient: f64 = gradients[i].iter().zip(&direction).map(|(g, d)| g * d).sum();
                let error = (difference - gradient).abs() / gradient.abs().max(1e-2);
                assert!(
                    error < 1e-5,
                    "{name}, {cost:?}, {}: {difference}, not {gradient}",
                    case.params.specs()[i].name
                );
            }
            case.params.set_exact(&case.cpu, &values);
        }
    }
}

#[test]
fn a_model_learns_to_look_where_it_is_told_and_the_loss_of_the_words_is_told_alone() {
    let (name, config) = all().into_iter().find(|(n, _)| n == "order_luong_general_2h_feed").expect("in the list");
    let mut case = Case::<f64>::read(&name, &config, 1);
    let (starts, columns, shares) = given(&case.batch);
    let rows = GuidedRows { starts: &starts, columns: &columns, shares: &shares };
    let guidance = Guidance { given: rows, cost: GuidedCost::CrossEntropy, weight: 5.0 };
    let (plain, _) = case.gradients();
    let mut values: Vec<Vec<f64>> =
        case.params.specs().iter().map(|s| stored(&case.golden, &config, &s.name)).collect();
    let mut costs = Vec::new();
    for step in 0..200 {
        let (mut tape, mut gradients) = (Tape::new(), Gradients::zeros(&case.cpu, &case.params));
        let mut g = Graph::training(&case.cpu, &case.params, &mut tape, &mut gradients, Recording::Deterministic);
        let (loss, guided) = case.model.guided_loss(&mut g, &case.batch, 0.0, guidance);
        g.backward();
        assert!(step > 0 || loss.loss.to_bits() == plain.to_bits(), "the loss of the words is told alone");
        costs.push(guided.loss);
        for (values, gradient) in values.iter_mut().zip(gradients.values(&case.cpu)) {
            values.iter_mut().zip(&gradient).for_each(|(v, g)| *v -= 0.02 * g);
        }
        case.params.set_exact(&case.cpu, &values);
    }
    let (first, last) = (costs[0], costs[costs.len() - 1]);
    assert!(last < 0.7 * first, "{first} became {last}");
}
