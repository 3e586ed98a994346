//! A shortlist: learnt, used, refused.

use std::fs;

use tempfile::TempDir;

use crate::program::{Ran, SMALL, run, trained};

const SOURCES: &str = "3 May 1999\n\n1987년 3월 5일\n";

/// The trained model's pairs, and a folder with a copy of it, `m`.
fn copied() -> (TempDir, String) {
    let dir = TempDir::new().unwrap();
    let model = dir.path().join("m");
    fs::create_dir(&model).unwrap();
    for entry in fs::read_dir(trained().join("m")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            fs::copy(&path, model.join(path.file_name().unwrap())).unwrap();
        }
    }
    (dir, trained().join("pairs.tsv").display().to_string())
}

#[test]
fn a_shortlist_is_learnt_into_the_folder_and_used_when_asked_for() {
    let (dir, pairs) = copied();
    let model = dir.path().join("m");
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
    // With nearly no candidate another translation is found, and another score: the list counts.
    run(dir.path(), &format!("shortlist -m m {pairs} --best 1 --frequent 1"), "").ok();
    let few =
        [1, 2].map(|threads| run(dir.path(), &format!("translate -m m --shortlist --threads {threads}"), SOURCES));
    let [few, on_two] = few.map(Ran::ok);
    assert!(few != plain && few == on_two, "{few}");
    let written = |list: &str| run(dir.path(), &format!("eval {pairs} -m m {list} --metrics chrf"), "").ok();
    assert_ne!(written("--shortlist"), written(""));
    // A converted model keeps its list; two models write with that of the first.
    run(dir.path(), "convert -m m --int8 -o small", "").ok();
    let small = dir.path().join("small/shortlist.safetensors");
    assert_eq!(fs::read(&small).unwrap(), fs::read(model.join("shortlist.safetensors")).unwrap());
    fs::remove_file(small).unwrap();
    assert_eq!(run(dir.path(), "translate -m m -m small --shortlist", SOURCES).ok().lines().count(), 3);
    run(dir.path(), "translate -m small -m m --shortlist", SOURCES).failed(1);
}

#[test]
fn pairs_beyond_the_limits_of_the_training_are_skipped_and_counted() {
    let (dir, pairs) = copied();
    let mut text = fs::read_to_string(pairs).unwrap();
    fs::write(dir.path().join("pairs.tsv"), &text).unwrap();
    let learn = |file: &str| {
        let said = run(dir.path(), &format!("shortlist -m m {file}"), "");
        (said.err.clone(), said.ok(), fs::read(dir.path().join("m/shortlist.safetensors")).unwrap())
    };
    let (_, _, without) = learn("pairs.tsv");
    // A product of the lengths would take hours.
    let long = "1".repeat(400_000);
    text = format!("{long}\t{long}\n{text}");
    fs::write(dir.path().join("long.tsv"), text).unwrap();
    let (said, _, with) = learn("long.tsv");
    assert!(said.contains("skipped 1 pair longer than 150 source or 150 target pieces (lines 1)"), "{said}");
    assert!(said.contains("from 220 pairs") && with == without, "{said}");
    let none = run(dir.path(), "shortlist -m m", format!("{long}\t{long}\n")).failed(3);
    assert!(none.contains("skipped 1 pair") && none.contains("no pairs"), "{none}");
}

#[test]
fn a_list_of_other_tokenizers_is_gone_after_another_training_and_refused_elsewhere() {
    let (dir, pairs) = copied();
    run(dir.path(), &format!("shortlist -m m {pairs}"), "").ok();
    let list = dir.path().join("m/shortlist.safetensors");
    let before = fs::read(&list).unwrap();
    // As many pieces: every `1` of the data is another character.
    let others = fs::read_to_string(pairs).unwrap().replace('1', "Ж");
    fs::write(dir.path().join("others.tsv"), others).unwrap();
    let args = format!("train others.tsv --out m --overwrite {SMALL} --set train.max_updates=1");
    run(dir.path(), &args, "").ok();
    assert!(!list.exists());
    fs::write(&list, before).unwrap();
    let said = run(dir.path(), "translate -m m --shortlist", SOURCES).failed(1);
    assert!(said.contains("other tokenizers") && said.contains("lookback shortlist"), "{said}");
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
