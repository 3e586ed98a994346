//! The quickstart, cut short.

use std::fs;

use tempfile::TempDir;

use crate::program::run;

#[test]
fn quickstart_dates_leaves_a_model_a_page_and_its_score() {
    let dir = TempDir::new().unwrap();
    let short = "--set train.max_updates=3 --set model.hidden=16 --set search.beam_size=1 --set train.validate_sentences=20 \
        --set search.max_length_ratio=0.0 --set search.max_length_extra=12";
    let out = run(dir.path(), &format!("quickstart dates {short}"), "").ok();
    let last = out.lines().last().unwrap();
    assert!(last.starts_with("exact match ") && last.ends_with(" %"), "{out}");
    let page = fs::read_to_string(dir.path().join("attention-dates.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("Exact match"));
    assert!(out.contains("translate -m lookback-dates") && out.contains("  reference    "), "{out}");

    // What it says can be typed.
    let again = run(dir.path(), "eval -m lookback-dates lookback-dates/test.tsv", "").ok();
    assert!(again.contains(&format!("{}\n", out.lines().rev().nth(1).unwrap())), "{again}{out}");
    let said = run(dir.path(), "train lookback-dates/data/train.tsv --dump-config", "").ok();
    assert!(said.contains("mode = \"char\""), "{said}");

    // A second run takes the next free names.
    let second = run(dir.path(), &format!("quickstart dates {short} --quiet"), "").ok();
    assert!(second.contains("translate -m lookback-dates-2"), "{second}");
    assert!(dir.path().join("attention-dates-2.html").is_file());
    assert_eq!(second.lines().last(), Some(last), "the same seed, the same score");

    // A folder of somebody else is left alone.
    fs::create_dir(dir.path().join("mine")).unwrap();
    fs::write(dir.path().join("mine/thesis.txt"), "years of work").unwrap();
    let said = run(dir.path(), "quickstart dates --out mine --overwrite", "").failed(2);
    assert!(said.contains("not made by quickstart"), "{said}");
    let said = run(dir.path(), "quickstart dates --out lookback-dates", "").failed(2);
    assert!(said.contains("--overwrite"), "{said}");
}

#[test]
fn what_cannot_be_trained_leaves_nothing_behind() {
    let dir = TempDir::new().unwrap();
    for args in [
        "--minutes 0",
        "dates --minutes -1 -o mine",
        "--set data.stream_buffer=9",
        "--set train.metric=aer",
        "--set model.bridge=zero --set model.attention=none",
    ] {
        run(dir.path(), &format!("quickstart {args}"), "").failed(2);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{args}");
    }
    let said = run(dir.path(), "quickstart --minutes 0", "").failed(2);
    assert!(said.contains("train.max_minutes: 0 is not a positive number"), "{said}");
}
