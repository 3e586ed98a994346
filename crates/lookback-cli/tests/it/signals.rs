//! Stopping and going on.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::{Ran, SMALL, command, pairs, run};

/// Longer than any machine needs.
const PATIENCE: Duration = Duration::from_secs(120);

fn start(dir: &Path, more: &str) -> Child {
    let args = format!("train pairs.tsv --out m {SMALL} --set train.validate_every=40 --set train.patience=0 {more}");
    command(dir, args.split_whitespace()).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Waits until the first validation has left its weights.
fn until_validated(dir: &Path) {
    let start = Instant::now();
    while !dir.join("m/model.safetensors").exists() {
        assert!(start.elapsed() < PATIENCE, "no validation");
        sleep(Duration::from_millis(20));
    }
}

fn updates(ran: &Ran) -> u64 {
    let (_, rest) = ran.err.split_once("stopped after ").unwrap_or_else(|| panic!("{}", ran.err));
    rest.split(' ').next().unwrap().replace(',', "").parse().unwrap()
}

#[test]
fn a_stopped_training_goes_on_to_the_same_bytes() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    for (name, code) in [("-INT", 130), ("-TERM", 143)] {
        let resume = if code == 143 { "--resume" } else { "" };
        let child = start(dir.path(), &format!("--set train.max_updates=1000000 {resume}"));
        until_validated(dir.path());
        if code == 143 {
            sleep(Duration::from_millis(700)); // it has to read its state first
        }
        signal(&child, name);
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!(ran.code, Some(code), "{}", ran.err);
        assert!(ran.err.contains("--resume goes on"), "{}", ran.err);
        let made = updates(&ran);
        if code == 143 {
            // Go on by the same number of updates as one run that was never stopped.
            let limit = format!("--set train.max_updates={}", made + 10);
            let resumed = Ran::from(start(dir.path(), &format!("{limit} --resume")).wait_with_output().unwrap());
            assert!(resumed.err.contains(&format!("resumed after update {made}")), "{}", resumed.err);
            resumed.ok();
            let whole = TempDir::new().unwrap();
            fs::write(whole.path().join("pairs.tsv"), pairs()).unwrap();
            Ran::from(start(whole.path(), &limit).wait_with_output().unwrap()).ok();
            let weights = |dir: &Path| fs::read(dir.join("m/model.safetensors")).unwrap();
            assert!(weights(dir.path()) == weights(whole.path()), "the weights differ");
        }
    }
}

#[test]
fn resuming_with_other_data_is_refused() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    Ran::from(start(dir.path(), "--set train.max_updates=2").wait_with_output().unwrap()).ok();
    let more = format!("{}1 Jan 2001\t2001-01-01\n", pairs());
    fs::write(dir.path().join("pairs.tsv"), more).unwrap();
    let ran = Ran::from(start(dir.path(), "--set train.max_updates=4 --resume").wait_with_output().unwrap());
    let said = ran.failed(2);
    assert!(said.contains("cannot resume") && said.contains("changed"), "{said}");
    run(dir.path(), "train pairs.tsv --out nowhere --resume", "").failed(1);
}
