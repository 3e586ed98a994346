//! An explanation as one self-contained HTML page.

use std::fmt::Write;

use super::text::{norm, percent, score_equation};
use super::{Explanation, Look, Step, Word};
use crate::view::{escape, visible};

const CSS: &str = "\
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--soft:#767676;--line:#ddd;--bar:#3b6fb6}\
@media(prefers-color-scheme:dark){:root{--ink:#e8e8e8;--paper:#161616;--soft:#9a9a9a;--line:#333;--bar:#6f9fe0}}\
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.4rem}h2{font-size:1.1rem;border-top:1px solid var(--line);padding-top:1rem;margin-top:2rem}\
table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.1rem .8rem .1rem 0;text-align:left;font-weight:normal}\
.n{text-align:right;font-variant-numeric:tabular-nums}.eq{color:var(--soft)}.bar{display:inline-block;height:.7em;background:var(--bar)}\
details{margin:.2rem 0}summary{cursor:pointer}code{overflow-wrap:anywhere;font-size:.8rem}.both{display:flex;gap:3rem;flex-wrap:wrap}";

/// The page, which makes no request: its content security policy forbids any.
#[must_use]
pub fn to_page(explained: &Explanation) -> String {
    let (source, translation) = (text(&explained.source), text(&explained.translation));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{source} → {translation}</title><style>{CSS}</style></head>\n\
         <body><h1><bdi>{source}</bdi> → <bdi>{translation}</bdi></h1>\n<p>{:.2} nats in {} steps.</p>\n",
        explained.log_prob,
        explained.steps.len()
    );
    for (piece, h) in explained.pieces.iter().zip(&explained.encoder_states) {
        vector(&mut out, &format!("h of <bdi>{}</bdi>", text(piece)), h);
    }
    explained.steps.iter().for_each(|step| section(&mut out, explained, step));
    out.push_str("</body></html>\n");
    out
}

fn section(out: &mut String, explained: &Explanation, step: &Step) {
    let (reads, writes) = (text(&step.reads), text(&step.writes));
    push(out, format_args!("<h2>Step {}: reads <bdi>{reads}</bdi>, writes <bdi>{writes}</bdi></h2>\n", step.number));
    vector(out, "s, the state", &step.state);
    if let Some(look) = &step.look {
        looks(out, explained, look);
        vector(out, "a = Σ α h, the attention value", &look.value);
    }
    vector(out, "s̃, the attentional state", &step.attentional);
    out.push_str("<div class=\"both\">");
    words(out, "p = softmax(W_y s̃ + b_y)", &step.words);
    if let Some(blind) = &step.blind {
        words(out, "with a = 0", &blind.words);
        out.push_str("</div>");
        let (with, without) = (percent(step.probability), percent(blind.probability));
        push(out, format_args!("<p>p(<bdi>{writes}</bdi>): {with}; without having looked: {without}.</p>\n"));
    } else {
        out.push_str("</div>\n");
    }
}

fn looks(out: &mut String, explained: &Explanation, look: &Look) {
    push(out, format_args!("<p class=\"eq\">{}, α = softmax(e)", text(&score_equation(explained))));
    if let (Some(p), Some(half)) = (look.centre, explained.model.window_width) {
        push(out, format_args!("; p = {p:.2}, {half} to either side"));
    }
    out.push_str("</p>\n");
    for (scores, weights) in look.scores.iter().zip(&look.weights) {
        out.push_str("<table><tr><th></th><th class=\"n\">e</th><th class=\"n\">α</th><th></th></tr>\n");
        for (piece, (e, alpha)) in explained.pieces.iter().zip(scores.iter().zip(weights)) {
            let (piece, e) = (text(piece), e.map_or_else(|| "outside".to_owned(), |e| format!("{e:.4}")));
            let width = alpha * 12.0;
            push(
                out,
                format_args!(
                    "<tr><td><bdi>{piece}</bdi></td><td class=\"n\">{e}</td><td class=\"n\">{alpha:.4}</td>\
                     <td><span class=\"bar\" style=\"width:{width:.2}rem\"></span></td></tr>\n"
                ),
            );
        }
        out.push_str("</table>\n");
    }
}

fn words(out: &mut String, title: &str, words: &[Word]) {
    push(out, format_args!("<table><tr><th colspan=\"2\" class=\"eq\">{}</th></tr>\n", text(title)));
    for Word { piece, probability } in words {
        let (piece, share) = (text(piece), percent(*probability));
        push(out, format_args!("<tr><td><bdi>{piece}</bdi></td><td class=\"n\">{share}</td></tr>\n"));
    }
    out.push_str("</table>");
}

/// A vector, folded.
fn vector(out: &mut String, name: &str, x: &[f32]) {
    let numbers: Vec<String> = x.iter().map(|v| format!("{v:.4}")).collect();
    push(
        out,
        format_args!(
            "<details><summary>{name} <span class=\"eq\">({} numbers, norm {:.4})</span></summary><code>{}</code></details>\n",
            x.len(),
            norm(x),
            numbers.join(" ")
        ),
    );
}

fn text(raw: &str) -> String {
    escape(&visible(raw))
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "a String takes whatever is written");
}
