//! What stands in files: nothing that is read is written over, and nothing is written by what could be known to fail.

use std::fs;

use tempfile::TempDir;

use crate::program::{pairs, run, trained};

#[test]
fn nothing_is_written_over_what_is_read() {
    let dir = TempDir::new().unwrap();
    let model = trained().join("m").display().to_string();
    fs::write(dir.path().join("p.tsv"), pairs()).unwrap();
    fs::write(dir.path().join("one"), "3 May 1999\n").unwrap();
    fs::hard_link(dir.path().join("one"), dir.path().join("again")).unwrap();
    for args in [
        "translate -m M -i one -o one",
        "translate -m M -i one -o ./again",
        "translate -m M -i p.tsv --prefix-file one -o one",
        "translate -m M -i one -o two --attention one --attention-format jsonl",
        "attend -m M -i one -o one -f jsonl",
        "attend -m M --pairs p.tsv -o p.tsv -f jsonl",
        "eval -m M p.tsv --hyp-out p.tsv",
        "eval --hyp one --ref again --src one --by-length 1 --svg one",
    ] {
        let said = run(dir.path(), &args.replace('M', &model), "").failed(2);
        assert!(said.contains("is read; write to another name"), "{args}: {said}");
        assert_eq!(fs::read_to_string(dir.path().join("one")).unwrap(), "3 May 1999\n", "{args}");
        assert_eq!(fs::read_to_string(dir.path().join("p.tsv")).unwrap(), pairs(), "{args}");
    }
}

#[test]
fn what_can_be_known_to_fail_leaves_the_output_alone() {
    let dir = TempDir::new().unwrap();
    let model = trained().join("m").display().to_string();
    fs::write(dir.path().join("kept"), "kept").unwrap();
    for (args, code) in [
        ("translate -m M -i nowhere -o kept", 3),
        ("translate -m M -o kept --length-penalty=-1", 2),
        ("translate -m M -o two --attention kept --attention-format jsonl --length-penalty=-1", 2),
        ("attend -m M -i nowhere -o kept -f html", 3),
        ("attend -m M --pairs nowhere -o kept -f html", 3),
        ("attend -m M -o kept -f jsonl -b 5000", 2),
    ] {
        run(dir.path(), &args.replace('M', &model), "").failed(code);
        assert_eq!(fs::read_to_string(dir.path().join("kept")).unwrap(), "kept", "{args}");
    }
}

#[test]
fn text_cannot_steer_the_terminal() {
    let model = trained().join("m").display().to_string();
    let drawn = run(trained(), &format!("attend -m {model}"), "a\x1b[31mb\x07 \u{202e}c\n").ok();
    assert!(!drawn.contains(['\x1b', '\x07', '\u{202e}']), "{drawn:?}");
}
