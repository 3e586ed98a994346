//! Files of a model folder.

use std::fs;

use lookback::Translator;
use lookback::checkpoint::Checkpoint;
use lookback::config::Config;
use lookback::shortlist::{SHORTLIST_FILE, Shortlist};
use lookback::text::Tokenizer;
use lookback::train::{Receipt, Start, Summary};

use crate::folder::{FILES, in_damaged, in_whole, run_in};

/// Texts that tokenizers find hard.
const TEXT: &str = "Ein Haus ▁ </s> \u{10}_ 東京 é\u{301} 😀";

/// Where a file stands in [`FILES`].
fn place(name: &str) -> usize {
    FILES.iter().position(|file| *file == name).expect("a file of a model folder")
}

/// Configurations, TOML or JSON: what is accepted is written and read again as the same.
pub fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(config) = Config::from_layers(&[("run.toml".into(), text.into())], &[]) else { return };
    let Ok(written) = config.to_toml() else { return };
    let again = Config::from_layers(&[("run.toml".into(), written)], &[]).expect("what is written can be read");
    assert_eq!(again, config);
}

/// Tokenizer files: one that is read encodes and decodes.
pub fn tokenizer(data: &[u8]) {
    let Ok(json) = std::str::from_utf8(data) else { return };
    let Ok(tokenizer) = Tokenizer::from_json("t", json) else { return };
    let ids = tokenizer.encode(TEXT);
    assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
    tokenizer.decode(&ids);
}

/// Model folders: the first byte says which of the four files is replaced.
pub fn model(data: &[u8]) {
    let Some((&first, rest)) = data.split_first() else { return };
    in_damaged(usize::from(first) % 4, rest, |dir| {
        if let Ok(checkpoint) = Checkpoint::load(dir) {
            assert!(checkpoint.values.iter().all(|stored| stored.to_f32().iter().all(|value| value.is_finite())));
            assert!(Translator::load_with(dir, 1).is_ok(), "what is read whole is read in parts");
        }
    });
}

/// Shortlists: one that is read has candidates of the vocabulary.
pub fn shortlist(data: &[u8]) {
    in_whole(|dir| {
        fs::write(dir.join(SHORTLIST_FILE), data).expect("a file");
        let tokenizers = Checkpoint::tokenizers(dir).expect("a whole model");
        if let Ok(shortlist) = Shortlist::load(dir, &tokenizers) {
            let all: Vec<u32> = (0..).take(tokenizers.src.vocab_size()).collect();
            let candidates = shortlist.candidates(&all);
            assert!(candidates.iter().all(|&id| (id as usize) < tokenizers.tgt.vocab_size()));
        }
    });
}

/// Training states without their tensors.
pub fn state(data: &[u8]) {
    in_damaged(place("training.safetensors"), data, |dir| drop(Summary::read(dir)));
}

/// Training states: a training goes on from them or says why not.
pub fn training(data: &[u8]) {
    in_damaged(place("training.safetensors"), data, |dir| drop(run_in(dir, Start::Resume)));
}

/// Receipts, and what they say of their folder.
pub fn receipt(data: &[u8]) {
    in_damaged(place("receipt.json"), data, |dir| {
        if let Ok(Some(receipt)) = Receipt::read(dir) {
            drop(receipt.compare(dir));
        }
    });
}
