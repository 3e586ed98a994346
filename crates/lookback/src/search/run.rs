//! The loop over steps.

use crate::backend::{Backend, Candidates, Real};
use crate::data::Batch;

use super::allowed::{Allowed, Choice};
use super::beam::{Beam, Questions};
use super::member::{Said, Together};
use super::options::Sampling;
use super::sample::draw;
use super::{SearchError, SearchOptions};

/// Runs the models step by step until every beam is done. `keep_weights` says whether the beams want attention weights.
pub(super) fn run<B: Backend>(
    backend: &B,
    mut models: Together<'_, B>,
    batch: &Batch,
    beams: &mut [Beam<'_>],
    mut allowed: Allowed<'_>,
    (options, keep_weights): (&SearchOptions, bool),
) -> Result<(), SearchError> {
    let mut questions = Questions::default();
    // Sentences still searched, and the rows each has: the most live hypotheses of any of them. A sentence with fewer has rows that nobody reads.
    let (mut open, mut group): (Vec<usize>, usize) = ((0..beams.len()).collect(), 1);
    for step in 0.. {
        questions.prev.clear();
        questions.choices.clear();
        questions.proposals.clear();
        open.iter().for_each(|&sentence| beams[sentence].ask(group, &mut allowed, &mut questions));
        let said = models.step(&questions.prev, keep_weights);
        assert_eq!(said.width, allowed.width(), "the tokenizer has as many pieces as the model");
        let answers = Answers { backend, models: &models, said: &said, questions: &questions, allowed: &allowed };
        let found = match &options.sampling {
            Some(sampling) => answers.drawn(sampling, open.iter().map(|&sentence| &beams[sentence]), group),
            None => answers.best(options.config.beam_size),
        };
        for (place, &sentence) in open.iter().enumerate() {
            let rows = place * group..(place + 1) * group;
            let weights = said.weights.as_ref();
            let weights = weights.map(|(all, columns)| (&all[rows.start * columns..rows.end * columns], *columns));
            if !beams[sentence].advance(&found[rows], weights, &allowed) {
                return Err(SearchError::NotFinite { sentence, step });
            }
        }
        let places: Vec<usize> = (0..open.len()).filter(|&place| !beams[open[place]].is_done()).collect();
        if places.is_empty() {
            break;
        }
        follow(&mut models, batch, beams, (&mut open, &mut group), &places);
    }
    Ok(())
}

/// What was said, and what was asked.
struct Answers<'a, B: Backend> {
    backend: &'a B,
    models: &'a Together<'a, B>,
    said: &'a Said,
    questions: &'a Questions,
    allowed: &'a Allowed<'a>,
}

impl<B: Backend> Answers<'_, B> {
    fn candidates(&self, row: usize) -> Candidates<'_> {
        match &self.questions.choices[row] {
            Choice::Nothing => Candidates::Only(&[]),
            Choice::Usual(list) => self.allowed.list(*list).candidates(),
            Choice::Own(list) => list.candidates(),
        }
    }

    /// The `k` best continuations of every row, and those that were proposed.
    fn best(&self, k: usize) -> Vec<Vec<(u32, f64)>> {
        let mut best = self.top(k, &|row| self.candidates(row));
        let proposals = &self.questions.proposals;
        let most = proposals.iter().map(Vec::len).max().unwrap_or(0);
        if most > 0 {
            for (best, proposed) in best.iter_mut().zip(self.top(most, &|row| Candidates::Only(&proposals[row]))) {
                let new = |(id, _): &(u32, f64)| best.iter().all(|(known, _)| known != id);
                let new: Vec<(u32, f64)> = proposed.into_iter().filter(new).collect();
                best.extend(new);
            }
        }
        best
    }

    fn top<'c>(&self, k: usize, candidates: &dyn Fn(usize) -> Candidates<'c>) -> Vec<Vec<(u32, f64)>> {
        let width = self.said.width;
        let found = self.backend.top_k(self.models.log_probs(self.said), width, k.min(width), candidates);
        let members = self.models.members();
        let mean = |(id, log_prob): (u32, B::Elem)| (id, log_prob.to_f64() / members);
        found.into_iter().map(|row| row.into_iter().map(mean).collect()).collect()
    }

    /// What is drawn for every row of the beams.
    fn drawn<'b>(
        &self,
        sampling: &Sampling,
        beams: impl Iterator<Item = &'b Beam<'b>>,
        group: usize,
    ) -> Vec<Vec<(u32, f64)>> {
        let all = self.backend.download(self.models.log_probs(self.said));
        let width = self.said.width;
        let mut drawn = vec![Vec::new(); self.questions.prev.len()];
        for (sentence, beam) in beams.enumerate() {
            for (row, place) in beam.places() {
                let row = sentence * group + row;
                let values = &all[row * width..][..width];
                drawn[row].extend(draw(values, self.models.members(), self.candidates(row), sampling, place));
            }
        }
        drawn
    }
}

/// Lets states follow the hypotheses that live, and memory the sentences in `places`, which stay.
fn follow<B: Backend>(
    models: &mut Together<'_, B>,
    batch: &Batch,
    beams: &[Beam<'_>],
    (open, group): (&mut Vec<usize>, &mut usize),
    places: &[usize],
) {
    let next_group = places.iter().map(|&place| beams[open[place]].live()).max().unwrap_or(1);
    let row = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
    let parents = places.iter().flat_map(|&place| {
        let first = place * *group;
        beams[open[place]].parents(next_group).map(move |parent| row(first + parent))
    });
    let rows: Vec<u32> = parents.collect();
    if (0..).zip(&rows).any(|(i, &row)| row != i) || rows.len() != open.len() * *group {
        models.follow(&rows);
    }
    if places.len() < open.len() {
        *open = places.iter().map(|&place| open[place]).collect();
        let stay: Vec<u32> = places.iter().map(|&place| row(place)).collect();
        let src_len: Vec<u32> = open.iter().map(|&sentence| batch.src_len[sentence]).collect();
        models.stay(&stay, &src_len);
    }
    *group = next_group;
}
