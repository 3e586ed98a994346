//! Training a vocabulary.
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use tokenizers::models::bpe::{BPE, BpeTrainer};

use super::escape::META;
use super::pair::{TextMode, TokenizerSpec};
use super::pipeline::Segmentation;
use super::tokenizer::{Tokenizer, byte_piece, is_reserved};
use super::{SPECIALS, TextError};

mod counts;
mod unigram;

pub(super) use counts::Counts;
use counts::{Words, count};

/// Specials and bytes.
const RESERVED: usize = SPECIALS.len() + 256;
/// A pair seen once says nothing about what will be seen again.
const MIN_PAIR_FREQUENCY: u64 = 2;
/// The trainer of merges counts in 32 bits.
const MOST_COUNTED: u64 = i32::MAX.unsigned_abs() as u64;

/// Trains one vocabulary of at most `spec.vocab_size` pieces on the words that were counted.
///
/// `bpe`: specials, bytes, characters by code point, merged pieces in the order of their merges. `unigram`: the same, longer
/// pieces by falling probability. `char`: specials, bytes, characters. `word`: specials, words by falling frequency.
///
/// Characters come before longer pieces, the most frequent first; where there are longer pieces, characters take at most
/// half of what is left after the bytes (for scripts with thousands of characters), and what does not fit is spelt in bytes.
pub(super) fn train(spec: &TokenizerSpec, counts: Counts) -> Result<Tokenizer, TextError> {
    let Counts { normalizer, words, .. } = counts;
    let built = match spec.mode {
        TextMode::File => {
            return Err(TextError::Train {
                reason: "the mode `file` trains nothing; read the file instead".to_owned(),
            });
        }
        TextMode::Word => Tokenizer::new(words_of(spec, words)?, Segmentation::Word, normalizer),
        _ => {
            let (pieces, segmentation) = subwords_of(spec, &words)?;
            Tokenizer::new(pieces, segmentation, normalizer)
        }
    };
    built.map_err(|reason| TextError::Train { reason })
}

/// Specials and the most frequent words, the earlier in the order of code points where counts are equal.
fn words_of(spec: &TokenizerSpec, mut counts: Words) -> Result<Vec<String>, TextError> {
    let least = SPECIALS.len() + 1;
    if spec.vocab_size < least {
        return Err(TextError::VocabTooSmall { asked: spec.vocab_size, least, what: "4 specials come first" });
    }
    for special in SPECIALS {
        counts.remove(special);
    }
    let min = spec.min_frequency.unwrap_or(1);
    let most = counts.values().copied().max().unwrap_or(0);
    let mut ranked: Vec<(&str, u64)> = counts.iter().map(|(word, &count)| (word.as_str(), count)).collect();
    ranked.retain(|&(_, count)| count >= min);
    if ranked.is_empty() {
        return Err(TextError::TooRare { min, most });
    }
    ranked.sort_unstable_by_key(|&(word, count)| (std::cmp::Reverse(count), word));
    let words = ranked.into_iter().map(|(word, _)| word);
    Ok(SPECIALS.into_iter().chain(words).take(spec.vocab_size).map(str::to_owned).collect())
}

fn subwords_of(spec: &TokenizerSpec, words: &Words) -> Result<(Vec<String>, Segmentation), TextError> {
    let least = RESERVED + 2;
    if spec.vocab_size < least {
        let what = "4 specials and 256 byte pieces come first";
        return Err(TextError::VocabTooSmall { asked: spec.vocab_size, least, what });
    }
    let room = spec.vocab_size - RESERVED;
    let (limit, min) = match spec.mode {
        TextMode::Char => (room, spec.min_frequency.unwrap_or(1)),
        _ => (room / 2, 1),
    };
    let alphabet = alphabet(words, limit, min);
    let specials = SPECIALS.iter().map(|name| (*name).to_owned());
    let mut pieces: Vec<String> = specials.chain((0..=255).map(byte_piece)).collect();
    let segmentation = match spec.mode {
        TextMode::Unigram => {
            let (trained, scores) =
                unigram::pieces_of(words, &alphabet, room).into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
            pieces.extend(trained);
            // What is reserved is never found in a guarded text, so its score decides nothing.
            Segmentation::Unigram(std::iter::repeat_n(0.0, RESERVED).chain(scores).collect())
        }
        _ => {
            pieces.extend(alphabet.iter().map(char::to_string));
            let mut merges = Vec::new();
            if spec.mode == TextMode::Bpe {
                let min = spec.min_frequency.unwrap_or(MIN_PAIR_FREQUENCY);
                add_merges(merges_of(words, &alphabet, room, min)?, &mut pieces, &mut merges);
            }
            Segmentation::Bpe(merges)
        }
    };
    Ok((pieces, segmentation))
}

