//! `lookback train --verify-resume`: kills a training at random updates, resumes it, and compares it with one that was not disturbed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use super::Broken;
use lookback::train::without_times;

use crate::args::Common;
use crate::display::{Screen, counted};
use crate::exit::Done;

/// How often it is killed.
const KILLS: usize = 3;
/// The files that must not differ.
const FILES: [&str; 6] = [
    "model.safetensors",
    "config.json",
    "training.safetensors",
    "tokenizer.json",
    "tokenizer.src.json",
    "tokenizer.tgt.json",
];

/// Checks over so many updates that this command resumes exactly.
pub(crate) fn verify_resume(updates: u64, common: Common) -> anyhow::Result<Done> {
    let mut screen = Screen::new(common);
    let dir = tempfile::Builder::new().prefix("lookback-resume-").tempdir()?;
    let run = |name: &str, more: &[&str]| command(&dir.path().join(name), updates, more);
    screen.line(&format!("training for {}, undisturbed", counted(usize::try_from(updates)?, "update")));
    succeed(run("whole", &[])?)?;
    let at: BTreeSet<u64> = (0..KILLS).map(|kill| 1 + RandomState::new().hash_one(kill) % updates).collect();
    let mut killed = Vec::new();
    for update in at {
        let more: &[&str] = if killed.is_empty() { &[] } else { &["--resume"] };
        if kill_at(run("killed", more)?, update)? {
            screen.line(&format!("killed at update {update}"));
            killed.push(update);
        }
    }
    anyhow::ensure!(!killed.is_empty(), "no run lived long enough to be killed; ask for more updates");
    succeed(run("killed", &["--resume"])?)?;
    let (whole, resumed) = (dir.path().join("whole"), dir.path().join("killed"));
    let mut different: Vec<&str> = Vec::new();
    for name in FILES {
        let read = |dir: &Path| fs::read(dir.join(name)).ok();
        if read(&whole) != read(&resumed) {
            different.push(name);
        }
    }
    let metrics = |dir: &Path| fs::read_to_string(dir.join("metrics.jsonl")).map(|text| timeless(&text));
    if metrics(&whole)? != metrics(&resumed)? {
        different.push("metrics.jsonl");
    }
    let kills = counted(killed.len(), "kill");
    if different.is_empty() {
        screen.line(&format!("after {kills} every file has the bytes of the undisturbed run"));
        return Ok(Done::Whole);
    }
    Err(Broken(format!("after {kills} these files differ: {}", different.join(", "))).into())
}

/// This command again, into another folder.
fn command(out: &Path, updates: u64, more: &[&str]) -> anyhow::Result<Command> {
    let program = std::env::current_exe().context("cannot find this program")?;
    let is_ours = |arg: &OsString| {
        let text = arg.to_string_lossy();
        text.starts_with("--verify-resume") || text == "-q" || text == "--quiet"
    };
    let args: Vec<OsString> = std::env::args_os().skip(1).filter(|arg| !is_ours(arg)).collect();
    // Later values win, and behind `--` there are only files.
    let (options, files) = args.split_at(args.iter().position(|arg| arg == "--").unwrap_or(args.len()));
    let mut command = Command::new(program);
    command.args(options).arg("--out").arg(out).args(more);
    command.args(["--set", &format!("train.max_updates={updates}"), "--set", "train.log_every=1u"]);
    command.args(files).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

fn succeed(mut command: Command) -> anyhow::Result<()> {
    let ran = command.output().context("cannot start the training")?;
    if ran.status.success() {
        return Ok(());
    }
    Err(Broken(format!("the training itself failed:\n{}", String::from_utf8_lossy(&ran.stderr).trim_end())).into())
}

/// Kills a training once it has made an update; whether it lived so long.
fn kill_at(mut command: Command, update: u64) -> anyhow::Result<bool> {
    let mut child = command.spawn().context("cannot start the training")?;
    let lines = BufReader::new(child.stderr.take().context("no messages")?).lines();
    let mut lived = false;
    for line in lines {
        let line = line?;
        let at = line.split_once(": Up. ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok());
        if at.is_some_and(|at| at >= update) {
            lived = true;
            break;
        }
    }
    // Not running any more is not an error.
    drop(child.kill());
    let status = child.wait()?;
    Ok(lived && !status.success())
}

/// Lines of metrics without their times.
fn timeless(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| without_times(line).unwrap_or_default()).collect()
}
