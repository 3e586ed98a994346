//! What the fuzzer runs: a function of arbitrary bytes for every parser. None may panic, whatever the bytes; some hold a promise against what was read.
//!
//! `make fuzz TARGET=name` runs one for long; the test below tries all of them on their seeds and on damaged ones.

mod folder;
mod lists;
mod models;
mod seeds;
mod text;

pub use lists::{alignments, jsonl, nbest};
pub use models::{config, model, receipt, shortlist, state, tokenizer, training};
pub use seeds::seeds;
pub use text::{compressed, corpus, doctor, table, vectors};

/// A parser's function.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Target); 15] = [
    ("alignments", alignments),
    ("compressed", compressed),
    ("config", config),
    ("corpus", corpus),
    ("doctor", doctor),
    ("jsonl", jsonl),
    ("model", model),
    ("nbest", nbest),
    ("receipt", receipt),
    ("shortlist", shortlist),
    ("state", state),
    ("table", table),
    ("tokenizer", tokenizer),
    ("training", training),
    ("vectors", vectors),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Damaged copies of a seed.
    const COPIES: usize = 24;

    /// A copy of `bytes`: cut off, with a byte changed, with a piece twice, or with a piece missing.
    fn damaged(bytes: &[u8], random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
        let mut copy = bytes.to_vec();
        let (a, b) = (random(bytes.len()), random(bytes.len()));
        let piece = a.min(b)..a.max(b);
        match random(4) {
            0 => copy.truncate(a),
            1 => copy[a] ^= 1 << random(8),
            2 => copy.extend_from_slice(&bytes[piece]),
            _ => drop(copy.drain(piece)),
        }
        copy
    }

    #[test]
    fn every_target_takes_its_seeds_and_damaged_ones() {
        let mut state = 1_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below.max(1)
        };
        let seeds = seeds();
        for (name, target) in TARGETS {
            target(&[]);
            let own: Vec<&Vec<u8>> = seeds.iter().filter(|(of, _)| *of == name).map(|(_, bytes)| bytes).collect();
            assert!(!own.is_empty(), "`{name}` has no seed");
            for bytes in own {
                target(bytes);
                (0..COPIES).for_each(|_| target(&damaged(bytes, &mut random)));
            }
        }
    }
}
