//! Tokenizer files: one that is read encodes and decodes; our own give the text back.
#![no_main]
use libfuzzer_sys::fuzz_target;
use lookback::text::Tokenizer;

const TEXT: &str = "Ein Haus ▁ </s> \u{10}_ 東京 é\u{301} 😀";

fuzz_target!(|data: &[u8]| {
    let Ok(json) = std::str::from_utf8(data) else { return };
    let Ok(tokenizer) = Tokenizer::from_json("t", json) else { return };
    let ids = tokenizer.encode(TEXT);
    assert!(ids.iter().all(|&id| (id as usize) < tokenizer.vocab_size()));
    tokenizer.decode(&ids);
});
