//! A shortlist: learnt, used, refused.

use std::fs;

use tempfile::TempDir;

use crate::program::{run, trained};

const SOURCES: &str = "3 May 1999\n\n1987년 3월 5일\n";

#[test]
fn a_shortlist_is_learnt_into_the_folder_and_used_when_asked_for() {
    let dir = TempDir::new().unwrap();
    let (model, pairs) = (dir.path().join("m"), trained().join("pairs.tsv").display().to_string());
    fs::create_dir(&model).unwrap();
    for entry in fs::read_dir(trained().join("m")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, model.join(path.file_name().unwrap())).unwrap();
        }
    }
    let none = run(dir.path(), "translate -m m --shortlist", SOURCES).failed(1);
    assert!(none.contains("has no shortlist") && none.contains("lookback shortlist"), "{none}");
    let said = run(dir.path(), &format!("shortlist -m m {pairs} --best 40"), "");
    assert!(said.err.contains("candidates of") && said.err.contains("--shortlist -m m"), "{}", said.err);
    assert_eq!(said.ok(), "");
    let file = fs::read(model.join("shortlist.safetensors")).unwrap();
    run(dir.path(), &format!("shortlist -m m {pairs} --best 40 --threads 1"), "").ok();
    assert_eq!(fs::read(model.join("shortlist.safetensors")).unwrap(), file, "equal pairs give equal lists");
    // Dates are written in few characters, which are all among the candidates.
    let plain = run(dir.path(), "translate -m m", SOURCES).ok();
    for threads in [1, 2] {
        let listed = run(dir.path(), &format!("translate -m m --shortlist --threads {threads}"), SOURCES).ok();
        assert_eq!(listed, plain);
    }
    let scores = run(dir.path(), &format!("eval {pairs} -m m --shortlist --metrics exact"), "").ok();
    assert_eq!(scores, run(dir.path(), &format!("eval {pairs} -m m --metrics exact"), "").ok());
    // Two models write with the list of the first.
    run(dir.path(), "convert -m m --int8 -o small", "").ok();
    assert_eq!(run(dir.path(), "translate -m m -m small --shortlist", SOURCES).ok().lines().count(), 3);
    run(dir.path(), "translate -m small -m m --shortlist", SOURCES).failed(1);
}

#[test]
fn what_nothing_is_learnt_from_is_refused() {
    let dir = TempDir::new().unwrap();
    let model = trained().join("m").display().to_string();
    assert!(run(dir.path(), &format!("shortlist -m {model} -"), "").failed(3).contains("no pairs"));
    let columns = run(dir.path(), &format!("shortlist -m {model}"), "one column\n").failed(3);
    assert!(columns.contains("standard input:1"), "{columns}");
    assert!(run(dir.path(), &format!("shortlist -m {model} --best 0"), "").failed(2).contains("--best"));
    assert!(!trained().join("m/shortlist.safetensors").exists());
}
