//! The loop over steps.

use crate::backend::{Backend, Candidates, Real, TopK};
use crate::data::Batch;

use super::allowed::Allowed;
use super::beam::{Beam, Questions};
use super::member::{Said, Together};
use super::options::Sampling;
use super::sample::draw;
use super::{SearchError, SearchOptions};

/// Continuations of rows to choose from, with their log-probabilities.
#[derive(Debug, Default)]
struct Found {
    all: Vec<(u32, f64)>,
    /// Where each row's end.
    ends: Vec<usize>,
}

impl Found {
    fn clear(&mut self) {
        self.all.clear();
        self.ends.clear();
    }

    /// The next row is what was added since the last one ended.
    fn end_row(&mut self) {
        self.ends.push(self.all.len());
    }

    fn start(&self, row: usize) -> usize {
        if row == 0 { 0 } else { self.ends[row - 1] }
    }

    fn row(&self, row: usize) -> &[(u32, f64)] {
        &self.all[self.start(row)..self.ends[row]]
    }
}

/// Who goes where after a step.
#[derive(Debug, Default)]
struct Moves {
    /// Places of sentences that are not done, among those that were searched.
    places: Vec<usize>,
    /// The row each row comes from.
    rows: Vec<u32>,
    /// Sentences that stay, by their place, and their lengths.
    stay: Vec<u32>,
    src_len: Vec<u32>,
}

/// Runs the models step by step until every beam is done. `keep_weights` says whether the beams want attention weights. What a step needs is kept for the next one.
pub(super) fn run<B: Backend>(
    backend: &B,
    mut models: Together<'_, B>,
    batch: &Batch,
    beams: &mut [Beam<'_>],
    mut allowed: Allowed<'_>,
    (options, keep_weights): (&SearchOptions, bool),
) -> Result<(), SearchError> {
    let (mut questions, mut best, mut proposed) = (Questions::default(), TopK::default(), TopK::default());
    let (mut found, mut moves) = (Found::default(), Moves::default());
    // Sentences still searched, and the rows each has: the most live hypotheses of any of them. A sentence with fewer has rows that nobody reads.
    let (mut open, mut group): (Vec<usize>, usize) = ((0..beams.len()).collect(), 1);
    for step in 0.. {
        questions.clear();
        open.iter().for_each(|&sentence| beams[sentence].ask(sentence, group, &mut allowed, &mut questions));
        let said = models.step(&questions.prev, keep_weights);
        assert_eq!(said.width, allowed.width(), "the tokenizer has as many pieces as the model");
        let answers = Answers { backend, models: &models, said: &said, questions: &questions, allowed: &allowed };
        found.clear();
        match &options.sampling {
            Some(sampling) => answers.drawn(sampling, open.iter().map(|&sentence| &beams[sentence]), group, &mut found),
            None => answers.best(options.config.beam_size, &mut best, &mut proposed, &mut found),
        }
        for (place, &sentence) in open.iter().enumerate() {
            let first = place * group;
            let weights =
                models.weights(&said).map(|(all, columns)| (&all[first * columns..][..group * columns], columns));
            if !beams[sentence].advance(|row| found.row(first + row), weights, &allowed) {
                let mut choices = questions.choices[first..][..beams[sentence].live()].iter();
                let is_exhausted = choices.any(|choice| !allowed.leaves_any(sentence, choice));
                return Err(match is_exhausted {
                    true => SearchError::Exhausted { sentence, step },
                    false => SearchError::NotFinite { sentence, step },
                });
            }
        }
        moves.places.clear();
        moves.places.extend((0..open.len()).filter(|&place| !beams[open[place]].is_done()));
        if moves.places.is_empty() {
            break;
        }
        follow(&mut models, batch, beams, (&mut open, &mut group), &mut moves);
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
    /// The `k` best continuations of every row, and those that were proposed.
    fn best(&self, k: usize, best: &mut TopK<B::Elem>, proposed: &mut TopK<B::Elem>, found: &mut Found) {
        let width = self.said.width;
        let log_probs = self.models.log_probs(self.said);
        let (Questions { choices, proposals, .. }, allowed) = (self.questions, self.allowed);
        let candidates = |row: usize| allowed.candidates(&choices[row]);
        self.backend.top_k(log_probs, width, k.min(width), &candidates, best);
        let most = proposals.iter().map(Vec::len).max().unwrap_or(0);
        if most > 0 {
            self.backend.top_k(log_probs, width, most, &|row| Candidates::Only(&proposals[row]), proposed);
        }
        let members = self.models.members();
        let mean = |&(id, log_prob): &(u32, B::Elem)| (id, log_prob.to_f64() / members);
        for row in 0..best.rows() {
            let best = best.row(row);
            found.all.extend(best.iter().map(mean));
            if most > 0 {
                let new = |(id, _): &&(u32, B::Elem)| best.iter().all(|(known, _)| known != id);
                found.all.extend(proposed.row(row).iter().filter(new).map(mean));
            }
            found.end_row();
        }
    }

    /// What is drawn for every row of the beams.
    fn drawn<'b>(
        &self,
        sampling: &Sampling,
        beams: impl Iterator<Item = &'b Beam<'b>>,
        group: usize,
        found: &mut Found,
    ) {
        let all = self.backend.download(self.models.log_probs(self.said));
        let width = self.said.width;
        for (sentence, beam) in beams.enumerate() {
            let mut places = beam.places().peekable();
            for row in 0..group {
                let at = sentence * group + row;
                let (values, candidates) =
                    (&all[at * width..][..width], self.allowed.candidates(&self.questions.choices[at]));
                while let Some((_, place)) = places.next_if(|(of, _)| *of == row) {
                    found.all.extend(draw(values, self.models.members(), candidates, sampling, place));
                }
                found.end_row();
            }
        }
    }
}

/// Lets states follow the hypotheses that live, and memory the sentences in `places`, which stay.
fn follow<B: Backend>(
    models: &mut Together<'_, B>,
    batch: &Batch,
    beams: &[Beam<'_>],
    (open, group): (&mut Vec<usize>, &mut usize),
    Moves { places, rows, stay, src_len }: &mut Moves,
) {
    let next_group = places.iter().map(|&place| beams[open[place]].live()).max().unwrap_or(1);
    let row = |row: usize| u32::try_from(row).unwrap_or(u32::MAX);
    rows.clear();
    for &place in &*places {
        let parents = beams[open[place]].parents(next_group);
        rows.extend(parents.map(|parent| row(place * *group + parent)));
    }
    if (0..).zip(&*rows).any(|(i, &row)| row != i) || rows.len() != open.len() * *group {
        models.follow(rows);
    }
    if places.len() < open.len() {
        stay.clear();
        stay.extend(places.iter().map(|&place| row(place)));
        // Places ascend, so each is read before something is put there.
        places.iter().enumerate().for_each(|(to, &place)| open[to] = open[place]);
        open.truncate(places.len());
        src_len.clear();
        src_len.extend(open.iter().map(|&sentence| batch.src_len[sentence]));
        models.stay(stay, src_len);
    }
    *group = next_group;
}
