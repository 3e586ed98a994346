//! The table as a document, `docs/combinations.md`.

use std::fmt::Write;
use std::path::PathBuf;

use crate::space::{Choice, Combination, DIMENSIONS, RULES, Space, choices};

/// Set, it makes the test write the document anew.
pub(crate) const VARIABLE: &str = "LOOKBACK_REWRITE";

pub(crate) fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/combinations.md")
}

/// The document of what was `tried`; `reasons` are what the program says of each rule.
pub(crate) fn text(space: &Space, tried: &[Combination], reasons: &[String]) -> String {
    let mut text = format!(
        "# What combines with what\n\n\
         Written by a test, which fails where this page and the program differ; `{VARIABLE}=1 cargo test -p lookback --test combinations` writes it anew.\n\n\
         The test trains {} small models for three updates, saves and loads each, translates with it, and compares the step-by-step search with a reading of the\n\
         whole translation: log-probabilities and attention weights, also after conversion to 8 bits and to bfloat16 (saved and loaded for every fourth). Scores, heads, windows, orders, input feeding, bridges and the\n\
         decoder's cells meet in every way that may be. The other choices are spread over these models so that every pair of values that may combine is met.\n\n\
         | choice | values | keys |\n|---|---|---|\n",
        tried.len()
    );
    for dimension in &DIMENSIONS {
        let values: Vec<&str> = dimension.values.iter().map(|value| value.name).collect();
        let mut keys: Vec<&str> = Vec::new();
        for set in dimension.values.iter().flat_map(|value| value.sets) {
            let key = set.split_once('=').expect("key=value").0;
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        _ = writeln!(text, "| {} | {} | `{}` |", dimension.name, values.join(" · "), keys.join("` `"));
    }
    text.push_str(
        "\nAn arrow leads from the encoder to the decoder.\n\n## Pairs\n\n\
         Columns are numbered as rows. A dot: both were in one model that passed. A letter: refused, for the reason below.\n\n```text\n",
    );
    text.push_str(&matrix(space, tried));
    text.push_str("```\n\n## Refused\n\n| | one | other | what is said, beginning with the key |\n|---|---|---|---|\n");
    for ((letter, rule), reason) in ('a'..).zip(&RULES).zip(reasons) {
        let side = |(name, values): (&str, &[&str])| format!("{name}: {}", values.join(" · "));
        _ = writeln!(text, "| {letter} | {} | {} | {reason} |", side(rule.one), side(rule.other));
    }
    text
}

/// Values beside values, below the diagonal.
fn matrix(space: &Space, tried: &[Combination]) -> String {
    let all = choices();
    let label = |&(d, v): &Choice| format!("{} {}", DIMENSIONS[d].name, DIMENSIONS[d].values[v].name);
    let width = all.iter().map(|c| label(c).chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for digit in [10, 1] {
        let digits: String = (1..=all.len()).map(|n| char::from(b'0' + (n / digit % 10) as u8)).collect();
        _ = writeln!(text, "{:width$}    {digits}", "");
    }
    for (row, &a) in all.iter().enumerate() {
        let met = |b: Choice| tried.iter().any(|c| c[a.0] == a.1 && c[b.0] == b.1);
        let cells: String = all[..row]
            .iter()
            .map(|&b| match space.refusal(a, b) {
                Some(rule) => ('a'..).nth(rule).expect("a letter"),
                None if a.0 == b.0 => ' ',
                None => {
                    if met(b) {
                        '·'
                    } else {
                        '?'
                    }
                }
            })
            .collect();
        _ = writeln!(text, "{}", format!("{:width$} {:>2} {cells}", label(&a), row + 1).trim_end());
    }
    text
}
