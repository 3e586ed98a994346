//! A unigram vocabulary (Kudo 2018, "Subword regularization", §3.2): from many candidate pieces, those are kept without which the
//! likelihood of the corpus falls most.
//!
//! ```text
//! P(word) = Σ over its cuts into pieces x₁…x_m of Π p(x_i)                    expected counts: forward-backward over the cuts
//! p(x) = exp(ψ(c(x)) − ψ(Σ c))                                                 c expected counts, ψ digamma: rare pieces fade
//! loss(x) = count(x) · (log p(x) − Σ log p(what x would be cut into))          of the pieces with the least loss a quarter goes
//! ```
//! The trainer in `tokenizers` is not used: without its C++ part its suffix array is wrong for some texts, and it panics. Everything
//! here runs in one order on one thread, so equal texts give equal bytes.
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::super::escape::META;
use super::counts::Words;
use super::parts;

/// The longest piece, in characters.
const LONGEST_PIECE: usize = 16;
/// Longer words are learned from in parts.
const LONGEST_WORD: usize = 256;
/// The most frequent different words are learned from; the rest add next to nothing and cost as much.
const MOST_WORDS: usize = 200_000;
/// Candidates at most.
const MOST_SEEDS: usize = 1_000_000;
/// A longer piece expected less often than this is dropped; a character is kept as if it were.
const LEAST: f64 = 0.5;
/// What is left of the pieces after a round …
const KEPT: f64 = 0.75;
/// … of this many passes of expectation and maximisation, …
const PASSES: usize = 2;
/// … until there are this many times as many as asked; then the most probable ones are taken.
const SPARE: f64 = 1.1;

/// At most `room` pieces with their log-probabilities: every character of `alphabet` by code point, then longer pieces by
/// falling probability.
pub(super) fn pieces_of(words: &Words, alphabet: &BTreeSet<char>, room: usize) -> Vec<(String, f64)> {
    let words = counted(words, alphabet);
    let mut model = Model::seeded(&words, alphabet);
    let lattices: Vec<Lattice> = words.iter().map(|(word, count)| model.lattice(word, *count)).collect();
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "vocabularies are far below 2⁵²"
    )]
    let part = |share: f64, of: usize| (share * of as f64) as usize;
    let enough = part(SPARE, room);
    loop {
        for _ in 0..PASSES {
            let expected = model.expect(&lattices);
            model.maximise(expected);
        }
        let left = model.left();
        if left <= enough {
            break;
        }
        model.prune(&lattices, enough.max(part(KEPT, left)));
    }
    model.most_probable(room)
}

/// The different words, as parts that can be learned from, with their counts.
fn counted(words: &Words, alphabet: &BTreeSet<char>) -> Vec<(Vec<char>, f64)> {
    let mut counts: BTreeMap<Vec<char>, u32> = BTreeMap::new();
    for (word, &times) in words {
        let times = u32::try_from(times).unwrap_or(u32::MAX);
        for part in parts(word, alphabet) {
            let chars: Vec<char> = part.chars().collect();
            for part in chars.chunks(LONGEST_WORD) {
                let count = counts.entry(part.to_vec()).or_default();
                *count = count.saturating_add(times);
            }
        }
    }
    counts.entry(vec![META]).or_insert(1);
    let mut counts: Vec<(Vec<char>, u32)> = counts.into_iter().collect();
    // Stable: equal counts stay in the order of code points.
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.truncate(MOST_WORDS);
    counts.into_iter().map(|(word, count)| (word, f64::from(count))).collect()
}

/// Pieces with their log-probabilities; characters first.
struct Model {
    pieces: Vec<Vec<char>>,
    ids: HashMap<Vec<char>, u32>,
    /// `−∞` for a piece that was dropped.
    scores: Vec<f64>,
    characters: usize,
}

/// A word and the pieces in it.
struct Lattice {
    len: usize,
    count: f64,
    /// By their ends, then their starts.
    nodes: Vec<Node>,
}

/// A piece at `start..end` of a word.
#[derive(Clone, Copy)]
struct Node {
    start: u16,
    end: u16,
    piece: u32,
}

