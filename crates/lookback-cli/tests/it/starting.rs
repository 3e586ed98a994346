//! Models that come from other models, and word vectors.

use std::fs;

use tempfile::TempDir;

use crate::program::{SMALL, pairs, run};

/// A folder with `pairs.tsv` and the models of three validations.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    let args = format!(
        "train pairs.tsv --out m {SMALL} --set train.max_updates=6 --set train.validate_every=2 --set train.keep_checkpoints=3"
    );
    run(dir.path(), &args, "").ok();
    dir
}

#[test]
fn checkpoints_have_a_mean_that_translates_and_strangers_have_none() {
    let dir = folder();
    let said = run(dir.path(), "average m/checkpoints/2 m/checkpoints/4 m/checkpoints/6 -o mean", "");
    assert!(
        said.err.contains("the mean of 3 models of") && said.err.contains("lookback translate -m mean"),
        "{}",
        said.err
    );
    said.ok();
    assert_eq!(run(dir.path(), "translate -m mean", "3 May 1999\n").ok().lines().count(), 1);
    let taken = run(dir.path(), "average m/checkpoints/2 m/checkpoints/4 -o mean", "").failed(2);
    assert!(taken.contains("`mean` holds a model already"), "{taken}");
    run(dir.path(), &format!("train pairs.tsv --out other {SMALL} --set train.max_updates=1 --seed 7"), "").ok();
    let stranger = run(dir.path(), "average m other -o new", "").failed(2);
    assert!(stranger.contains("`m` and `other` are not of one training: `seed` from 0 to 7"), "{stranger}");
    assert!(run(dir.path(), "average m -o new", "").failed(2).contains("give two or more"));
    run(dir.path(), "average m nowhere -o new", "").failed(1);
    assert!(!dir.path().join("new").exists());
}

#[test]
fn a_model_is_trained_further() {
    let dir = folder();
    let tuned = "train pairs.tsv --init-from m --out tuned --set train.max_updates=2 --set data.hold_out=20";
    run(dir.path(), tuned, "").ok();
    let vocabulary = |model: &str| fs::read(dir.path().join(model).join("tokenizer.src.json")).unwrap();
    assert_eq!(vocabulary("tuned"), vocabulary("m"));
    let said = run(dir.path(), &format!("{tuned} --overwrite --set model.cell=gru"), "").failed(2);
    assert!(said.contains("`model.cell` from \"lstm\" to \"gru\""), "{said}");
    let said = run(dir.path(), &format!("{tuned} --overwrite --tokenizer m/tokenizer.src.json"), "").failed(2);
    assert!(said.contains("cannot be used with"), "{said}");
}

#[test]
fn word_vectors_report_their_coverage_and_their_mistakes() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    fs::write(dir.path().join("v.txt"), "May 1 2 3 4\nnowhere 1 2 3 4\n").unwrap();
    let train = |more: &str| {
        let small = SMALL.replace("text.mode=char", "text.mode=word");
        run(dir.path(), &format!("train pairs.tsv --out m {small} --set train.max_updates=1 {more}"), "")
    };
    let said = train("--src-vectors v.txt").failed(3);
    assert!(
        said.contains("v.txt:1: vectors of 4 numbers, `model.embedding` is 16; set `model.embedding = 4`"),
        "{said}"
    );
    assert!(train("--src-vectors v.txt --set text.mode=char").failed(2).contains("text.mode: word vectors"));
    let said = train("--src-vectors v.txt --set model.embedding=4").err;
    assert!(said.contains("vectors of 1 of ") && said.contains("found among the 2 of v.txt"), "{said}");
}
