//! The reference step: one training step of a fixed size, for comparisons.
//!
//! B = 64 sentences, S = T = 16, V = 8000 on both sides, E = H = 512; a bidirectional LSTM of 256 per direction, an LSTM of 512 started from its final states,
//! dot attention, W_c 1024 → 512 and tanh, 512 → 8000; mean cross-entropy, gradient norm clipped to 1, Adam, no dropout.
//!
//! `cargo run --release -p lookback --example reference_step -- [--interactive] [--threads N] [--feed] [--bf16]`
//!
//! With `--feed` the attentional state is fed back, with `--bf16` the operands of products are rounded to bfloat16.
//!
//! Interactive: every line `step N` on standard input runs N steps and prints a JSON list of their milliseconds.

use std::io::{BufRead, Write};
use std::time::Instant;

use lookback::backend::{Cpu, Products, Purpose};
use lookback::config::Config;
use lookback::data::{Batch, Example};
use lookback::model::Seq2Seq;
use lookback::params::{Gradients, Params};
use lookback::tape::{Graph, Recording, Tape};
use lookback::train::Optimizer;

const BATCH: usize = 64;
const LENGTH: usize = 16;
const VOCABULARY: u32 = 8000;

/// A sentence of ordinary ids that fills its row together with its end.
fn sentence(b: u32, salt: u32) -> Vec<u32> {
    (1..LENGTH as u32).map(|t| 4 + (b * 7919 + t * 104_729 + salt * 15_485_863) % (VOCABULARY - 4)).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let has = |flag: &str| args.iter().any(|a| a == flag);
    let threads =
        args.iter().position(|a| a == "--threads").and_then(|i| args.get(i + 1)).map_or(Ok(2), |n| n.parse())?;
    let sets = ["model.hidden=512", "model.embedding=512", "model.dropout=0.0"].map(str::to_owned);
    let mut config = Config::from_layers(&[], &sets)?;
    config.model.input_feeding = has("--feed");
    let products = if has("--bf16") { Products::Bf16 } else { Products::Full };
    let cpu = Cpu::<f32>::detect(threads).with_products(products);
    let (model, specs) = Seq2Seq::new(&config.model, VOCABULARY as usize, VOCABULARY as usize);
    let mut params = Params::init(&cpu, specs, 1);
    let mut gradients = Gradients::zeros(&cpu, &params);
    let mut optimizer = Optimizer::new(&cpu, params.specs(), &config.train);
    let mut tape = Tape::new();
    let examples: Vec<Example> =
        (0..BATCH as u32).map(|b| Example { src: sentence(b, 1), tgt: sentence(b, 2), line: u64::from(b) }).collect();
    let batch = Batch::new(examples.iter());
    let mut step = || {
        let start = Instant::now();
        params.prepare(&cpu, Purpose::Train);
        gradients.clear(&cpu);
        tape.reset();
        let mut graph = Graph::training(&cpu, &params, &mut tape, &mut gradients, Recording::Deterministic);
        let loss = model.loss(&mut graph, &batch, 0.0);
        graph.backward();
        optimizer.step(&cpu, &mut params, &mut gradients, 1e-3, loss.tokens);
        (start.elapsed().as_secs_f64() * 1e3, loss.nll / loss.tokens as f64)
    };
    let mut out = std::io::stdout().lock();
    if has("--interactive") {
        for line in std::io::stdin().lock().lines() {
            let line = line?;
            let Some(count) = line.strip_prefix("step ") else { continue };
            let times: Vec<String> = (0..count.trim().parse::<usize>()?).map(|_| format!("{:.3}", step().0)).collect();
            writeln!(out, "[{}]", times.join(", "))?;
            out.flush()?;
        }
        return Ok(());
    }
    for i in 0..15 {
        let (ms, loss) = step();
        writeln!(out, "step {i}: {ms:.1} ms, {loss:.4} nats per token")?;
    }
    Ok(())
}
