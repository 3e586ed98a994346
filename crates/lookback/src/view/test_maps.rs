//! Small maps for the tests of the views.

use super::{AttentionMap, Side, WordSpan};

/// A map in which every token is a word.
pub(super) fn map(src: &[&str], tgt: &[&str], weights: &[f32]) -> AttentionMap {
    let side = |tokens: &[&str]| Side {
        text: tokens.join(" "),
        tokens: tokens.iter().map(ToString::to_string).collect(),
        words: Vec::new(),
    };
    AttentionMap::new(0, side(src), side(tgt), weights.to_vec(), -1.25).unwrap()
}

/// Two pieces in the source word, two in a target word.
pub(super) fn german() -> AttentionMap {
    let side = |text: &str, tokens: &[&str], words: &[(usize, usize, &str)]| Side {
        text: text.into(),
        tokens: tokens.iter().map(ToString::to_string).collect(),
        words: words.iter().map(|&(start, end, text)| WordSpan { start, end, text: text.into() }).collect(),
    };
    let src = side("Die Haustür", &["Die", "▁Haus", "tür", "</s>"], &[(0, 1, "Die"), (1, 3, "Haustür")]);
    let tgt = side("The door", &["The", "▁do", "or", "</s>"], &[(0, 1, "The"), (1, 3, "door")]);
    #[rustfmt::skip]
    let weights = vec![
        0.85,  0.10, 0.05,  0.0,
        0.02,  0.38, 0.60,  0.0,
        0.0,   0.15, 0.80,  0.05,
        0.125, 0.0,  0.125, 0.75,
    ];
    AttentionMap::new(3, src, tgt, weights, -2.5).unwrap().with_rank(0).with_reference("The front door")
}

/// A source written from right to left.
pub(super) fn arabic() -> AttentionMap {
    map(&["الولد", "نائم", "</s>"], &["boy", "asleep", "</s>"], &[0.9, 0.05, 0.05, 0.1, 0.9, 0.0, 0.0, 0.0, 1.0])
}
