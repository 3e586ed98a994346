//! Which combinations are tried: all of some dimensions, and with the others every pair of values that may combine.

use crate::space::{
    BRIDGE, CELLS, Choice, Combination, DIMENSIONS, FEEDING, HEADS, ORDER, SCORE, Space, WINDOW, choices, pairs,
};

/// The dimensions whose values meet in every possible way, beside the decoder's cell.
const WHOLE: [usize; 6] = [SCORE, HEADS, WINDOW, ORDER, FEEDING, BRIDGE];

/// Combinations in which the dimensions of [`WHOLE`] and the decoder's cell have every possible product, and every pair of values is met.
pub(crate) fn design(space: &Space) -> Vec<Combination> {
    let mut cover = Cover::new(space);
    for chosen in products(space) {
        for cell in 0..3 {
            let mut chosen = chosen.clone();
            chosen.push(cover.best(CELLS, 3 * cell..3 * cell + 3, &chosen));
            cover.complete(chosen);
        }
    }
    for (a, b) in possible_pairs(space) {
        if cover.met(a, b) == 0 {
            cover.complete(vec![a, b]);
        }
    }
    cover.found
}

/// Every product of the dimensions of [`WHOLE`] that may be.
fn products(space: &Space) -> Vec<Vec<Choice>> {
    let mut all: Vec<Vec<Choice>> = vec![vec![]];
    for dimension in WHOLE {
        let values = 0..DIMENSIONS[dimension].values.len();
        let with = |chosen: Vec<Choice>| {
            let may_join = |value: &usize| chosen.iter().all(|&c| space.refusal(c, (dimension, *value)).is_none());
            let values: Vec<usize> = values.clone().filter(may_join).collect();
            values.into_iter().map(move |value| [&chosen[..], &[(dimension, value)]].concat())
        };
        all = all.into_iter().flat_map(with).collect();
    }
    all
}

/// The pairs of values of two dimensions that may combine.
pub(crate) fn possible_pairs(space: &Space) -> Vec<(Choice, Choice)> {
    let all = choices();
    let with = |&a: &Choice| all.iter().filter(move |b| b.0 < a.0).map(move |&b| (a, b)).collect::<Vec<_>>();
    all.iter().flat_map(with).filter(|&(a, b)| space.refusal(a, b).is_none()).collect()
}

/// Combinations so far, and how often each pair of values met in them.
struct Cover<'a> {
    space: &'a Space,
    met: Vec<Vec<usize>>,
    found: Vec<Combination>,
}

impl<'a> Cover<'a> {
    fn new(space: &'a Space) -> Self {
        let all = choices().len();
        Self { space, met: vec![vec![0; all]; all], found: vec![] }
    }

    fn met(&self, a: Choice, b: Choice) -> usize {
        self.met[self.space.place(a)][self.space.place(b)]
    }

    /// The value that, beside what is chosen, makes the most pairs that never met; of several the one whose pairs met least.
    fn best(&self, dimension: usize, values: std::ops::Range<usize>, chosen: &[Choice]) -> Choice {
        let of = values.map(|value| (dimension, value));
        let may_join = |&c: &Choice| chosen.iter().all(|&other| self.space.refusal(c, other).is_none());
        let cost = |&c: &Choice| {
            let met = chosen.iter().map(|&other| self.met(c, other));
            (met.clone().filter(|&n| n > 0).count(), met.sum::<usize>())
        };
        of.filter(may_join).min_by_key(cost).expect("every dimension has a value that goes with everything")
    }

    /// Chooses what is open.
    fn complete(&mut self, mut chosen: Vec<Choice>) {
        for (dimension, of) in DIMENSIONS.iter().enumerate() {
            if chosen.iter().all(|c| c.0 != dimension) {
                chosen.push(self.best(dimension, 0..of.values.len(), &chosen));
            }
        }
        let mut combination = [0; DIMENSIONS.len()];
        for (dimension, value) in chosen {
            combination[dimension] = value;
        }
        for (a, b) in pairs(&combination) {
            let (a, b) = (self.space.place(a), self.space.place(b));
            self.met[a][b] += 1;
            self.met[b][a] += 1;
        }
        self.found.push(combination);
    }
}
