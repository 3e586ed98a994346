//! Writes `corpus/TARGET/seed-N` for every target: whole files, from which the fuzzer goes on.
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use lookback_fuzz::{folder, write_model};

fn main() -> io::Result<()> {
    let seed = |target: &str, number: usize, bytes: &[u8]| {
        let dir = Path::new("corpus").join(target);
        fs::create_dir_all(&dir)?;
        fs::write(dir.join(format!("seed-{number}")), bytes)
    };
    let text = "\u{feff}ein Haus\ta house\r\nzwei\u{2028}\u{200b}\ttwo\n\n\tx\nein Haus\ta house\n\"u\u{308}\tb\tc";
    seed("corpus", 0, text.as_bytes())?;
    seed("table", 0, format!("\u{0}{text}").as_bytes())?;
    seed("table", 1, b"\x06a\tb\tc\nd\te\tf\n")?;
    seed("doctor", 0, format!("\u{0}{text}").as_bytes())?;
    seed("doctor", 1, "\u{1}ein Haus\nzwei\na house\ntwo!\n".as_bytes())?;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(&b"ein Haus\n".repeat(99))?;
    // A frame with one block that is not packed.
    let zstd = b"\x28\xb5\x2f\xfd\x00\x58\x49\0\0ein Haus\n";
    seed("compressed", 0, &[&b"\x01"[..], &gzip.finish()?].concat())?;
    seed("compressed", 1, &[&b"\x02"[..], zstd].concat())?;
    seed("config", 0, b"seed = 3\n[model]\nhidden = 512\nattention = \"none\"\n[train]\nmax_epochs = 9\n")?;
    seed("config", 1, br#"{"seed": 3, "model": {"hidden": 8}, "data": {"corpus_weights": [1.0, 0.5]}}"#)?;
    let folder = folder();
    write_model(folder.path());
    let files = ["config.json", "tokenizer.src.json", "tokenizer.tgt.json", "model.safetensors"];
    for (number, name) in (0u8..).zip(files) {
        let Ok(bytes) = fs::read(folder.path().join(name)) else { continue };
        seed("model", usize::from(number), &[&[number][..], &bytes].concat())?;
        match name {
            "model.safetensors" => seed("state", 0, &bytes)?,
            "config.json" => {}
            _ => seed("tokenizer", usize::from(number), &bytes)?,
        }
    }
    let state = br#"{"__metadata__":{"training":"[{},{\"update\":1,\"epoch\":1,\"batch\":0}]"}}"#;
    seed("state", 1, &[&(state.len() as u64).to_le_bytes(), &state[..]].concat())?;
    seed("alignments", 0, b"0-0 1-2 2p1\n1 1 1 S 0.5\n1 2 2 P\n\n3-4?\n")?;
    seed("nbest", 0, b"0 ||| ein Haus ||| F0= -1.5 ||| -0.5\n0 ||| Haus ||| F0= -2 ||| -1\n1 ||| x ||| y ||| 0\n")?;
    let map = r#"{"id":0,"rank":0,"src":"a","tgt":"b","log_prob":-1.0,"src_tokens":["a","</s>"],"tgt_tokens":["b","</s>"],"weights":[[1.0,0.0],[0.5,0.5]],"src_words":[],"tgt_words":[]}"#;
    seed("jsonl", 0, map.as_bytes())
}
