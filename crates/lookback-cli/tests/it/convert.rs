//! Models in fewer bits: made, told of, used, refused.

use std::fs;

use tempfile::TempDir;

use crate::program::{run, trained};

const SOURCES: &str = "3 May 1999\n\n1987년 3월 5일\n";

#[test]
fn a_model_in_8_bits_is_small_says_what_it_is_and_translates() {
    let dir = TempDir::new().unwrap();
    let model = trained().join("m").display().to_string();
    let said = run(dir.path(), &format!("convert -m {model} --int8 -o small"), "");
    assert!(said.err.contains("times smaller"), "{}", said.err);
    assert_eq!(said.ok(), "");
    let size = |path: String| fs::metadata(path).unwrap().len();
    let (before, after) = (size(format!("{model}/model.safetensors")), dir.path().join("small/model.safetensors"));
    // Rows of 16 and 32 values: scales, and names of tensors, weigh more than in models of use.
    assert!(size(after.display().to_string()) * 2 < before);
    assert!(run(dir.path(), "inspect small", "").ok().contains("precision    int8"));
    let config = fs::read_to_string(dir.path().join("small/config.json")).unwrap();
    assert!(config.contains("\"weights\": \"int8\""), "{config}");
    let out = run(dir.path(), "translate -m small", SOURCES).ok();
    assert_eq!(out.lines().count(), 3, "{out}");
    for threads in ["1", "2"] {
        assert_eq!(run(dir.path(), &format!("translate -m small --threads {threads}"), SOURCES).ok(), out);
    }
    assert!(run(dir.path(), "score -m small", "3 May 1999\t1999-05-03\n").ok().starts_with('-'));
    let alone = run(dir.path(), &format!("translate -m small -m {model}"), SOURCES).ok();
    assert_eq!(alone.lines().count(), 3, "precisions may differ in an ensemble");
}

#[test]
fn a_model_in_bfloat16_is_half_as_large_and_translates_like_the_one_it_was_made_from() {
    let dir = TempDir::new().unwrap();
    let model = trained().join("m").display().to_string();
    run(dir.path(), &format!("convert -m {model} --bf16 -o half"), "").ok();
    let size = |path: String| fs::metadata(path).unwrap().len();
    let before = size(format!("{model}/model.safetensors"));
    // Vectors stay as they are, and names of tensors weigh more than in models of use.
    assert!(size(dir.path().join("half/model.safetensors").display().to_string()) * 5 < before * 3);
    assert!(run(dir.path(), "inspect half", "").ok().contains("precision    bf16"));
    let config = fs::read_to_string(dir.path().join("half/config.json")).unwrap();
    assert!(config.contains("\"weights\": \"bf16\""), "{config}");
    let out = run(dir.path(), "translate -m half --threads 1", SOURCES).ok();
    assert_eq!(run(dir.path(), "translate -m half --threads 2", SOURCES).ok(), out);
    assert_eq!(out, run(dir.path(), &format!("translate -m {model}"), SOURCES).ok());
    let both = run(dir.path(), &format!("convert -m {model} --bf16 --int8 -o both"), "").failed(2);
    assert!(both.contains("cannot be used with"), "{both}");
    let again = run(dir.path(), "convert -m half --int8 -o smaller", "").failed(2);
    assert!(again.contains("stored as bf16"), "{again}");
    let pairs = trained().join("pairs.tsv").display().to_string();
    let resumed = run(dir.path(), &format!("train {pairs} --out half --resume"), "").failed(2);
    assert!(resumed.contains("bf16") && resumed.contains("made from"), "{resumed}");
    let tuned = run(dir.path(), &format!("train {pairs} --out tuned --init-from half"), "").failed(1);
    assert!(tuned.contains("stored as bf16"), "{tuned}");
}

#[test]
fn what_cannot_be_converted_or_trained_is_refused_with_the_reason() {
    let dir = TempDir::new().unwrap();
    let model = trained().join("m").display().to_string();
    run(dir.path(), &format!("convert -m {model} --int8 -o small"), "").ok();
    let again = run(dir.path(), "convert -m small --int8 -o smaller", "").failed(2);
    assert!(again.contains("stored as int8") && !dir.path().join("smaller").exists(), "{again}");
    let full = run(dir.path(), &format!("convert -m {model} --int8 -o small"), "").failed(2);
    assert!(full.contains("not an empty folder"), "{full}");
    run(dir.path(), &format!("convert -m {model} -o other"), "").failed(2);
    run(dir.path(), "convert -m nowhere --int8 -o other", "").failed(1);
    let mean = run(dir.path(), "average small small -o mean", "").failed(2);
    assert!(mean.contains("stored as int8"), "{mean}");
    let pairs = trained().join("pairs.tsv").display().to_string();
    let resumed = run(dir.path(), &format!("train {pairs} --out small --resume"), "").failed(2);
    assert!(resumed.contains("int8") && resumed.contains("made from"), "{resumed}");
}

#[test]
fn files_that_are_not_as_the_configuration_says_are_refused_by_tensor() {
    let dir = TempDir::new().unwrap();
    let model = trained().join("m").display().to_string();
    run(dir.path(), &format!("convert -m {model} --int8 -o small"), "").ok();
    fs::copy(format!("{model}/model.safetensors"), dir.path().join("small/model.safetensors")).unwrap();
    let said = run(dir.path(), "translate -m small x", "").failed(1);
    assert!(said.contains("encoder.embedding.weight` holds F32, expected I8"), "{said}");
}
