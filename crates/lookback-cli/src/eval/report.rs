//! Scores of a corpus and of its lines, as text and as JSON.

use std::io::{self, Write};

use lookback::eval::{AttentionHealth, ExactMatch};
use serde_json::{Map, Value, json};

use super::args::MetricName;
use super::measures::Measured;

/// A line for each measure, as sacreBLEU writes them.
pub(super) fn text(all: &[Measured], out: &mut impl Write) -> io::Result<()> {
    for measured in all {
        if let Some(exact) = exact(measured) {
            writeln!(out, "{exact}")?;
            continue;
        }
        write!(out, "{}|{} = {:.2}", measured.measure.metric.name(), measured.signature(), measured.score())?;
        writeln!(out, "{}", measured.details().map_or_else(String::new, |details| format!(" {details}")))?;
    }
    Ok(())
}

/// A line of how the model looked.
pub(super) fn attention_text(health: &AttentionHealth, out: &mut impl Write) -> io::Result<()> {
    let (entropy, deviation, absent) = (health.entropy(), health.coverage_deviation(), health.absentmindedness());
    let diagonal = health.diagonality().map(|diagonal| format!(" diagonality = {diagonal:.2}")).unwrap_or_default();
    writeln!(
        out,
        "Attention: entropy = {entropy:.2} nats coverage deviation = {deviation:.2} absent-mindedness = {absent:.2}{diagonal}"
    )
}

/// The same as an object.
pub(super) fn attention_json(health: &AttentionHealth) -> Value {
    Value::Object(health.named().into_iter().map(|(name, number)| (name.to_owned(), json!(number))).collect())
}

/// sacreBLEU's objects under `metrics`; the first of them, BLEU and exact match once more at the top.
pub(super) fn json(all: &[Measured], sentences: usize) -> Map<String, Value> {
    let objects: Vec<Map<String, Value>> = all.iter().map(object).collect();
    let mut report = Map::new();
    if let Some(first) = objects.first() {
        for key in ["name", "score", "signature", "verbose_score"] {
            report.extend(first.get(key).map(|value| (key.to_owned(), value.clone())));
        }
    }
    for measured in all {
        let (key, score, signature) = (measured.measure.key(), measured.score(), measured.signature());
        if let Some(exact) = exact(measured) {
            report.insert("exact_match".into(), json!(exact.share()));
            continue;
        }
        report.insert(key.into(), json!({ "score": score, "signature": signature }));
    }
    for measured in all {
        if let (Some(settings), Some(Value::Object(bleu))) = (measured.measure.bleu, report.get_mut("bleu")) {
            let parts = settings.bleu(&measured.sums, measured.statistics.references());
            bleu.extend([
                ("precisions".to_owned(), json!(parts.precisions)),
                ("brevity_penalty".to_owned(), json!(parts.brevity_penalty)),
                ("hyp_len".to_owned(), json!(parts.hyp_len)),
                ("ref_len".to_owned(), json!(parts.ref_len)),
            ]);
        }
    }
    report.insert("sentences".into(), json!(sentences));
    report.insert("metrics".into(), json!(objects));
    report
}

/// One score as sacreBLEU writes it: name, score, signature and its parts.
fn object(measured: &Measured) -> Map<String, Value> {
    let signature = measured.signature();
    let mut object = Map::new();
    object.insert("name".into(), json!(measured.measure.metric.name()));
    object.insert("score".into(), json!(measured.score()));
    object.insert("signature".into(), json!(signature));
    object.extend(measured.details().map(|details| ("verbose_score".to_owned(), json!(details))));
    for part in signature.split('|') {
        if let Some((key, value)) = part.split_once(':') {
            object.insert(key.to_owned(), json!(value));
        }
    }
    object
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the sums are counts of sentences")]
fn exact(measured: &Measured) -> Option<ExactMatch> {
    let sums = &measured.sums;
    (measured.measure.name == MetricName::Exact)
        .then(|| ExactMatch { matched: sums[0] as usize, total: sums[1] as usize })
}

/// A line for each sentence: its number from 1 and its scores, separated by tabs, or JSON Lines.
pub(super) fn sentences(all: &[Measured], json: bool, out: &mut impl Write) -> io::Result<()> {
    if !json {
        let names: Vec<String> = all.iter().map(|measured| measured.measure.metric.name()).collect();
        writeln!(out, "line\t{}", names.join("\t"))?;
    }
    let mut rows: Vec<_> = all.iter().map(|measured| measured.statistics.rows()).collect();
    for line in 1..=all.first().map_or(0, |measured| measured.statistics.sentences()) {
        let scores = rows.iter_mut().zip(all).map(|(rows, measured)| {
            let score = rows.next().map_or(0.0, |row| measured.measure.metric.score(row));
            (measured.measure.key(), score)
        });
        if json {
            let mut object = Map::from_iter([("line".to_owned(), json!(line))]);
            object.extend(scores.map(|(key, score)| (key.to_owned(), json!(score))));
            writeln!(out, "{}", Value::Object(object))?;
        } else {
            let scores: Vec<String> = scores.map(|(_, score)| format!("{score:.2}")).collect();
            writeln!(out, "{line}\t{}", scores.join("\t"))?;
        }
    }
    Ok(())
}
