//! Decoding of a fixed size, for comparisons: the model of the reference step, sources of S = 16 positions, exactly 20 steps.
//!
//! V = 8000 on both sides, E = H = 512; a bidirectional LSTM of 256 per direction, an LSTM of 512 started from its final states, dot attention, W_c 1024 → 512 and
//! tanh, 512 → 8000. Weights are as they start: what is said means nothing, and takes as long as if it did.
//!
//! `cargo run --release -p lookback --example reference_decoding -- [--interactive] [--threads N] [--batch B] [--beam K] [--weights f32|int8]`
//!
//! Interactive: every line `step N` on standard input decodes N batches and prints a JSON list of their milliseconds.

use std::io::{BufRead, Write};
use std::time::Instant;

use lookback::backend::{Cpu, Purpose};
use lookback::config::Config;
use lookback::data::Batch;
use lookback::model::Seq2Seq;
use lookback::params::Params;
use lookback::search::{SearchOptions, search};
use lookback::stored::{Storage, Stored};
use lookback::tape::Tape;
use lookback::text::{TextMode, TokenizerSpec, Tokenizers};

const LENGTH: u32 = 16;
const STEPS: usize = 20;
const VOCABULARY: usize = 8000;

/// A source of ordinary ids, its end not counted.
fn source(b: u32, salt: u32) -> Vec<u32> {
    (1..LENGTH).map(|t| 4 + (b * 7919 + t * 104_729 + salt * 15_485_863) % (VOCABULARY as u32 - 4)).collect()
}

/// As many words as the vocabulary has room for.
fn tokenizers() -> Result<Tokenizers, Box<dyn std::error::Error>> {
    let spec = TokenizerSpec { mode: TextMode::Word, vocab_size: VOCABULARY, ..TokenizerSpec::default() };
    let words: Vec<String> = (0..VOCABULARY).map(|i| format!("w{i}")).collect();
    Ok(Tokenizers::train(&spec, [words.join(" ").as_str()], [""])?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let value = |flag: &str| args.iter().position(|a| a == flag).and_then(|i| args.get(i + 1)).map(String::as_str);
    let number = |flag: &str, default: usize| value(flag).map_or(Ok(default), str::parse);
    let (threads, batch, beam) = (number("--threads", 2)?, number("--batch", 1)?, number("--beam", 1)?);
    let storage = match value("--weights") {
        None | Some("int8") => Storage::Int8,
        Some("f32") => Storage::F32,
        Some(other) => return Err(format!("--weights {other}: f32 or int8").into()),
    };
    let sets = ["model.hidden=512", "model.embedding=512", "model.dropout=0.0"].map(str::to_owned);
    let config = Config::from_layers(&[], &sets)?;
    let cpu = Cpu::<f32>::detect(threads);
    let (model, specs) = Seq2Seq::new(&config.model, VOCABULARY, VOCABULARY);
    let stored: Vec<Stored> =
        (0..).zip(&specs).map(|(place, spec)| Stored::new(spec, &spec.initial(1, place), storage)).collect();
    let mut params = Params::from_stored(&cpu, specs, &stored);
    params.prepare(&cpu, Purpose::Decode);
    let tokenizers = tokenizers()?;
    assert_eq!(tokenizers.tgt.vocab_size(), VOCABULARY);
    let mut options = SearchOptions::default();
    // No end before the last step, and there the limit.
    let ratio = STEPS as f64 / f64::from(LENGTH - 1);
    (options.config.beam_size, options.config.min_length_ratio) = (beam, ratio);
    (options.config.max_length_ratio, options.config.max_length_extra) = (ratio, 0);
    let mut tape = Tape::new();
    let mut salt = 0;
    let mut step = || -> Result<f64, Box<dyn std::error::Error>> {
        salt += 1;
        let sources: Vec<Vec<u32>> = (0..batch as u32).map(|b| source(b, salt)).collect();
        let start = Instant::now();
        let found =
            search(&cpu, &params, &mut tape, &model, &tokenizers.tgt, &Batch::from_sources(&sources), &options)?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        assert!(found.iter().all(|found| found[0].ids.len() == STEPS), "every hypothesis takes {STEPS} steps");
        Ok(ms)
    };
    let mut out = std::io::stdout().lock();
    if args.iter().any(|a| a == "--interactive") {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let Some(count) = line.strip_prefix("step ") else { continue };
            let times = (0..count.trim().parse::<usize>()?).map(|_| step()).collect::<Result<Vec<f64>, _>>()?;
            let times: Vec<String> = times.iter().map(|ms| format!("{ms:.3}")).collect();
            writeln!(out, "[{}]", times.join(", "))?;
            out.flush()?;
        }
        return Ok(());
    }
    for _ in 0..10 {
        step()?;
    }
    let mut times = (0..100).map(|_| step()).collect::<Result<Vec<f64>, _>>()?;
    times.sort_by(f64::total_cmp);
    let middle = times[times.len() / 2];
    let sentences = batch as f64 / middle * 1e3;
    writeln!(
        out,
        "{middle:.3} ms a batch ({:.3}–{:.3}), {sentences:.0} sentences/s",
        times[0],
        times[times.len() - 1]
    )?;
    Ok(())
}
