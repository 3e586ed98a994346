//! An explanation as text: tables that follow the equations.

use std::fmt::Write;

use unicode_width::UnicodeWidthStr;

use super::{Explanation, Look, Step, Word};
use crate::config::{AttentionKind, DecoderOrder, WindowKind};
use crate::view::{fit, visible};

/// Longest piece in a table, in columns of a terminal.
const LONGEST: usize = 16;
/// Longest bar.
const BAR: usize = 20;
/// Numbers of a vector that are written out.
const SHOWN: usize = 4;

/// What was translated, by what kind of model.
#[must_use]
pub fn head(explained: &Explanation) -> String {
    let Explanation { source, translation, log_prob, steps, .. } = explained;
    let (source, translation) = (visible(source), visible(translation));
    format!("{source} → {translation}   {log_prob:.2} nats in {} steps\n", steps.len())
}

/// The step as a table; `step` is one of those of `explained`.
#[must_use]
pub fn step(explained: &Explanation, step: &Step) -> String {
    let mut out = String::new();
    let (reads, writes) = (visible(&step.reads), visible(&step.writes));
    line(
        &mut out,
        format_args!("step {}: reads {reads}, writes {writes} ({})", step.number, percent(step.probability)),
    );
    let before = explained.model.decoder == DecoderOrder::Bahdanau;
    if let (true, Some(look)) = (before, &step.look) {
        looks(&mut out, explained, look);
    }
    vector(&mut out, state_equation(explained), &step.state);
    if let (false, Some(look)) = (before, &step.look) {
        looks(&mut out, explained, look);
    }
    let joined = match (&step.look, before) {
        (None, _) => "s̃ = tanh(W_c s + b_c)",
        (_, false) => "s̃ = tanh(W_c [a; s] + b_c)",
        (_, true) => "s̃ = tanh(W_c [a; s; y] + b_c)",
    };
    vector(&mut out, joined, &step.attentional);
    words(&mut out, step);
    out
}

/// How the state of a step comes about.
fn state_equation(explained: &Explanation) -> &'static str {
    match (explained.model.decoder, explained.model.input_feeding) {
        (DecoderOrder::Bahdanau, _) => "s = cell([y; a], s before)",
        (DecoderOrder::Luong, true) => "s = cell([y; s̃ before], s before)",
        (DecoderOrder::Luong, false) => "s = cell(y, s before)",
    }
}

/// How a score comes about.
pub(super) fn score_equation(explained: &Explanation) -> String {
    let score = match explained.model.attention {
        AttentionKind::Dot => "e = s·h",
        AttentionKind::ScaledDot => "e = s·h / √d",
        AttentionKind::General => "e = s·W h",
        AttentionKind::Concat => "e = v·tanh(W_s s + W_h h + b)",
        AttentionKind::Location => "e = W_a s",
        AttentionKind::None => "",
    };
    let gauss = if explained.model.window == WindowKind::LocalP { " − (i − p)²/2σ²" } else { "" };
    format!("{score}{gauss}")
}

/// Scores, weights and the value they select.
fn looks(out: &mut String, explained: &Explanation, look: &Look) {
    line(out, format_args!("  {}, α = softmax(e)", score_equation(explained)));
    if let (Some(p), Some(half)) = (look.centre, explained.model.window_width) {
        line(out, format_args!("    p = S·sigmoid(v·tanh(W_p s)) = {p:.2}, {half} to either side"));
    }
    let pieces: Vec<String> = explained.pieces.iter().map(|p| fit(&visible(p), LONGEST).into_owned()).collect();
    let widest = pieces.iter().map(|piece| piece.width()).max().unwrap_or(0);
    for (head, (scores, weights)) in look.scores.iter().zip(&look.weights).enumerate() {
        if look.scores.len() > 1 {
            line(out, format_args!("    head {}", head + 1));
        }
        for (i, (piece, (e, alpha))) in pieces.iter().zip(scores.iter().zip(weights)).enumerate() {
            let pad = " ".repeat(widest - piece.width());
            let e = e.map_or_else(|| "outside".to_owned(), |e| format!("{e:.4}"));
            line(out, format_args!("    {i:>3} {piece}{pad}  e {e:>9}  α {alpha:.4} {}", bar(f64::from(*alpha))));
        }
    }
    vector(out, "a = Σ α h", &look.value);
}

/// The most probable words, beside those of the step that has not looked.
fn words(out: &mut String, step: &Step) {
    line(
        out,
        format_args!("  p = softmax(W_y s̃ + b_y){}", if step.blind.is_some() { "             with a = 0" } else { "" }),
    );
    let cell = |word: Option<&Word>| {
        word.map_or_else(String::new, |word| {
            let piece = fit(&visible(&word.piece), LONGEST).into_owned();
            format!("{piece}{} {:>7}", " ".repeat(LONGEST.saturating_sub(piece.width())), percent(word.probability))
        })
    };
    let blind = step.blind.as_ref().map_or(&[][..], |blind| &blind.words);
    for (i, word) in step.words.iter().enumerate() {
        let text = format!("    {:>3} {}       {}", i + 1, cell(Some(word)), cell(blind.get(i)));
        line(out, format_args!("{}", text.trim_end()));
    }
    if let Some(blind) = &step.blind {
        let (with, without) = (percent(step.probability), percent(blind.probability));
        line(out, format_args!("  p({}): {with}, without having looked {without}", visible(&step.writes)));
    }
}

/// A vector: its length, its first numbers and its size.
fn vector(out: &mut String, equation: &str, x: &[f32]) {
    let numbers: Vec<String> = x.iter().take(SHOWN).map(|v| format!("{v:.4}")).collect();
    let more = if x.len() > SHOWN { " …" } else { "" };
    line(out, format_args!("  {equation}\n    {}{more}   {} numbers, norm {:.4}", numbers.join(" "), x.len(), norm(x)));
}

pub(super) fn norm(x: &[f32]) -> f64 {
    x.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt()
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a short bar")]
fn bar(share: f64) -> String {
    "█".repeat((share * BAR as f64).round() as usize)
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let text = text.to_string();
    let written = writeln!(out, "{}", text.trim_end());
    debug_assert!(written.is_ok(), "a String takes whatever is written");
}
