//! A training that is killed, starved or disturbed loses nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lookback::train::without_times;
use tempfile::TempDir;

use crate::program::{Ran, command, pairs};

/// A model so small that its updates take no time beside its checkpoints.
const TINY: &str = "train pairs.tsv --out m --set text.mode=char --set model.hidden=8 --set model.embedding=4 --set train.warmup=5 \
    --set train.batch_tokens=300 --set data.hold_out=6 --set search.max_length_ratio=0.0 --set search.max_length_extra=6 \
    --set train.patience=0 --set train.validate_every=7 --set train.validate_metrics=exact --set train.metric=loss --checkpoint-every 1u --threads 1";

fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    dir
}

fn start(dir: &Path, more: &str) -> Child {
    command(dir, format!("{TINY} {more}").split_whitespace()).spawn().unwrap()
}

fn whole(dir: &Path, more: &str) -> Ran {
    start(dir, more).wait_with_output().unwrap().into()
}

fn whole_of(dir: &Path, args: &str) -> Ran {
    command(dir, args.split_whitespace()).output().unwrap().into()
}

/// What a repeated run must have, too: all files but the receipt, without the times of the metrics.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    files_in(&dir.join("m"))
}

fn files_in(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(files_in(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
            continue;
        }
        let mut bytes = fs::read(&path).unwrap();
        if name == "metrics.jsonl" {
            let timeless = String::from_utf8(bytes)
                .unwrap()
                .lines()
                .map(|line| without_times(line).unwrap().to_string())
                .collect::<Vec<_>>();
            bytes = timeless.join("\n").into_bytes();
        }
        if name != "receipt.json" {
            files.insert(name, bytes);
        }
    }
    files
}

/// Numbers below `most` that differ from run to run of the test: what is killed must not matter.
struct Dice(u64);

