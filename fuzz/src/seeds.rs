//! Whole files, from which the fuzzer goes on.

use std::fs;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use lookback::checkpoint::Checkpoint;
use lookback::shortlist::{Learner, SHORTLIST_FILE, Settings};

use crate::folder::{FILES, whole_model};

/// What each target starts from.
///
/// # Panics
/// Without a temporary folder.
#[must_use]
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let text = "\u{feff}ein Haus\ta house\r\nzwei\u{2028}\u{200b}\ttwo\n\n\tx\nein Haus\ta house\n\"u\u{308}\tb\tc";
    let map = r#"{"id":0,"rank":0,"src":"a","tgt":"b","log_prob":-1.0,"src_tokens":["a","</s>"],"tgt_tokens":["b","</s>"],"weights":[[1.0,0.0],[0.5,0.5]],"src_words":[],"tgt_words":[]}"#;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&b"ein Haus\n".repeat(99)).expect("memory");
    let gzip = gzip.finish().expect("memory");
    // A frame with one block that is not packed.
    let zstd = b"\x28\xb5\x2f\xfd\x00\x58\x49\0\0ein Haus\n";
    let mut seeds = vec![
        ("corpus", text.as_bytes().to_vec()),
        ("table", format!("\u{0}{text}").into_bytes()),
        ("table", b"\x06a\tb\tc\nd\te\tf\n".to_vec()),
        ("doctor", format!("\u{0}{text}").into_bytes()),
        ("doctor", "\u{1}ein Haus\nzwei\na house\ntwo!\n".into()),
        ("vectors", b"2 3\nein 0.5 -1 2e-3\nHaus 1 2 3\n".to_vec()),
        ("vectors", "ein 0.5 -1 2\n. . . 1 2 3\n</s> 1 1 1".into()),
        ("compressed", [&b"\x01"[..], &gzip].concat()),
        ("compressed", [&b"\x02"[..], zstd].concat()),
        ("config", b"seed = 3\n[model]\nhidden = 512\nattention = \"none\"\n[train]\nmax_epochs = 9\n".to_vec()),
        ("config", br#"{"seed": 3, "model": {"hidden": 8}, "data": {"corpus_weights": [1.0, 0.5]}}"#.to_vec()),
        ("alignments", b"0-0 1-2 2p1\n1 1 1 S 0.5\n1 2 2 P\n\n3-4?\n".to_vec()),
        (
            "nbest",
            b"0 ||| ein Haus ||| F0= -1.5 ||| -0.5\n0 ||| Haus ||| F0= -2 ||| -1\n1 ||| x ||| y ||| 0\n".to_vec(),
        ),
        ("jsonl", map.into()),
    ];
    let folder = whole_model();
    let tokenizers = Checkpoint::tokenizers(folder.path()).expect("a model");
    let mut learner = Learner::new(tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
    learner.add(&tokenizers.src.encode("ein Haus"), &tokenizers.tgt.encode("a house"));
    learner.learn(Settings::default()).save(folder.path(), &tokenizers).expect("a file");
    seeds.push(("shortlist", fs::read(folder.path().join(SHORTLIST_FILE)).expect("a file")));
    for (number, name) in (0_u8..).zip(FILES) {
        let bytes = fs::read(folder.path().join(name)).expect("a file");
        match name {
            "training.safetensors" => seeds.extend([("state", bytes.clone()), ("training", bytes)]),
            "receipt.json" => seeds.push(("receipt", bytes)),
            _ => {
                seeds.push(("model", [&[number][..], &bytes].concat()));
                if name.starts_with("tokenizer") {
                    seeds.push(("tokenizer", bytes));
                }
            }
        }
    }
    seeds
}
