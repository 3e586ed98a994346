//! Training a vocabulary.
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tokenizers::Trainer as _;
use tokenizers::models::bpe::{BPE, BpeTrainer};

use super::escape::{META, split_words, to_pieces};
use super::pair::TextMode;
use super::tokenizer::{Tokenizer, byte_piece, is_reserved};
use super::{SPECIALS, TextError};

/// Specials and bytes.
const RESERVED: usize = SPECIALS.len() + 256;
/// A pair seen once says nothing about what will be seen again.
const MIN_FREQUENCY: u64 = 2;

/// Trains one vocabulary of at most `vocab_size` pieces: specials, bytes, characters by code point, merged pieces in the
/// order of their merges.
///
/// Characters come before merges, the most frequent first; in BPE mode they take at most half of what is left after the
/// bytes (for scripts with thousands of characters), and what does not fit is spelt in bytes.
pub(super) fn train<'a>(
    mode: TextMode,
    vocab_size: usize,
    texts: impl IntoIterator<Item = &'a str>,
) -> Result<Tokenizer, TextError> {
    let least = RESERVED + 2;
    if vocab_size < least {
        return Err(TextError::VocabTooSmall { asked: vocab_size, least });
    }
    let room = vocab_size - RESERVED;
    let texts: Vec<String> = texts.into_iter().map(to_pieces).collect();
    let alphabet = alphabet(&texts, if mode == TextMode::Bpe { room / 2 } else { room });

    let specials = SPECIALS.iter().map(|name| (*name).to_owned());
    let mut pieces: Vec<String> = specials.chain((0..=255).map(byte_piece)).collect();
    pieces.extend(alphabet.iter().map(char::to_string));
    let mut merges = Vec::new();
    if mode == TextMode::Bpe {
        let mut known: BTreeSet<String> = pieces[RESERVED..].iter().cloned().collect();
        for (left, right) in merges_of(&texts, &alphabet, room)? {
            let whole = format!("{left}{right}");
            // A corpus full of `</s>` must not teach us to write the special; pieces built on it go as well.
            if is_reserved(&whole) || !known.contains(&left) || !known.contains(&right) {
                continue;
            }
            if known.insert(whole.clone()) {
                pieces.push(whole);
            }
            merges.push((left, right));
        }
    }
    Tokenizer::new(pieces, merges).map_err(|reason| TextError::Train { reason })
}

/// The `limit` most frequent characters (the smaller code point first where counts are equal); [`META`] always.
fn alphabet(texts: &[String], limit: usize) -> BTreeSet<char> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for c in texts.iter().flat_map(|text| text.chars()) {
        *counts.entry(c).or_default() += 1;
    }
    counts.insert(META, u64::MAX);
    let mut ranked: Vec<(char, u64)> = counts.into_iter().collect();
    ranked.sort_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
    ranked.into_iter().take(limit).map(|(c, _)| c).collect()
}

/// The merges of a BPE with `room` pieces, in order.
///
/// Training runs in a pool of one thread of its own: the order in which `tokenizers` adds up its counts is then the same on
/// every machine, and no pool as wide as the machine is started behind the caller's back.
fn merges_of(texts: &[String], alphabet: &BTreeSet<char>, room: usize) -> Result<Vec<(String, String)>, TextError> {
    let failed = |reason: String| TextError::Train { reason };
    let mut trainer = BpeTrainer::builder()
        .vocab_size(room)
        .min_frequency(MIN_FREQUENCY)
        .show_progress(false)
        .initial_alphabet([META].into_iter().collect())
        .build();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|error| failed(error.to_string()))?;
    let model = pool
        .install(|| {
            let mut model = BPE::default();
            trainer.feed(texts.iter(), |text| Ok(words(text, alphabet)))?;
            trainer.train(&mut model)?;
            Ok(model)
        })
        .map_err(|error: tokenizers::Error| failed(error.to_string()))?;

    /// The only public way to a model's merges in order is through its JSON.
    #[derive(Deserialize)]
    struct Trained {
        merges: Vec<(String, String)>,
    }
    let json = serde_json::to_string(&model).map_err(|error| failed(error.to_string()))?;
    let trained: Trained = serde_json::from_str(&json).map_err(|error| failed(error.to_string()))?;
    Ok(trained.merges)
}

/// The strings inside which pairs are counted: the words, cut at characters outside the alphabet as well, whose bytes take
/// part in no merge.
fn words(text: &str, alphabet: &BTreeSet<char>) -> Vec<String> {
    split_words(text)
        .flat_map(|word| word.split(|c| !alphabet.contains(&c)))
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}