impl Dice {
    fn new() -> Self {
        let time =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |t| t.as_nanos() as u64);
        Self(time | 1)
    }

    fn below(&mut self, most: u64) -> u64 {
        // Xorshift (Marsaglia 2003).
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// The updates a state says were made.
fn updates_of(state: &Path) -> u64 {
    let bytes = fs::read(state).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let (_, rest) = text.split_once("\\\"update\\\":").unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

/// `make kills` asks for more.
fn kills() -> usize {
    std::env::var("LOOKBACK_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(50)
}

#[allow(clippy::print_stdout, reason = "`make kills` shows how many kills hit what")]
#[test]
fn a_run_killed_at_any_moment_ends_with_the_bytes_of_one_that_was_not() {
    let (dir, other) = (folder(), folder());
    let updates = "--set train.max_updates=1000000";
    let mut dice = Dice::new();
    let (mut killed, mut halves, mut early) = (0, 0, 0);
    while killed < kills() {
        // The first run has no folder yet, and one that is killed before it makes it begins again.
        let more = if dir.path().join("m").exists() { "--resume" } else { "" };
        let threads = format!("--threads {}", 1 + dice.below(3));
        let args = format!("{TINY} {updates} {more}").replace("--threads 1", &threads);
        let mut child = command(dir.path(), args.split_whitespace()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        let written = dir.path().join("m/training.safetensors.tmp");
        if dice.below(2) == 0 {
            // Inside the write of a state, if one comes along.
            let patience = Duration::from_millis(100 + dice.below(200));
            while !written.exists() && begun.elapsed() < patience {
                thread::yield_now();
            }
        } else {
            thread::sleep(Duration::from_millis(dice.below(160)));
        }
        assert!(child.try_wait().unwrap().is_none(), "a run ended by itself after {killed} kills");
        child.kill().unwrap();
        child.wait().unwrap();
        killed += 1;
        halves += usize::from(written.exists());
        early += usize::from(!dir.path().join("m/training.safetensors").exists());
    }
    let made = updates_of(&dir.path().join("m/training.safetensors")) + 5;
    println!("{killed} kills in {made} updates, {halves} inside the write of a state, {early} before the first state");
    assert!(halves > 0 && made > 20, "{halves} kills inside a write, {made} updates");
    whole(dir.path(), &format!("--set train.max_updates={made} --resume")).ok();
    whole(other.path(), &format!("--set train.max_updates={made}")).ok();
    let (got, want) = (contents(dir.path()), contents(other.path()));
    assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
    for (name, bytes) in &want {
        assert!(got[name] == *bytes, "{name} differs after {killed} kills");
    }
}

#[test]
fn a_run_that_keeps_several_models_is_killed_until_it_ends_and_has_them_all() {
    let (dir, other) = (folder(), folder());
    let more = "--set train.max_updates=300 --set train.ema=0.9 --set train.keep_checkpoints=2 --set train.keep_best=exact,accuracy \
        --set train.validate_every=20";
    let args = TINY.replace("--set train.validate_every=7", more);
    whole_of(other.path(), &args).ok();
    let mut dice = Dice::new();
    let mut killed = 0;
    loop {
        let resume = if dir.path().join("m").exists() { "--resume" } else { "" };
        let args = format!("{args} {resume}");
        let mut child = command(dir.path(), args.split_whitespace()).spawn().unwrap();
        // Most runs are long enough for a few updates, and each gets further than the last one on average.
        thread::sleep(Duration::from_millis(30 + 8 * killed + dice.below(120)));
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        if ended.status.success() {
            break;
        }
        assert_eq!(ended.status.code(), None, "not killed: {}", String::from_utf8_lossy(&ended.stderr));
        killed += 1;
        assert!(killed < 200, "it does not come to its end");
    }
    assert!(killed > 0);
    let (got, want) = (contents(dir.path()), contents(other.path()));
    assert!(
        want.keys().any(|name| name.starts_with("best/"))
            && want.keys().any(|name| name.starts_with("checkpoints/300/"))
    );
    assert_eq!(got.keys().collect::<Vec<_>>(), want.keys().collect::<Vec<_>>());
    for (name, bytes) in &want {
        assert!(got[name] == *bytes, "{name} differs after {killed} kills");
    }
}

/// Reads lines until one contains `what`.
fn wait_for(child: &mut Child, what: &str) -> BufReader<std::process::ChildStderr> {
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(what) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "ended without {what:?}");
    }
    lines
}

#[cfg(unix)]
#[test]
fn sigusr1_writes_the_state_and_the_run_goes_on() {
    let dir = folder();
    let args = format!("{TINY} --set train.max_updates=100000 --set train.log_every=1u --set train.validate_every=1h");
    let args = args.replace("--checkpoint-every 1u", "--checkpoint-every 1h");
    let mut child = command(dir.path(), args.split_whitespace()).spawn().unwrap();
    let mut lines = wait_for(&mut child, "Up. 3 ");
    let signal = |name: &str| {
        let kill = format!("kill -{name} {}", child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    };
    signal("USR1");
    let mut said = String::new();
    while !said.contains("as asked") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "{said}");
    }
    // It went on after it.
    let mut later = String::new();
    while !later.contains("Up. ") {
        assert!(lines.read_line(&mut later).unwrap() > 0, "{later}");
    }
    signal("TERM");
    lines.read_to_string(&mut later).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(143), "{later}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_run_and_keeps_the_last_state() {
    let (dir, other) = (folder(), folder());
    whole(dir.path(), "--set train.max_updates=5").ok();
    let state = fs::metadata(dir.path().join("m/training.safetensors")).unwrap().len();
    // No file may become as large as a state; SIGXFSZ is ignored, so that writing fails as it does on a full disk.
    let program = env!("CARGO_BIN_EXE_lookback");
    let blocks = state / 512 - 8;
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec {program} {TINY} --set train.max_updates=20 --resume");
    let ran: Ran = Command::new("sh").args(["-c", &script]).current_dir(dir.path()).output().unwrap().into();
    let said = ran.failed(1);
    assert!(said.contains("cannot write") && said.contains("training.safetensors"), "{said}");
    assert!(!dir.path().join("m/training.safetensors.tmp").exists(), "a half-written file would keep the disk full");
    whole(dir.path(), "--set train.max_updates=20 --resume").ok();
    // The same with a disk that has room: a run validates at its limit, so this one is met, too.
    whole(other.path(), "--set train.max_updates=5").ok();
    whole(other.path(), "--set train.max_updates=20 --resume").ok();
    assert!(contents(dir.path()) == contents(other.path()));
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_is_an_error_that_leaves_it_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    whole(dir.path(), "--set train.max_updates=5").ok();
    let before = contents(dir.path());
    let m = dir.path().join("m");
    let allow = |mode| fs::set_permissions(&m, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o555);
    // Who may do everything is not kept out by permissions.
    let is_kept_out = fs::write(m.join("probe"), "").is_err();
    if is_kept_out {
        let said = whole(dir.path(), "--set train.max_updates=9 --resume").failed(1);
        assert!(said.contains("cannot write"), "{said}");
    }
    allow(0o755);
    drop(fs::remove_file(m.join("probe")));
    assert!(contents(dir.path()) == before);
    // Where a file is to be, nobody can make a folder.
    fs::write(dir.path().join("file"), "").unwrap();
    let ran: Ran =
        command(dir.path(), TINY.replace("--out m", "--out file/m").split_whitespace()).output().unwrap().into();
    assert!(ran.failed(1).contains("cannot write `file/m`"));
}

#[test]
fn data_that_vanish_and_readers_that_leave_do_not_disturb_a_run() {
    let (dir, other) = (folder(), folder());
    let more = "--set train.max_updates=60 --set train.log_every=1u";
    let mut child = start(dir.path(), more);
    drop(wait_for(&mut child, "Up. 2 "));
    fs::remove_file(dir.path().join("pairs.tsv")).unwrap();
    assert!(child.wait().unwrap().success(), "nobody reads what it says, and its corpus is gone");
    whole(other.path(), more).ok();
    assert!(contents(dir.path()) == contents(other.path()));
}

#[test]
fn a_folder_that_vanishes_ends_the_run_with_its_name() {
    let dir = folder();
    let mut child = start(dir.path(), "--set train.max_updates=100000 --set train.log_every=1u");
    let mut lines = wait_for(&mut child, "Up. 2 ");
    fs::rename(dir.path().join("m"), dir.path().join("elsewhere")).unwrap();
    let mut said = String::new();
    lines.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1), "{said}");
    assert!(said.contains("cannot write `m/"), "{said}");
    fs::rename(dir.path().join("elsewhere"), dir.path().join("m")).unwrap();
    whole(dir.path(), "--set train.max_updates=1 --set train.log_every=1u --resume").ok();
}
