//! A clock that jumps: summer time, a correction over the network, an empty battery.
#![cfg(target_os = "linux")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::program::{Ran, SMALL, command, pairs};

/// Every second look at the time of day is a year early, every third one before 1970; clocks that only count seconds go on.
const JUMPS: &str = r#"
#define _GNU_SOURCE
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    static int looks;
    int failed = syscall(SYS_clock_gettime, id, at);
    if (id == CLOCK_REALTIME) {
        looks++;
        if (looks % 2) at->tv_sec -= 31536000;
        if (looks % 3 == 0) at->tv_sec = -5;
        write(2, "[jump]", 6);
    }
    return failed;
}
"#;

/// The library that makes the clock jump.
fn jumping(dir: &Path) -> String {
    let (source, library) = (dir.join("jumps.c"), dir.join("jumps.so"));
    fs::write(&source, JUMPS).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    library.display().to_string()
}

#[test]
fn a_clock_that_jumps_changes_nothing() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    let library = jumping(dir.path());
    let train = |out: &str, more: &str, preload: &str| -> Ran {
        let args = format!(
            "train pairs.tsv --out {out} {SMALL} --set train.tensorboard=true --set train.stop_after=10min {more}"
        );
        command(dir.path(), args.split_whitespace())
            .env("LD_PRELOAD", preload)
            .stdin(Stdio::null())
            .output()
            .unwrap()
            .into()
    };
    let updates = |n: u64| format!("--set train.max_updates={n} --checkpoint-every 1min");
    train("steady", &updates(10), "").ok();
    train("steady", &format!("{} --resume", updates(20)), "").ok();
    let ran = train("jumping", &updates(10), &library);
    assert!(ran.err.contains("[jump]"), "the clock was not looked at: {}", ran.err);
    ran.ok();
    train("jumping", &format!("{} --resume", updates(20)), &library).ok();
    for name in ["model.safetensors", "training.safetensors"] {
        let read = |folder: &str| fs::read(dir.path().join(folder).join(name)).unwrap();
        assert!(read("steady") == read("jumping"), "{name}");
    }
    let receipt = fs::read_to_string(dir.path().join("jumping/receipt.json")).unwrap();
    let receipt: serde_json::Value = serde_json::from_str(&receipt).unwrap();
    let seconds = receipt["seconds"].as_f64().unwrap();
    assert!((0.0..600.0).contains(&seconds), "{seconds} seconds of training");
}
