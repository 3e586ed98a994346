//! Stopping and going on.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::program::{Ran, SMALL, command, pairs, run};

/// More updates than any test waits for.
const ENDLESS: &str = "--set train.max_updates=1000000";

fn start(dir: &Path, more: &str) -> Child {
    let args = format!("train pairs.tsv --out m {SMALL} --set train.validate_every=40 --set train.patience=0 {more}");
    command(dir, args.split_whitespace()).spawn().unwrap()
}

fn whole(dir: &Path, more: &str) -> Ran {
    start(dir, more).wait_with_output().unwrap().into()
}

/// Runs until a line contains `what`, then sends `signal`; the updates made.
fn stopped(mut child: Child, what: &str, signal: &str, code: i32) -> u64 {
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.lines().last().unwrap_or_default().contains(what) {
        assert!(lines.read_line(&mut said).unwrap() > 0, "ended without {what:?}: {said}");
    }
    // The shell has `kill` inside; not every system has it as a program.
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    lines.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(code), "{said}");
    assert!(said.ends_with("the same command with --resume goes on exactly there\n"), "{said}");
    let (_, made) = said.split_once("stopped after ").unwrap();
    made.split(' ').next().unwrap().replace(',', "").parse().unwrap()
}

#[test]
fn a_stopped_training_goes_on_to_the_same_bytes() {
    let (dir, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for dir in [&dir, &other] {
        fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    }
    let first = stopped(start(dir.path(), ENDLESS), ": BLEU ", "INT", 130);
    assert!(first >= 40, "the first validation comes after 40 updates");
    let again = format!("{ENDLESS} --resume");
    let second = stopped(start(dir.path(), &again), &format!("resumed after update {first}"), "TERM", 143);
    assert!(second >= first);

    let limit = format!("--set train.max_updates={}", second + 10);
    let resumed = whole(dir.path(), &format!("{limit} --resume"));
    assert!(resumed.err.contains(&format!("resumed after update {second}")), "{}", resumed.err);
    resumed.ok();
    whole(other.path(), &limit).ok();
    let weights = |dir: &TempDir| fs::read(dir.path().join("m/model.safetensors")).unwrap();
    assert!(weights(&dir) == weights(&other), "a run that was stopped twice differs from one that was not");
}

#[test]
fn resuming_with_other_data_is_refused() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    whole(dir.path(), "--set train.max_updates=2").ok();
    let more = format!("{}1 Jan 2001\t2001-01-01\n", pairs());
    fs::write(dir.path().join("pairs.tsv"), more).unwrap();
    let said = whole(dir.path(), "--set train.max_updates=4 --resume").failed(2);
    assert!(said.contains("cannot resume") && said.contains("changed"), "{said}");
    let said = run(dir.path(), "train pairs.tsv --out nowhere --resume", "").failed(2);
    assert!(said.contains("there is no such folder; leave out --resume"), "{said}");
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    let said = whole(dir.path(), "--set train.max_updates=4 --resume --seed 7").failed(2);
    assert!(said.contains("`seed` from 0 to 7 changed") && !said.contains("data"), "{said}");
    let allowed = "--resume --set train.learning_rate=0.0001 --allow-changed train.learning_rate";
    whole(dir.path(), &format!("--set train.max_updates=4 {allowed}")).ok();
    let said = whole(dir.path(), "--set train.max_updates=4 --allow-changed data").failed(2);
    assert!(said.contains("--resume"), "{said}");
}
