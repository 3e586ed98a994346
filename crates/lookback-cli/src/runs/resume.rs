//! `lookback train --verify-resume`: kills a training at random updates, resumes it, and compares it with one that was not disturbed.

use std::collections::{BTreeMap, BTreeSet};
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
const KILLS: u64 = 3;
/// States that are written in all.
const STATES: u64 = 10;
/// What a resumed training says of where it goes on.
const RESUMED: &str = "resumed after update ";

/// Checks over so many updates that this command resumes exactly. Unless it `has_period`, states are written ten times.
pub(crate) fn verify_resume(updates: u64, has_period: bool, common: Common) -> anyhow::Result<Done> {
    let mut screen = Screen::new(common);
    let dir = tempfile::Builder::new().prefix("lookback-resume-").tempdir()?;
    let run = |name: &str, more: &[&str]| command(&dir.path().join(name), updates, has_period, more);
    screen.line(&format!("training for {}, undisturbed", counted(usize::try_from(updates)?, "update")));
    finish(run("whole", &[])?)?;
    // Each in a part of its own, so that they do not all come before the first state.
    let part = (updates / KILLS).max(1);
    let at: BTreeSet<u64> =
        (0..KILLS).map(|kill| (1 + kill * part + RandomState::new().hash_one(kill) % part).min(updates - 1)).collect();
    let (mut kills, mut furthest) = (0, 0);
    let mut tell_resumed = |screen: &mut Screen, from: Option<u64>| {
        if let Some(update) = from {
            screen.line(&format!("resumed after update {update}"));
            // One that had ended goes nowhere.
            furthest = furthest.max(if update < updates { update } else { 0 });
        }
    };
    for update in at {
        let more: &[&str] = if kills == 0 { &[] } else { &["--resume"] };
        let Life { was_killed, resumed_after } = kill_at(run("killed", more)?, update)?;
        tell_resumed(&mut screen, resumed_after);
        if was_killed {
            screen.line(&format!("killed at update {update}"));
            kills += 1;
        }
    }
    anyhow::ensure!(kills > 0, "no run lived long enough to be killed; ask for more updates");
    let resumed_after = finish(run("killed", &["--resume"])?)?;
    tell_resumed(&mut screen, resumed_after);
    let kills = counted(kills, "kill");
    let different = different(&dir.path().join("whole"), &dir.path().join("killed"))?;
    if !different.is_empty() {
        return Err(Broken(format!("after {kills} these files differ: {}", different.join(", "))).into());
    }
    if furthest == 0 {
        let why = "no kill came behind a state with updates, so that none was resumed; give --checkpoint-every, or more updates";
        return Err(Broken(why.into()).into());
    }
    screen.line(&format!("after {kills} every file has the bytes of the undisturbed run"));
    Ok(Done::Whole)
}

/// The files of two runs that differ, folders within included, but for what the clock decides: receipts, event files, times of metrics.
fn different(whole: &Path, resumed: &Path) -> anyhow::Result<Vec<String>> {
    let [whole, resumed] = [contents(whole)?, contents(resumed)?];
    let names: BTreeSet<&String> = whole.keys().chain(resumed.keys()).collect();
    Ok(names.into_iter().filter(|name| whole.get(*name) != resumed.get(*name)).cloned().collect())
}

/// What is in the files of a run, by name.
fn contents(dir: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).with_context(|| format!("cannot read `{}`", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(contents(&path)?.into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else if name == "metrics.jsonl" {
            let timeless = fs::read_to_string(&path)?.lines().map(without_times).collect::<Result<Vec<_>, _>>()?;
            files.insert(name, serde_json::to_vec(&timeless)?);
        } else if name != "receipt.json" && !name.contains(".tfevents.") {
            files.insert(name, fs::read(&path)?);
        }
    }
    Ok(files)
}

/// This command again, into another folder.
fn command(out: &Path, updates: u64, has_period: bool, more: &[&str]) -> anyhow::Result<Command> {
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
    if !has_period {
        // As often as a long run has states, so that most kills come behind one.
        command.args(["--set", &format!("train.checkpoint_every={}u", (updates / STATES).max(1))]);
    }
    command.args(files).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

/// Lets a training come to its end; the update after which it went on, if it did.
fn finish(mut command: Command) -> anyhow::Result<Option<u64>> {
    let ran = command.output().context("cannot start the training")?;
    let said = String::from_utf8_lossy(&ran.stderr);
    if ran.status.success() {
        return Ok(said.lines().find_map(resumed_after));
    }
    Err(Broken(format!("the training itself failed:\n{}", said.trim_end())).into())
}

/// What became of a training that was to be killed.
struct Life {
    was_killed: bool,
    resumed_after: Option<u64>,
}

/// Kills a training once it has made an update.
fn kill_at(mut command: Command, update: u64) -> anyhow::Result<Life> {
    let mut child = command.spawn().context("cannot start the training")?;
    let lines = BufReader::new(child.stderr.take().context("no messages")?).lines();
    let (mut lived, mut resumed) = (false, None);
    for line in lines {
        let line = line?;
        resumed = resumed.or(resumed_after(&line));
        let at = line.split_once(": Up. ").and_then(|(_, rest)| rest.split(' ').next()?.parse::<u64>().ok());
        if at.is_some_and(|at| at >= update) {
            lived = true;
            break;
        }
    }
    // Not running any more is not an error.
    drop(child.kill());
    let status = child.wait()?;
    Ok(Life { was_killed: lived && !status.success(), resumed_after: resumed })
}

/// The update that a line says a training was resumed after.
fn resumed_after(line: &str) -> Option<u64> {
    line.split_once(RESUMED)?.1.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_differs_anywhere_is_named_and_times_and_receipts_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let [whole, resumed] = ["whole", "resumed"].map(|name| dir.path().join(name));
        let write = |dir: &Path, name: &str, text: &str| {
            let path = dir.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (dir, time) in [(&whole, 1), (&resumed, 2)] {
            write(dir, "metrics.jsonl", &format!("{{\"update\":1,\"seconds\":{time}}}\n"));
            write(dir, "receipt.json", &time.to_string());
            write(dir, "events.out.tfevents.1.lookback.v2", &time.to_string());
            write(dir, "best/bleu/model.safetensors", "model");
            write(dir, "checkpoints/4/model.safetensors", "model");
        }
        assert!(different(&whole, &resumed).unwrap().is_empty());
        write(&resumed, "best/bleu/model.safetensors", "mode1");
        write(&resumed, "checkpoints/4/model.safetensors.tmp", "m");
        fs::remove_file(whole.join("checkpoints/4/model.safetensors")).unwrap();
        write(&whole, "metrics.jsonl", "{\"update\":2,\"seconds\":1}\n");
        let want = [
            "best/bleu/model.safetensors",
            "checkpoints/4/model.safetensors",
            "checkpoints/4/model.safetensors.tmp",
            "metrics.jsonl",
        ];
        assert_eq!(different(&whole, &resumed).unwrap(), want);
        assert_eq!(resumed_after("2026-11-29 08:00:00 resumed after update 12"), Some(12));
    }
}