impl Model {
    /// Characters and the repeated strings that promise most: count × length.
    fn seeded(words: &[(Vec<char>, f64)], alphabet: &BTreeSet<char>) -> Self {
        let mut counts: BTreeMap<char, f64> = alphabet.iter().map(|&c| (c, 0.0)).collect();
        for (word, count) in words {
            for c in word {
                *counts.entry(*c).or_default() += count;
            }
        }
        let characters = counts.len();
        let singles = counts.into_iter().map(|(c, count)| (vec![c], count.max(1.0)));
        let mut longer = repeated(words);
        longer.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
        longer.truncate(MOST_SEEDS);
        let (pieces, weights): (Vec<Vec<char>>, Vec<f64>) = singles.chain(longer).unzip();
        let total: f64 = weights.iter().sum();
        let scores = weights.into_iter().map(|weight| (weight / total).ln()).collect();
        let ids = (0..).zip(&pieces).map(|(id, piece)| (piece.clone(), id)).collect();
        Self { pieces, ids, scores, characters }
    }

    fn lattice(&self, word: &[char], count: f64) -> Lattice {
        let mut nodes = Vec::new();
        for end in 1..=word.len() {
            for start in end.saturating_sub(LONGEST_PIECE)..end {
                if let Some(&piece) = self.ids.get(&word[start..end]) {
                    let place = |at: usize| u16::try_from(at).unwrap_or(u16::MAX);
                    nodes.push(Node { start: place(start), end: place(end), piece });
                }
            }
        }
        Lattice { len: word.len(), count, nodes }
    }

    /// How often each piece is expected in all cuts of all words.
    fn expect(&self, lattices: &[Lattice]) -> Vec<f64> {
        let mut expected = vec![0.0; self.pieces.len()];
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        for lattice in lattices {
            let len = lattice.len;
            forward.clear();
            forward.resize(len + 1, f64::NEG_INFINITY);
            backward.clear();
            backward.resize(len + 1, f64::NEG_INFINITY);
            (forward[0], backward[len]) = (0.0, 0.0);
            let live = || {
                lattice.nodes.iter().map(|node| (node, self.scores[node.piece as usize])).filter(|n| n.1.is_finite())
            };
            for (node, score) in live() {
                let (start, end) = (usize::from(node.start), usize::from(node.end));
                forward[end] = add_logs(forward[end], forward[start] + score);
            }
            for (node, score) in live().rev() {
                let (start, end) = (usize::from(node.start), usize::from(node.end));
                backward[start] = add_logs(backward[start], backward[end] + score);
            }
            for (node, score) in live() {
                let through = forward[usize::from(node.start)] + score + backward[usize::from(node.end)];
                expected[node.piece as usize] += lattice.count * (through - forward[len]).exp();
            }
        }
        expected
    }

    fn maximise(&mut self, mut expected: Vec<f64>) {
        for (piece, count) in expected.iter_mut().enumerate() {
            if piece < self.characters {
                *count = count.max(LEAST);
            } else if *count < LEAST {
                *count = 0.0;
            }
        }
        let total = digamma(expected.iter().sum());
        for (score, count) in self.scores.iter_mut().zip(expected) {
            *score = if count > 0.0 { digamma(count) - total } else { f64::NEG_INFINITY };
        }
    }

    /// Pieces that are not dropped.
    fn left(&self) -> usize {
        self.scores.iter().filter(|score| score.is_finite()).count()
    }

