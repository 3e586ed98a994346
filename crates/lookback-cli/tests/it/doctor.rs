//! `doctor`, and what `train` says of what it is given.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::program::{SMALL, pairs, run};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

const ODD: &str = "ein Haus\ta house\nein Haus\ta house\nnur eins\nzwei\u{200b}\ttwo\u{1b}[31m\n";

#[test]
fn a_stream_is_refused_wherever_it_is_named() {
    let dir = folder(&[("p.tsv", ODD), ("s", "a\n")]);
    for names in ["-", "p.tsv -", "--src - --tgt s", "p.tsv --valid -", "p.tsv --test-src s --test-tgt -"] {
        let said = run(dir.path(), &format!("doctor {names}"), "a\tb\n").failed(2);
        assert!(said.contains("a stream cannot be examined"), "{names}: {said}");
    }
    let said = run(dir.path(), "doctor --src s --src s --tgt s", "").failed(2);
    assert!(said.contains("--src was given 2 times and --tgt 1 times"), "{said}");
}

#[test]
fn a_person_is_told_what_is_where() {
    let dir = folder(&[("p.tsv", ODD), ("test.tsv", "ein Haus\tone house\n")]);
    let ran = run(dir.path(), "doctor p.tsv --test test.tsv", "");
    for what in [
        "train p.tsv: 4 lines\n",
        "test  test.tsv: 1 line\n",
        "\nErrors (`train` refuses the corpus)\n  columns                   1  lines with a wrong number of columns\n    p.tsv:3  1, not 2\n",
        "\nWarnings\n  duplicate                 1  pairs that were there before\n    p.tsv:2  as p.tsv:1\n",
        "test.tsv:1  as p.tsv:1\n",
        "p.tsv:4  source: U+200B, character 5\n",
    ] {
        assert!(ran.out.contains(what), "no {what:?} in\n{}", ran.out);
    }
    assert!(!ran.out.contains('\x1b'));
    assert_eq!(ran.failed(3), "error: `train` would refuse this corpus; `--fix DIR` writes what is left of it\n");
    let clean = run(dir.path(), "doctor test.tsv", "").ok();
    assert!(clean.ends_with("\nNothing was found.\n"), "{clean}");
}

#[test]
fn a_program_is_told_the_same_as_json() {
    let dir = folder(&[("p.tsv", ODD)]);
    let ran = run(dir.path(), "doctor p.tsv --json --fix out", "");
    assert!(ran.err.contains("2 pairs removed, 1 changed, each with its reason in out/changes.tsv"), "{}", ran.err);
    let report: serde_json::Value = serde_json::from_str(&ran.ok()).unwrap();
    assert_eq!((&report["pairs"], &report["files"][0]["lines"]), (&3.into(), &4.into()));
    let found = &report["findings"][0];
    assert_eq!((&found["check"], &found["severity"], &found["count"]), (&"columns".into(), &"error".into(), &1.into()));
    assert_eq!(found["examples"][0]["line"], 3);
    assert_eq!(report["fixed"]["removed"], 2);
}

#[test]
fn what_was_found_is_told_though_nothing_can_be_cleaned() {
    let dir = folder(&[("s", "a\nb\n"), ("t", "a\n")]);
    let ran = run(dir.path(), "doctor --src s --tgt t --json --fix out", "");
    let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["findings"][0]["check"], "line-count");
    let advice = run(dir.path(), "doctor --src s --tgt t", "").failed(3);
    assert!(advice.contains("--fix cannot repair it; first mend by hand: line-count"), "{advice}");
    let said = ran.failed(3);
    assert!(said.starts_with("error: `s` cannot be cleaned"), "{said}");
    assert!(!dir.path().join("out").exists());
}

