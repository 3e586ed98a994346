//! BPE-dropout (Provilkov, Emelianenko & Voita 2020): merges are left out at random, so that a model sees words cut in many ways.
//!
//! At each step every merge that is possible in the word is dropped with probability p; of those left the first in the order
//! of merges is applied; the word is done when none is left. With p = 0 that is the usual encoding.
use std::collections::HashMap;

use lookback_kernels::{RandomKey, philox4x32};

use super::pipeline::Scheme;
use super::tokenizer::{Tokenizer, byte_piece};

/// What merging needs, by ids.
#[derive(Debug)]
pub(super) struct MergeTable {
    chars: HashMap<char, u32>,
    bytes: [u32; 256],
    /// Rank and result of a pair.
    merges: HashMap<(u32, u32), (usize, u32)>,
}

impl MergeTable {
    /// `None` if a merge names a piece that does not exist.
    pub(super) fn new(pieces: &HashMap<&str, u32>, merges: &[(String, String)]) -> Option<Self> {
        let chars = pieces.iter().filter_map(|(piece, &id)| {
            let mut chars = piece.chars();
            Some((chars.next()?, id)).filter(|_| chars.next().is_none())
        });
        let mut bytes = [0; 256];
        for byte in 0..=255 {
            bytes[usize::from(byte)] = *pieces.get(byte_piece(byte).as_str())?;
        }
        let mut table = Self { chars: chars.collect(), bytes, merges: HashMap::with_capacity(merges.len()) };
        for (rank, (left, right)) in merges.iter().enumerate() {
            let id = |piece: &str| pieces.get(piece).copied();
            let whole = id(&format!("{left}{right}"))?;
            // Of two equal merges the later counts, as in `tokenizers`.
            table.merges.insert((id(left)?, id(right)?), (rank, whole));
        }
        Some(table)
    }

    fn encode(&self, word: &str, p: f64, coins: &mut Coins, ids: &mut Vec<u32>) {
        let start = ids.len();
        for c in word.chars() {
            match self.chars.get(&c) {
                Some(&id) => ids.push(id),
                None => ids.extend(c.encode_utf8(&mut [0; 4]).bytes().map(|byte| self.bytes[usize::from(byte)])),
            }
        }
        let mut possible: Vec<(usize, usize, u32)> = Vec::new();
        loop {
            possible.clear();
            for (at, pair) in ids[start..].windows(2).enumerate() {
                if let Some(&(rank, whole)) = self.merges.get(&(pair[0], pair[1])) {
                    possible.push((rank, start + at, whole));
                }
            }
            possible.sort_unstable();
            // Whether the merges after the first one kept would have been dropped makes no difference.
            let Some(&(_, at, whole)) = possible.iter().find(|_| !coins.falls(p)) else { return };
            ids[at] = whole;
            ids.remove(at + 1);
        }
    }
}

/// Coins counted by a key: the same key throws the same.
#[derive(Debug)]
struct Coins {
    key: RandomKey,
    block: u32,
    words: Vec<u32>,
}

impl Coins {
    /// Whether a coin falls that falls with probability `p`.
    fn falls(&mut self, p: f64) -> bool {
        if self.words.is_empty() {
            self.words.extend(philox4x32(self.key, self.block));
            self.block += 1;
        }
        let word = self.words.pop().unwrap_or_default();
        f64::from(word) < p * 4_294_967_296.0
    }
}

impl Tokenizer {
    /// The ids of `text` with merges left out with probability `p`, as `key` draws them. The text they spell is the same as
    /// that of [`encode`](Self::encode), which is what `p` = 0 gives; `p` = 1 gives characters.
    ///
    /// `None` if the vocabulary has no merges to leave out: only BPE has.
    pub fn encode_with_dropout(&self, text: &str, p: f64, key: RandomKey) -> Option<Vec<u32>> {
        let table = self.merge_table()?;
        let mut coins = Coins { key, block: 0, words: Vec::new() };
        let mut ids = Vec::with_capacity(text.len());
        Scheme::Merged.for_each_word(&self.normalize(text), |word| table.encode(word, p, &mut coins, &mut ids));
        Some(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(step: u64) -> RandomKey {
        RandomKey { seed: 5, stream: 1, step }
    }

    #[test]
    fn coins_fall_as_often_as_they_should_and_again_alike() {
        let thrown = |step| {
            let mut coins = Coins { key: key(step), block: 0, words: Vec::new() };
            (0..10_000).map(|_| coins.falls(0.1)).collect::<Vec<_>>()
        };
        assert_eq!(thrown(1), thrown(1));
        assert_ne!(thrown(1), thrown(2));
        let fell = thrown(3).iter().filter(|fell| **fell).count();
        assert!((850..=1150).contains(&fell), "{fell}"); // five standard deviations of 30
        let mut coins = Coins { key: key(1), block: 0, words: Vec::new() };
        assert!((0..1000).all(|_| !coins.falls(0.0)) && (0..1000).all(|_| coins.falls(1.0)));
    }

    #[test]
    fn every_way_to_cut_a_word_is_met() {
        let pieces = ["a", "b", "c", "ab", "abc"];
        let bytes: Vec<String> = (0..=255).map(byte_piece).collect();
        let ids: HashMap<&str, u32> = bytes.iter().map(String::as_str).chain(pieces).zip(0..).collect();
        let merges = [("a", "b"), ("ab", "c")].map(|(left, right)| (left.to_owned(), right.to_owned()));
        let table = MergeTable::new(&ids, &merges).unwrap();
        let mut seen = std::collections::BTreeMap::new();
        for step in 0..1000 {
            let mut found = Vec::new();
            table.encode("abc", 0.5, &mut Coins { key: key(step), block: 0, words: Vec::new() }, &mut found);
            *seen.entry(found).or_insert(0) += 1;
        }
        // Half keep no merge, a quarter the first alone, a quarter both; five standard deviations.
        let counts: Vec<i32> = seen.values().copied().collect();
        assert_eq!(seen.keys().cloned().collect::<Vec<_>>(), [vec![256, 257, 258], vec![259, 258], vec![260]]);
        assert!((counts[0] - 500).abs() < 80 && (counts[1] - 250).abs() < 70, "{counts:?}");
    }
}