/// Keeps the merges of `trained` that fit, with the pieces they make.
fn add_merges(trained: Vec<(String, String)>, pieces: &mut Vec<String>, merges: &mut Vec<(String, String)>) {
    let mut known: BTreeSet<String> = pieces[RESERVED..].iter().cloned().collect();
    for (left, right) in trained {
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

/// The `limit` most frequent characters (the smaller code point first where counts are equal) seen `min` times; [`META`] always.
fn alphabet(words: &Words, limit: usize, min: u64) -> BTreeSet<char> {
    let mut counts: BTreeMap<char, u64> = BTreeMap::new();
    for (word, times) in words {
        word.chars().for_each(|c| *counts.entry(c).or_default() += times);
    }
    counts.insert(META, u64::MAX);
    let mut ranked: Vec<(char, u64)> = counts.into_iter().collect();
    ranked.sort_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
    ranked.into_iter().take_while(|&(_, count)| count >= min).take(limit).map(|(c, _)| c).collect()
}

/// The merges of a BPE with `room` pieces, in order.
fn merges_of(
    words: &Words,
    alphabet: &BTreeSet<char>,
    room: usize,
    min: u64,
) -> Result<Vec<(String, String)>, TextError> {
    let failed = |reason: String| TextError::Train { reason };
    let mut counts = Words::default();
    for (word, &times) in words {
        parts(word, alphabet).for_each(|part| count(&mut counts, part, times));
    }
    // No pair is seen more often than characters are. What is rarer than a two thousand millionth makes no merge.
    let characters: u64 = counts.iter().map(|(part, times)| part.chars().count() as u64 * times).sum();
    let scale = characters / MOST_COUNTED + 1;
    if scale > 1 {
        counts.values_mut().for_each(|times| *times /= scale);
    }
    let trainer = BpeTrainer::builder()
        .vocab_size(room)
        .min_frequency((min / scale).max(1))
        .show_progress(false)
        .initial_alphabet([META].into_iter().collect())
        .build();
    let json = alone(|| {
        let mut model = BPE::default();
        trainer.do_train(&counts, &mut model)?;
        Ok(serde_json::to_string(&model)?)
    })?;

    /// The only public way to a model's merges in order is through its JSON.
    #[derive(Deserialize)]
    struct Trained {
        merges: Vec<(String, String)>,
    }
    let trained: Trained = serde_json::from_str(&json).map_err(|error| failed(error.to_string()))?;
    Ok(trained.merges)
}

/// Trains in a thread of its own that is its own pool: the order in which `tokenizers` adds up its counts is then the same on
/// every machine, no pool as wide as the machine is started behind the caller's back, and what training took goes back to the
/// system with its thread.
fn alone<R: Send>(training: impl FnOnce() -> tokenizers::Result<R> + Send) -> Result<R, TextError> {
    let failed = |reason: String| TextError::Train { reason };
    let trained = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build()?;
            pool.install(training)
        })?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    trained.map_err(|error| failed(error.to_string()))
}

/// The strings inside which pairs are counted: a word, cut at characters outside the alphabet, whose bytes take part in no merge.
fn parts<'a>(word: &'a str, alphabet: &BTreeSet<char>) -> impl Iterator<Item = &'a str> {
    word.split(|c| !alphabet.contains(&c)).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_seen_more_often_than_a_trainer_counts_are_merged_as_others() {
        let spec = TokenizerSpec { vocab_size: RESERVED + 9, ..TokenizerSpec::default() };
        let trained = |times: u64| {
            let mut counts = Counts::new(&spec);
            for (word, seen) in [("ab", 9), ("ac", 4), ("x", 1)] {
                count(&mut counts.words, word, seen * times);
            }
            train(&spec, counts).unwrap().to_json()
        };
        assert_eq!(trained(1 << 30), trained(1));
    }
}