#[test]
fn what_cannot_be_written_is_said_before_anything_is_read() {
    let dir = folder(&[("p.tsv", ODD), ("file", "")]);
    fs::create_dir(dir.path().join("dev")).unwrap();
    fs::write(dir.path().join("dev/p.tsv"), ODD).unwrap();
    for (args, code, what) in [
        ("p.tsv --valid dev/p.tsv --fix out", 2, "two files would have its name in the folder"),
        ("p.tsv --fix file/out", 1, "file/out"),
        ("p.tsv --fix none/out", 1, "none/out"),
        ("dev --fix out", 2, "it is no regular file"),
    ] {
        let ran = run(dir.path(), &format!("doctor {args}"), "");
        assert_eq!(ran.out, "", "{args}");
        let said = ran.failed(code);
        assert!(said.contains(what), "{args}: {said}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing is left behind");
}

#[test]
fn what_is_measured_on_stays_as_it_is_and_nothing_is_emptied() {
    let odd = "u\u{308}ber\tover\nu\u{308}ber\tover\nzwei\u{200b}\ttwo\nbroken\n";
    let dir = folder(&[("p.tsv", "drei\tthree\nzwei\tsecond\n"), ("dev.tsv", odd), ("test.tsv", odd)]);
    let ran = run(dir.path(), "doctor p.tsv --test test.tsv --fix out", "");
    assert!(ran.err.contains("what is measured on is as it was"), "{}", ran.err);
    assert_eq!(read(dir.path(), "out/test.tsv"), odd.replace("broken\n", ""));
    assert_eq!(read(dir.path(), "out/p.tsv"), "drei\tthree\n", "leaks are seen behind what nobody sees");
    let said = run(dir.path(), "doctor p.tsv --valid dev.tsv --test test.tsv --fix none", "").failed(3);
    assert!(said.contains("nothing would be left of `dev.tsv`"), "{said}");
    assert!(!dir.path().join("none").exists());
}

#[test]
fn what_is_left_can_be_trained_on_and_what_was_done_can_be_undone() {
    let text = pairs() + ODD;
    let dir = folder(&[("p.tsv", &text)]);
    let train = |pairs: &str, out: &str| {
        run(dir.path(), &format!("train {pairs} --out {out} {SMALL} --set train.max_updates=1 -q"), "")
    };
    train("p.tsv", "m").failed(3);
    run(dir.path(), "doctor p.tsv --fix out -q", "").ok();
    train("out/p.tsv", "m").ok();
    let changes = read(dir.path(), "out/changes.tsv");
    assert!(changes.starts_with("file\tline\twhat\twhy\toriginal\n"));
    assert!(changes.contains("\np.tsv\t223\tremoved\tcolumns\tnur eins\n"), "{changes}");
    assert!(changes.contains("\np.tsv\t224\tchanged\tcontrol,invisible\tzwei\u{200b}\ttwo\u{1b}[31m\n"), "{changes}");
    // The lines of the corpus and those of the changes, each at its place, are the input.
    let mut lines: Vec<Option<String>> = vec![None; text.lines().count()];
    let mut kept = read(dir.path(), "out/p.tsv");
    for change in changes.lines().skip(1) {
        let fields: Vec<&str> = change.splitn(5, '\t').collect();
        let line: usize = fields[1].parse().unwrap();
        lines[line - 1] = Some(fields[4].to_owned());
        if fields[2] == "changed" {
            kept = kept.replace("zwei\ttwo[31m\n", "");
        }
    }
    let mut kept = kept.lines();
    let restored: String =
        lines.into_iter().map(|line| line.unwrap_or_else(|| kept.next().unwrap().into()) + "\n").collect();
    assert_eq!((restored, kept.next()), (text, None));
}

#[test]
fn training_names_what_is_worth_a_look_and_is_quiet_about_a_clean_corpus() {
    let dir = folder(&[("p.tsv", &(pairs() + "ein Haus\ta\u{200b}\nein Haus\ta\n")), ("clean.tsv", &pairs())]);
    let said = |args: &str| {
        let ran = run(dir.path(), &format!("train {args} {SMALL} --set train.max_updates=1"), "");
        ran.err.lines().find(|line| line.contains("lookback doctor")).map(str::to_owned)
    };
    assert_eq!(
        said("p.tsv --out a").as_deref(),
        Some("worth a look, with `lookback doctor`: 1 duplicate (p.tsv:222), 1 invisible (p.tsv:221)")
    );
    let leak = said("clean.tsv --valid clean.tsv --out b").unwrap();
    assert!(leak.contains("220 leaked-pair (clean.tsv:1)"), "{leak}");
    assert_eq!(said("clean.tsv --out c"), None);
    assert_eq!(said("p.tsv --out a --resume --set train.max_updates=2"), None);
}
