//! The quickstart corpus keeps its promises: size, counts, no sentence in two splits, no split chosen by length.

use std::collections::HashSet;
use std::io::Read;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

const SPLITS: [&str; 3] = ["train", "valid", "test"];

fn path(split: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("data/tatoeba-deu-eng/{split}.tsv.zst"))
}

/// The (German, English) pairs of a split, as stored.
fn pairs(split: &str) -> Vec<(String, String)> {
    let bytes = std::fs::read(path(split)).unwrap();
    let mut text = String::new();
    ruzstd::decoding::StreamingDecoder::new(bytes.as_slice()).unwrap().read_to_string(&mut text).unwrap();
    let pair = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        assert_eq!(columns.len(), 2, "{split}: {line:?}");
        (columns[0].to_owned(), columns[1].to_owned())
    };
    text.strip_suffix('\n').unwrap().split('\n').map(pair).collect()
}

/// What counts as the same sentence: composed form, runs of white space as one.
fn key(sentence: &str) -> String {
    sentence.nfc().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_corpus_is_small_and_complete() {
    let total: u64 = SPLITS.iter().map(|s| std::fs::metadata(path(s)).unwrap().len()).sum();
    assert!(total <= 3_000_000, "{total} bytes");
    assert_eq!(SPLITS.map(|s| pairs(s).len()), [163_966, 500, 1000]);
}

#[test]
fn every_side_is_readable_text() {
    for split in SPLITS {
        for (german, english) in pairs(split) {
            for side in [&german, &english] {
                assert!(!side.trim().is_empty() && !side.contains(['\0', '\r']), "{split}: {german:?} {english:?}");
            }
        }
    }
}

#[test]
fn no_sentence_of_either_language_is_in_two_splits() {
    let sides = SPLITS.map(|split| {
        let (german, english): (Vec<_>, Vec<_>) = pairs(split).into_iter().unzip();
        [german, english].map(|side| side.iter().map(|s| key(s)).collect::<HashSet<_>>())
    });
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        for side in [0, 1] {
            let shared = sides[a][side].intersection(&sides[b][side]).count();
            assert_eq!(shared, 0, "side {side} of {} and {}", SPLITS[a], SPLITS[b]);
        }
    }
}

#[test]
#[allow(clippy::cast_precision_loss, reason = "sentence lengths are small")]
fn the_test_split_is_as_long_as_the_rest() {
    let lengths = |split| pairs(split).iter().map(|p| p.0.chars().count() as f64).collect::<Vec<_>>();
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (train, test) = (lengths("train"), lengths("test"));
    let centre = mean(&train);
    let deviation = (train.iter().map(|x| (x - centre).powi(2)).sum::<f64>() / train.len() as f64).sqrt();
    // The mean of n random pairs lies within three standard errors of the whole's 997 times in 1,000.
    let bound = 3.0 * deviation / (test.len() as f64).sqrt();
    assert!((mean(&test) - centre).abs() < bound, "test {}, train {centre} ± {bound}", mean(&test));
}
