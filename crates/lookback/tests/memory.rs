//! What a training says it will take, and what it takes.
#![cfg(target_os = "linux")]
#![allow(clippy::print_stdout, reason = "a process of its own says what it took")]

use std::process::Command;

use lookback::backend::Cpu;
use lookback::config::Config;
use lookback::data::Corpus;
use lookback::train::{Aligned, Event, Initial, Job, Observer, RunOptions, Start, StopFlag, train};

/// Says which configuration the process is to train; a peak is that of a whole process.
const SETTINGS: &str = "LOOKBACK_TEST_SETTINGS";

#[derive(Default)]
struct Heard {
    memory: u64,
    epoch_seconds: f64,
}

impl Observer for Heard {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Ready(ready) = event {
            (self.memory, self.epoch_seconds) = (ready.estimate.memory, ready.estimate.epoch_seconds);
        }
    }
}

/// Pairs of 3 to 20 words out of `words`.
fn corpus(pairs: u64, words: u64) -> Corpus {
    let side = |pair: u64, salt: u64| {
        let word = |i: u64| (pair * 7919 + i * i * 104_729 + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        (0..3 + pair % 18).map(|i| format!("w{}", word(i) % words)).collect::<Vec<_>>().join(" ")
    };
    Corpus::from_pairs((0..pairs).map(|pair| (side(pair, 1), side(pair, 2))))
}

/// Trains over an epoch in this process; the estimate and the peak, in bytes.
#[test]
fn a_training_in_a_process_of_its_own() {
    let Ok(settings) = std::env::var(SETTINGS) else { return };
    let common = ["text.mode=word", "train.max_epochs=1", "train.validate_sentences=64", "train.metric=loss"];
    let sets: Vec<String> = common.into_iter().chain(settings.split(' ')).map(str::to_owned).collect();
    let dir = tempfile::tempdir().expect("a folder");
    let job = Job {
        config: Config::from_layers(&[], &sets).expect("known keys"),
        train: corpus(900, 9_000),
        rest: None,
        tokenizers: None,
        initial: Initial::Random,
        aligned: Aligned::default(),
        valid: corpus(64, 500),
        dir: dir.path().join("run"),
        cpu: Cpu::detect(2),
        start: Start::Fresh,
        options: RunOptions::default(),
    };
    let mut heard = Heard::default();
    train(job, &StopFlag::default(), &mut heard).expect("the training runs");
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux says");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak: u64 = 1024 * peak.expect("a peak").parse::<u64>().expect("a number");
    println!("\nRESULT {} {peak} {}", heard.memory, heard.epoch_seconds);
}

#[test]
#[allow(clippy::cast_precision_loss, reason = "bytes are far below 2⁵²")]
fn a_peak_lies_within_a_quarter_of_its_estimate() {
    for settings in [
        "model.hidden=192 text.vocab_size=3000",
        "model.hidden=192 text.vocab_size=3000 model.attention=none train.ema=0.99",
        "model.hidden=192 text.vocab_size=3000 train.precision=bf16 train.emulate_bf16=true",
        "model.hidden=96 text.vocab_size=9000 train.optimizer=sgd",
        "model.hidden=160 text.vocab_size=2000 model.input_feeding=true model.cell=gru model.attention=concat",
    ] {
        let run = Command::new(std::env::current_exe().expect("a path"))
            .args(["--exact", "a_training_in_a_process_of_its_own", "--nocapture"])
            .env(SETTINGS, settings)
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        let result = said.lines().find_map(|line| line.strip_prefix("RESULT "));
        let numbers: Vec<f64> =
            result.unwrap_or_else(|| panic!("{settings}: {said}")).split(' ').map(|n| n.parse().unwrap()).collect();
        let [estimate, peak, seconds] = numbers[..] else { panic!("{settings}: {said}") };
        assert!((0.75..=1.25).contains(&(peak / estimate)), "{settings}: {peak} bytes, {estimate} were expected");
        assert!(seconds > 0.0 && seconds < 600.0, "{settings}: {seconds}");
    }
}
