//! Drawing a token.

use crate::backend::{Candidates, RandomKey, Real};

use super::options::Sampling;
use lookback_kernels::{exp, philox4x32};

/// Which number is drawn: sample `draw` of sentence `number`, at `position`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) draw: u32,
    pub(super) position: u32,
}

/// Draws from `row`, log-probabilities over the vocabulary times `members`, among the candidates. None if none of them is finite.
///
/// ```text
/// p(y) ∝ exp(log_prob(y) / temperature),  y among the top_k most probable, then among those that hold top_p together
/// ```
pub(super) fn draw<T: Real>(
    row: &[T],
    members: f64,
    candidates: Candidates<'_>,
    sampling: &Sampling,
    place: Place,
) -> Option<(u32, f64)> {
    let mut all = collect(row, members, candidates);
    // Equal ones stand in order of id, so what is drawn does not depend on the sort.
    let by_share = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
    if let Some(k) = sampling.top_k.filter(|&k| k < all.len()) {
        all.select_nth_unstable_by(k, by_share);
        all.truncate(k);
    }
    if sampling.top_k.is_some() || sampling.top_p < 1.0 {
        all.sort_unstable_by(by_share);
    }
    let best = all.iter().map(|c| c.1).fold(f64::NEG_INFINITY, f64::max);
    let share = |log_prob: f64| exp((log_prob - best) / sampling.temperature);
    let mut total: f64 = all.iter().map(|c| share(c.1)).sum();
    if sampling.top_p < 1.0 {
        let (mut kept, mut sum) = (0, 0.0);
        while kept < all.len() && sum < sampling.top_p * total {
            sum += share(all[kept].1);
            kept += 1;
        }
        all.truncate(kept);
        total = sum;
    }
    let mut left = uniform(sampling.seed, place) * total;
    for &(id, log_prob) in &all {
        left -= share(log_prob);
        if left < 0.0 {
            return Some((id, log_prob));
        }
    }
    // Rounding may leave a little.
    all.last().copied()
}

fn collect<T: Real>(row: &[T], members: f64, candidates: Candidates<'_>) -> Vec<(u32, f64)> {
    let value = |id: u32| (id, row[id as usize].to_f64() / members);
    let is_finite = |&(_, value): &(u32, f64)| value.is_finite();
    match candidates {
        Candidates::Only(ids) => ids.iter().map(|&id| value(id)).filter(is_finite).collect(),
        Candidates::AllExcept(blocked) => {
            let mut free = vec![true; row.len()];
            blocked.iter().for_each(|&id| free[id as usize] = false);
            (0u32..).zip(&free).filter(|(_, free)| **free).map(|(id, _)| value(id)).filter(is_finite).collect()
        }
    }
}

/// A number in [0, 1).
fn uniform(seed: u64, place: Place) -> f64 {
    let key = RandomKey { seed, stream: place.draw, step: place.number };
    let [high, low, ..] = philox4x32(key, place.position);
    f64::from(high >> 5).mul_add(67_108_864.0, f64::from(low >> 6)) / 9_007_199_254_740_992.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: [f64; 5] = [0.1, 0.4, 0.05, 0.25, 0.2];

    /// How often each of five tokens is drawn in 20,000 draws, as shares.
    fn shares(candidates: Candidates<'_>, sampling: &Sampling) -> [f64; 5] {
        let row = SHARES.map(|p: f64| p.ln() as f32);
        let mut counts = [0.0; 5];
        for number in 0..20_000 {
            let place = Place { number, draw: 0, position: 3 };
            let (id, log_prob) = draw(&row, 1.0, candidates, sampling, place).unwrap();
            assert!((log_prob - f64::from(row[id as usize])).abs() < 1e-12, "the model's, whatever the temperature");
            counts[id as usize] += 1.0 / 20_000.0;
        }
        counts
    }

    #[track_caller]
    fn close(got: [f64; 5], want: [f64; 5]) {
        // Five standard deviations of a share are at most 5·√(0.25 / 20,000) = 0.018.
        assert!(
            got.iter().zip(want).all(|(a, b)| (a - b).abs() < 0.018 && (b > 0.0 || *a == 0.0)),
            "{got:?}, {want:?}"
        );
    }

    #[test]
    fn tokens_are_drawn_as_often_as_they_are_probable() {
        close(shares(Candidates::AllExcept(&[]), &Sampling::default()), SHARES);
        close(
            shares(Candidates::AllExcept(&[1, 3]), &Sampling::default()),
            [2.0 / 7.0, 0.0, 1.0 / 7.0, 0.0, 4.0 / 7.0],
        );
        close(shares(Candidates::Only(&[0, 1]), &Sampling::default()), [0.2, 0.8, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn temperature_sharpens_and_the_tail_is_cut() {
        let squares: f64 = SHARES.iter().map(|p| p * p).sum();
        let sampling = Sampling { temperature: 0.5, ..Sampling::default() };
        close(shares(Candidates::AllExcept(&[]), &sampling), SHARES.map(|p| p * p / squares));
        let sampling = Sampling { top_k: Some(2), ..Sampling::default() };
        close(shares(Candidates::AllExcept(&[]), &sampling), [0.0, 0.4 / 0.65, 0.0, 0.25 / 0.65, 0.0]);
        // 0.4 + 0.25 are not 0.7, with 0.2 they are.
        let sampling = Sampling { top_p: 0.7, ..Sampling::default() };
        close(shares(Candidates::AllExcept(&[]), &sampling), [0.0, 0.4 / 0.85, 0.0, 0.25 / 0.85, 0.2 / 0.85]);
        let sampling = Sampling { top_p: 1e-9, ..Sampling::default() };
        close(shares(Candidates::AllExcept(&[]), &sampling), [0.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn what_is_not_a_number_is_not_drawn() {
        let place = Place { number: 0, draw: 0, position: 0 };
        let all = Candidates::AllExcept(&[]);
        assert_eq!(draw(&[f32::NAN, f32::NEG_INFINITY], 1.0, all, &Sampling::default(), place), None);
        assert_eq!(draw(&[f32::NAN, 0.0], 1.0, all, &Sampling::default(), place), Some((1, 0.0)));
    }

    #[test]
    fn a_draw_depends_on_seed_sentence_sample_and_position() {
        let place = Place { number: 7, draw: 1, position: 2 };
        let others = [Place { number: 8, ..place }, Place { draw: 0, ..place }, Place { position: 3, ..place }];
        let first = uniform(1, place);
        assert!((0.0..1.0).contains(&first) && first.to_bits() == uniform(1, place).to_bits());
        assert!(others.iter().all(|&other| uniform(1, other).to_bits() != first.to_bits()));
        assert!(uniform(2, place).to_bits() != first.to_bits());
    }
}
