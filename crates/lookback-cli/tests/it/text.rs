//! Pieces, corpora and streams from the command line.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::program::{SMALL, pairs, run, trained};

const LINES: &str = "3 May 1999\n\n  2001/2/3 ▁ \u{10}_ </s>\n1987년 3월 5일\n";

fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    dir
}

fn weights(dir: &Path, out: &str) -> Vec<u8> {
    fs::read(dir.join(out).join("model.safetensors")).unwrap()
}

#[test]
fn pieces_are_put_together_again_line_by_line() {
    let model = trained().join("m").display().to_string();
    let dir = TempDir::new().unwrap();
    for (side, ids) in [("src", ""), ("tgt", ""), ("tgt", "--ids")] {
        let args = format!("-m {model} --side {side} {ids}");
        let cut = run(dir.path(), &format!("tokenize {args}"), LINES).ok();
        assert_eq!((cut.lines().count(), cut.lines().nth(1)), (4, Some("")));
        assert_eq!(run(dir.path(), &format!("detokenize {args}"), &cut).ok(), LINES);
    }
    let cut = run(dir.path(), &format!("tokenize -m {model}"), "3 May\n").ok();
    assert_eq!(cut, "3 ▁ M a y\n");
    let said = run(dir.path(), &format!("detokenize -m {model}"), "3 ▁ M\n3 May\n");
    assert_eq!(said.out, "3 M\n", "lines before an error are answered");
    assert!(said.failed(3).starts_with("error: standard input:2: `May` is not a piece of the vocabulary"));
    let said = run(dir.path(), &format!("detokenize -m {model} --ids"), "5 99999\n").failed(3);
    assert!(said.starts_with("error: standard input:1: `99999` is not an id of the vocabulary"), "{said}");
    for wrong in ["tokenize", "tokenize -m m --tokenizer f", "tokenize --tokenizer f --side tgt"] {
        run(dir.path(), wrong, "").failed(2);
    }
}

#[test]
fn a_given_tokenizer_takes_the_place_of_a_trained_one() {
    let dir = folder();
    let words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "May", "1999", "3", "-", "0", "5", "##1", "1"];
    let vocab: Vec<String> = words.iter().enumerate().map(|(id, word)| format!("\"{word}\": {id}")).collect();
    let json = format!(
        r###"{{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
          "pre_tokenizer": {{"type": "BertPreTokenizer"}}, "post_processor": null,
          "decoder": {{"type": "WordPiece", "prefix": "##", "cleanup": true}},
          "model": {{"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                    "max_input_chars_per_word": 100, "vocab": {{{}}}}}}}"###,
        vocab.join(", ")
    );
    fs::write(dir.path().join("t.json"), &json).unwrap();
    let cut = run(dir.path(), "tokenize --tokenizer t.json", "3 May 1999 x\n").ok();
    assert_eq!(cut, "3 May 1999 [UNK]\n");
    let small = SMALL.replace("--set text.mode=char", "") + " --set train.max_updates=2 -q";
    run(dir.path(), &format!("train pairs.tsv --out m --tokenizer t.json {small}"), "").ok();
    assert_eq!(fs::read_to_string(dir.path().join("m/tokenizer.json")).unwrap(), json);
    run(dir.path(), "translate -m m", "3 May\n").ok();
    assert!(run(dir.path(), "inspect m", "").ok().contains("text         file, 12 pieces for both sides"));
    let said = run(dir.path(), &format!("train pairs.tsv --out m --resume {small}"), "").failed(2);
    assert!(said.contains("`text.mode`"), "{said}");
    fs::write(dir.path().join("bad.json"), "{\"model\": {}}").unwrap();
    let said = run(dir.path(), &format!("train pairs.tsv --out n --tokenizer bad.json {small}"), "").failed(1);
    assert!(said.starts_with("error: bad.json: not a tokenizer.json"), "{said}");
}

#[test]
fn several_corpora_are_weighted() {
    let dir = folder();
    let (first, second) = {
        let all = pairs();
        let half = all.match_indices('\n').nth(99).unwrap().0 + 1;
        (all[..half].to_owned(), all[half..].to_owned())
    };
    fs::write(dir.path().join("a.tsv"), &first).unwrap();
    fs::write(dir.path().join("b.tsv"), &second).unwrap();
    let train = |args: &str| run(dir.path(), &format!("train {args} {SMALL} --set train.max_updates=4"), "");
    let ran = train("a.tsv b.tsv --out w --corpus-weights 3,0.5");
    assert!(ran.err.contains("read a.tsv: 100 lines") && ran.err.contains("read b.tsv: 120 lines"), "{}", ran.err);
    ran.ok();
    train("a.tsv b.tsv --out u").ok();
    train("pairs.tsv --out p").ok();
    assert!(weights(dir.path(), "w") != weights(dir.path(), "u"));
    assert!(weights(dir.path(), "u") == weights(dir.path(), "p"), "files at weight 1 are one corpus");
    let said = train("a.tsv b.tsv --out x --corpus-weights 3").failed(2);
    assert!(said.contains("1 corpus weights for 2 files"), "{said}");
    train("--src a.tsv --src b.tsv --tgt a.tsv --out x").failed(2);
    train("a.tsv - --out x").failed(2);
}

#[test]
fn a_stream_is_trained_on_as_it_comes() {
    let dir = folder();
    let args = |out: &str, more: &str| format!("train - --out {out} {SMALL} --set data.stream_buffer=100 {more}");
    let ran = run(dir.path(), &args("s", ""), pairs());
    assert!(ran.err.contains("read -: 100 lines") && ran.err.contains("buffer 3, up to line 220: "), "{}", ran.err);
    ran.ok();
    run(dir.path(), &args("t", "--set train.max_updates=2 -q"), pairs()).ok();
    let again = run(dir.path(), &args("t", "--resume"), pairs());
    assert!(again.err.contains("resumed after update 2") && again.err.contains("buffer 3"), "{}", again.err);
    again.ok();
    let said = run(dir.path(), &args("t", "--resume"), pairs().replacen("1", "2", 1)).failed(2);
    assert!(said.contains("cannot resume"), "{said}");
    let said = run(dir.path(), &args("u", ""), "a\tb\nc\n").failed(3);
    assert!(said.contains("error: -:2: 1 column(s)"), "{said}");
    let said = run(dir.path(), &args("u", "--set train.max_epochs=3"), pairs()).failed(2);
    assert!(said.contains("train.max_epochs"), "{said}");
    assert!(!dir.path().join("u").exists());
}

#[test]
fn pieces_can_be_written_to_a_file() {
    let out = run(trained(), "tokenize -m m", "3 May 1999\n").ok();
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("in"), "3 May 1999\n").unwrap();
    let model = trained().join("m").display().to_string();
    assert_eq!(run(dir.path(), &format!("tokenize -m {model} -i in -o out"), "").ok(), "");
    assert_eq!(fs::read_to_string(dir.path().join("out")).unwrap(), out);
    let said = run(dir.path(), &format!("tokenize -m {model} -i in -o in"), "").failed(2);
    assert!(said.contains("write to another name"), "{said}");
}