    /// Drops the longer pieces that cost least, until `most` pieces are left.
    fn prune(&mut self, lattices: &[Lattice], most: usize) {
        let mut counts = vec![0.0; self.pieces.len()];
        for lattice in lattices {
            for piece in self.best(lattice, None) {
                counts[piece as usize] += lattice.count;
            }
        }
        let total: f64 = counts.iter().sum();
        let mut losses: Vec<(f64, u32)> = Vec::new();
        for piece in (0..).zip(&self.pieces).skip(self.characters).map(|(id, _)| id) {
            let count: f64 = counts[piece as usize];
            if count > 0.0 && self.scores[piece as usize].is_finite() {
                let instead = self.best(&self.lattice(&self.pieces[piece as usize], 1.0), Some(piece));
                #[allow(clippy::cast_precision_loss, reason = "a piece has at most 16 characters")]
                let total_instead = (total + count * (instead.len() as f64 - 1.0)).ln();
                let score = count.ln() - total.ln();
                let without: f64 = instead.iter().map(|&x| (counts[x as usize] + count).ln() - total_instead).sum();
                losses.push((count * (score - without), piece));
            }
        }
        // Equal losses: the one that promised more stays.
        losses.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
        let mut kept = vec![false; self.pieces.len()];
        kept[..self.characters].fill(true);
        for (_, piece) in losses.iter().take(most.saturating_sub(self.characters)) {
            kept[*piece as usize] = true;
        }
        for (score, kept) in self.scores.iter_mut().zip(kept) {
            if !kept {
                *score = f64::NEG_INFINITY;
            }
        }
    }

    /// The most probable cut of a word, from its end, without the piece `except`.
    fn best(&self, lattice: &Lattice, except: Option<u32>) -> Vec<u32> {
        let mut best: Vec<(f64, Option<Node>)> = vec![(f64::NEG_INFINITY, None); lattice.len + 1];
        best[0].0 = 0.0;
        for node in lattice.nodes.iter().filter(|node| Some(node.piece) != except) {
            let score = best[usize::from(node.start)].0 + self.scores[node.piece as usize];
            if score > best[usize::from(node.end)].0 {
                best[usize::from(node.end)] = (score, Some(*node));
            }
        }
        let mut at = lattice.len;
        let back = std::iter::from_fn(|| {
            let node = best[at].1?;
            at = usize::from(node.start);
            Some(node.piece)
        });
        back.collect()
    }

    fn most_probable(self, room: usize) -> Vec<(String, f64)> {
        let mut longer: Vec<usize> =
            (self.characters..self.pieces.len()).filter(|&i| self.scores[i].is_finite()).collect();
        longer.sort_by(|&a, &b| {
            self.scores[b].total_cmp(&self.scores[a]).then_with(|| self.pieces[a].cmp(&self.pieces[b]))
        });
        let chosen = (0..self.characters).chain(longer).take(room);
        chosen.map(|i| (self.pieces[i].iter().collect(), self.scores[i])).collect()
    }
}

/// Strings of two characters and more that occur twice in the words, with count × length. One that never occurs without the next character
/// (or the one before) is left out for the longer one.
fn repeated(words: &[(Vec<char>, f64)]) -> Vec<(Vec<char>, f64)> {
    let mut found: Vec<(Vec<char>, f64)> = Vec::new();
    let mut shorter: HashMap<&[char], f64> = HashMap::new();
    for len in 2..=LONGEST_PIECE {
        let mut counts: HashMap<&[char], f64> = HashMap::new();
        for (word, count) in words {
            for part in word.windows(len) {
                // What occurs twice is made of what occurs twice.
                if len == 2 || (shorter.contains_key(&part[1..]) && shorter.contains_key(&part[..len - 1])) {
                    *counts.entry(part).or_default() += count;
                }
            }
        }
        counts.retain(|_, count| *count >= 2.0);
        let mut longer: Vec<(&[char], f64)> = counts.iter().map(|(part, count)| (*part, *count)).collect();
        longer.sort_unstable_by_key(|(part, _)| *part);
        for (part, count) in &longer {
            for inner in [&part[1..], &part[..len - 1]] {
                if let Some(same) = shorter.get_mut(inner).filter(|other| **other <= *count) {
                    *same = 0.0;
                }
            }
        }
        take_level(&shorter, &mut found);
        shorter = counts;
        if shorter.is_empty() {
            break;
        }
    }
    take_level(&shorter, &mut found);
    found
}

