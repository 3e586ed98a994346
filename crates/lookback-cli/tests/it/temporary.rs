//! Corpora that do not fit into memory, and temporary files that cannot be had.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::program::{Ran, SMALL, command, pairs};

/// Twenty pairs of a million bytes each, of which nothing is learned, and 220 others.
fn large() -> String {
    let side = |word: &str| word.repeat(499_000 / word.len());
    let long: String = (0..20).map(|i| format!("{i} {}\t{i} {}\n", side("wort "), side("word "))).collect();
    long + &pairs()
}

/// A training in `dir` with its temporary files in `temporary`.
fn train(dir: &Path, temporary: &str) -> Ran {
    let args = format!("train p.tsv --valid v.tsv --out m {SMALL} --set train.max_updates=4");
    let mut command = command(dir, args.split_whitespace());
    command.env("TMPDIR", temporary).output().expect("the program runs").into()
}

#[test]
fn what_does_not_fit_into_memory_goes_to_a_temporary_file_or_the_folder_is_named() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("v.tsv"), "3 May 1999\t1999-05-03\n").unwrap();
    fs::write(dir.path().join("p.tsv"), pairs()).unwrap();
    train(dir.path(), "absent").ok();
    fs::remove_dir_all(dir.path().join("m")).unwrap();
    fs::write(dir.path().join("p.tsv"), large()).unwrap();
    let said = train(dir.path(), "absent").failed(1);
    let expected = "error: cannot keep the pairs in a temporary file in `absent`; set TMPDIR to a folder with room: ";
    assert!(said.contains(expected) && said.matches("os error").count() == 1, "{said}");
    let ran = train(dir.path(), ".");
    assert!(ran.err.contains("skipped 20 training pairs"), "{}", ran.err);
    ran.ok();
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_temporary_file_that_cannot_grow_is_an_error() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), large()).unwrap();
    // A limit of the shell's, in place of a disk that is full.
    let script = "trap '' XFSZ; ulimit -f 4000; exec \"$0\" train p.tsv --out m";
    let mut limited = Command::new("sh");
    limited.current_dir(dir.path()).args(["-c", script, env!("CARGO_BIN_EXE_lookback")]).stdin(Stdio::null());
    let said = Ran::from(limited.env("TMPDIR", ".").output().expect("the program runs")).failed(1);
    assert!(said.contains("in a temporary file in `.`; set TMPDIR to a folder with room: File too large"), "{said}");
    assert!(!dir.path().join("m").exists());
}
