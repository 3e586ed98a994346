//! Scores what stands on standard input, a request per line in JSON, and answers in JSON: the other half of `bench/metrics.py`.
//!
//! ```text
//! {"metric": "CHRF", "options": {"word_order": 2}, "hyps": ["a b"], "refs": [["a c", "b"]]}
//!     → {"score": …, "line": "chrF2++|nrefs:2|… = …", "sentences": [score of each line alone]}
//! {"test": "bs", "samples": 1000, "seed": 12345, "metric": …, "options": …, "systems": [baseline, system, …], "refs": …}
//!     → [{"score": …, "mean": …, "ci": …, "p_value": …}, …]
//! ```

mod settings;

use std::io::{self, BufRead, BufWriter, Write};

use lookback::eval::{PairedTest, Pool, Sampling, Statistics, compare};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use settings::AnyMetric;

#[derive(Deserialize)]
struct Request {
    metric: String,
    options: Map<String, Value>,
    refs: Vec<Vec<String>>,
    #[serde(flatten)]
    what: What,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum What {
    Score { hyps: Vec<String> },
    Compare { test: String, samples: usize, seed: u64, systems: Vec<Vec<String>> },
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pool = Pool::new(0);
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let any = AnyMetric::read(&request.metric, &request.options)?;
        let count = |hyps: &[String]| Statistics::collect(any.metric(), hyps, &request.refs, &pool);
        let answer = match &request.what {
            What::Score { hyps } => {
                let statistics = count(hyps)?;
                let sentences: Vec<f64> = statistics.rows().map(|row| any.metric().score(row)).collect();
                let sums = statistics.sums();
                let line = any.line(&sums, statistics.references());
                json!({ "score": any.metric().score(&sums), "line": line, "sentences": sentences })
            }
            What::Compare { test, samples, seed, systems } => {
                let test = if test == "bs" { PairedTest::Bootstrap } else { PairedTest::Randomization };
                let systems = systems.iter().map(|hyps| count(hyps)).collect::<Result<Vec<_>, _>>()?;
                let lines = compare(any.metric(), &systems, test, Sampling { samples: *samples, seed: *seed }, &pool)?;
                let line = |line: &lookback::eval::Compared| {
                    let interval = line.interval;
                    json!({
                        "score": line.score,
                        "mean": interval.map(|interval| interval.mean),
                        "ci": interval.map(|interval| interval.half_width),
                        "p_value": line.p_value,
                    })
                };
                lines.iter().map(line).collect()
            }
        };
        writeln!(out, "{answer}")?;
    }
    out.flush()?;
    Ok(())
}