/// Keeps what was not left out, in the order of code points.
fn take_level(level: &HashMap<&[char], f64>, found: &mut Vec<(Vec<char>, f64)>) {
    let start = found.len();
    #[allow(clippy::cast_precision_loss, reason = "a piece has at most 16 characters")]
    let kept =
        level.iter().filter(|(_, count)| **count > 0.0).map(|(part, count)| (part.to_vec(), count * part.len() as f64));
    found.extend(kept);
    found[start..].sort_unstable_by(|a, b| a.0.cmp(&b.0));
}

/// log(eˣ + eʸ).
fn add_logs(x: f64, y: f64) -> f64 {
    let (small, large) = if x < y { (x, y) } else { (y, x) };
    if small == f64::NEG_INFINITY { large } else { large + (small - large).exp().ln_1p() }
}

/// ψ, the derivative of log Γ: by ψ(x) = ψ(x + 1) − 1/x up to where the asymptotic series holds (Abramowitz & Stegun, 6.3.5 and 6.3.18).
fn digamma(mut x: f64) -> f64 {
    let mut below = 0.0;
    while x < 10.0 {
        below -= 1.0 / x;
        x += 1.0;
    }
    let square = 1.0 / (x * x);
    below + x.ln() - 0.5 / x - square * (1.0 / 12.0 - square * (1.0 / 120.0 - square / 252.0))
}

#[cfg(test)]
mod tests {
    use super::super::super::escape::split_words;
    use super::super::count;
    use super::*;

    fn pieces(text: &str, room: usize) -> Vec<(String, f64)> {
        let alphabet = text.chars().chain([META]).collect();
        let mut words = Words::default();
        split_words(text).for_each(|word| count(&mut words, word, 1));
        pieces_of(&words, &alphabet, room)
    }

    #[test]
    fn digamma_has_its_known_values() {
        let euler = 0.577_215_664_901_532_9;
        for (x, want) in [(1.0, -euler), (0.5, -euler - 2.0 * 2.0_f64.ln()), (10.0, 2.251_752_589_066_721)] {
            assert!((digamma(x) - want).abs() < 1e-10, "ψ({x})");
        }
    }

    #[test]
    fn expected_counts_are_those_of_all_cuts() {
        // `ab` is cut a|b with probability p(a)p(b), and ab with p(ab).
        let words = [("ab".chars().collect::<Vec<_>>(), 4.0)];
        let mut model = Model::seeded(&words, &['a', 'b'].into_iter().collect());
        model.scores = [0.5_f64, 0.2, 0.3].map(f64::ln).to_vec();
        let expected = model.expect(&[model.lattice(&words[0].0, 4.0)]);
        let cut = 4.0 * 0.1 / 0.4;
        for (got, want) in expected.iter().zip([cut, cut, 4.0 - cut]) {
            assert!((got - want).abs() < 1e-12, "{expected:?}");
        }
    }

    #[test]
    fn strings_that_recur_become_pieces_and_every_character_stays() {
        let found = pieces("▁Haus▁Haus▁Haus▁Maus▁Maus▁Baum▁x", 14);
        let names: Vec<&str> = found.iter().map(|(piece, _)| piece.as_str()).collect();
        assert_eq!(names[..9], ["B", "H", "M", "a", "m", "s", "u", "x", "▁"]);
        assert!(names.contains(&"▁Haus") && names.len() <= 14, "{names:?}");
        assert!(found.iter().all(|(_, score)| score.is_finite() && *score < 0.0), "{found:?}");
    }

    #[test]
    fn a_smaller_vocabulary_keeps_what_matters_more() {
        let text = format!("{}{}", "▁Haus".repeat(50), "▁Maus".repeat(3));
        let names: Vec<String> = pieces(&text, 7).into_iter().map(|(piece, _)| piece).collect();
        assert_eq!(names[6..], ["▁Haus"], "{names:?}");
    }

    #[test]
    fn long_words_and_hardly_any_text_are_no_trouble() {
        assert_eq!(pieces("", 5).len(), 1);
        let long = "abcdefghij".repeat(3000);
        assert!(pieces(&long, 30).iter().any(|(piece, _)| piece.len() > 4));
    }
}
