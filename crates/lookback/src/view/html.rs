//! One self-contained HTML page: sentences whose words light up where the decoder looked.
//!
//! The page makes no request; its content security policy forbids any. Text reaches it in two ways only: escaped into the
//! heading, and as JSON in a data block, from which the script sets text content, never markup. Weights are rounded to
//! ten-thousandths: the page is for eyes, [`write_jsonl`](super::write_jsonl) keeps every digit.

use serde::Serialize;

use super::{
    AttentionMap,
    label::{escape, visible},
};

const TEMPLATE: &str = include_str!("page.html");
/// Colours, typefaces and heading, those of every page.
pub(crate) const BASE: &str = include_str!("base.css");
const CSS: &str = include_str!("page.css");
const JS: &str = include_str!("page.js");

/// A self-contained HTML page of attention maps, in light and dark, for every script.
///
/// # Examples
/// ```
/// # use lookback::view::{AttentionMap, Page, Side};
/// # let side = |text: &str| Side { text: text.into(), tokens: vec![text.into(), "</s>".into()], words: vec![] };
/// # let map = AttentionMap::new(0, side("Tür"), side("door"), vec![0.9, 0.1, 0.2, 0.8], -0.3)?;
/// let html = Page::new("German to English").fact("BLEU", "31.2").render(&[map]);
/// assert!(html.starts_with("<!doctype html>"));
/// # Ok::<(), lookback::view::ViewError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    title: String,
    facts: Vec<(String, String)>,
}

impl Page {
    /// A page with this heading.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), facts: Vec::new() }
    }

    /// The same page with one more fact under the heading, such as `BLEU` and `31.2`.
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.facts.push((name.into(), value.into()));
        self
    }

    /// The page as one HTML document. Neighbouring maps of the same source line become one sentence with a choice of hypotheses.
    #[must_use]
    pub fn render(&self, maps: &[AttentionMap]) -> String {
        let title = escape(&visible(&self.title));
        let (facts, css, data) = (facts(&self.facts), format!("{BASE}\n{CSS}"), data_block(maps));
        fill(TEMPLATE, &[("title", &title), ("facts", &facts), ("css", &css), ("js", JS), ("data", &data)])
    }
}

/// Facts under a heading, as a list; nothing if there is none.
pub(crate) fn facts(facts: &[(String, String)]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let item = |(name, value): &(String, String)| {
        format!("<div><dt>{}</dt><dd dir=\"auto\">{}</dd></div>\n", escape(&visible(name)), escape(&visible(value)))
    };
    format!("<dl class=\"facts\">\n{}</dl>\n", facts.iter().map(item).collect::<String>())
}

/// A template with its placeholders, `{{name}}`, filled.
///
/// # Panics
/// If it names what is not among `parts`.
pub(crate) fn fill(template: &str, parts: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(template.len() + parts.iter().map(|(_, text)| text.len()).sum::<usize>());
    // One pass over the template, so that a placeholder inside somebody's text stays text.
    let mut rest = template;
    while let Some((before, (name, after))) =
        rest.split_once("{{").and_then(|(before, tail)| Some((before, tail.split_once("}}")?)))
    {
        out.push_str(before);
        let part = parts.iter().find(|(known, _)| *known == name);
        out.push_str(part.unwrap_or_else(|| panic!("the template names `{name}`")).1);
        rest = after;
    }
    out.push_str(rest);
    out
}

#[derive(Serialize)]
struct Sentence<'a> {
    id: usize,
    src: &'a str,
    hypotheses: Vec<Hypothesis<'a>>,
}

#[derive(Serialize)]
struct Hypothesis<'a> {
    rank: Option<usize>,
    tgt: &'a str,
    reference: Option<&'a str>,
    log_prob: f64,
    pieces: Grid,
    /// Absent where words are the pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Grid>,
}

#[derive(Serialize, PartialEq)]
struct Grid {
    src: Vec<String>,
    tgt: Vec<String>,
    /// `(T, S)`, row-major, in ten-thousandths.
    weights: Vec<u16>,
}

impl Grid {
    fn of(map: &AttentionMap) -> Self {
        let labels = |tokens: &[String]| tokens.iter().map(|t| visible(t).into_owned()).collect();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a checked weight is 0 to about 1")]
        let weights = map.weights().iter().map(|w| (w * 1e4).round() as u16).collect();
        Self { src: labels(&map.src().tokens), tgt: labels(&map.tgt().tokens), weights }
    }
}

/// The maps as JSON that can stand between script tags, whatever the tokens are.
fn data_block(maps: &[AttentionMap]) -> String {
    let mut sentences: Vec<Sentence<'_>> = Vec::new();
    for map in maps {
        let (pieces, words) = (Grid::of(map), Grid::of(&map.merged()));
        let words = (words != pieces).then_some(words);
        let (rank, tgt, reference, log_prob) = (map.rank(), map.tgt().text.as_str(), map.reference(), map.log_prob());
        let hypothesis = Hypothesis { rank, tgt, reference, log_prob, pieces, words };
        match sentences.last_mut() {
            Some(last) if last.id == map.id() && last.src == map.src().text => last.hypotheses.push(hypothesis),
            _ => sentences.push(Sentence { id: map.id(), src: &map.src().text, hypotheses: vec![hypothesis] }),
        }
    }
    let json =
        serde_json::to_string(&sentences).unwrap_or_else(|_| unreachable!("strings and finite numbers are JSON"));
    // Outside of strings JSON has none of these characters.
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\'' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::view::test_maps::{german, map};

    const DATA: &str = "<script type=\"application/json\" id=\"maps\">";

    /// The data block as it stands, and as the script will read it.
    fn data(page: &str) -> (&str, Value) {
        let raw = page.split(DATA).nth(1).unwrap().split("</script>").next().unwrap();
        (raw, serde_json::from_str(raw).unwrap())
    }

    #[test]
    fn hostile_tokens_stay_text() {
        let hostile = ["</script><script>alert(1)</script>", "<!--", "&amp;", "\"'\u{2028}x", "]]>", "{{js}}"];
        let weights: Vec<f32> = (0..36).map(|i| if i % 7 == 0 { 1.0 } else { 0.0 }).collect();
        let page = Page::new("<img src=x onerror=alert(1)>{{data}}").fact("<b>", "\"</dd>");
        let html = page.render(&[map(&hostile, &hostile, &weights)]);
        assert_eq!(html.matches("<script").count(), 2, "the data block and the script, no other");
        assert!(!html.contains("<img") && !html.contains("<b>") && !html.contains("\"</dd>"));
        let (raw, json) = data(&html);
        assert!(!raw.contains(['<', '>', '&', '\'', '\u{2028}']), "{raw}");
        let tokens = json[0]["hypotheses"][0]["pieces"]["src"].as_array().unwrap();
        assert_eq!(tokens[0], hostile[0]);
        assert_eq!(tokens[3], "\"'␤x");
        assert_eq!(tokens[5], "{{js}}");
    }

    #[test]
    fn nothing_on_the_page_leads_outside() {
        let html = Page::new("x").render(&[german()]);
        for outside in
            ["http:", "https:", "src=", "href=", "@import", "url(", "fetch(", "//cdn", "XMLHttp", "WebSocket"]
        {
            assert!(!html.contains(outside), "{outside}");
        }
        assert!(html.contains("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"));
    }

    #[test]
    fn the_script_and_the_style_do_not_end_themselves() {
        assert!(!JS.contains("</") && !JS.contains("<!--") && !CSS.contains("</"));
        assert!(!JS.contains("innerHTML") && !JS.contains("insertAdjacentHTML") && !JS.contains("document.write"));
    }

    #[test]
    fn words_and_pieces_both_arrive_with_their_weights() {
        let (_, json) = data(&Page::new("x").render(&[german()]));
        let hypothesis = &json[0]["hypotheses"][0];
        assert_eq!(hypothesis["pieces"]["weights"][0], 8500);
        assert_eq!(hypothesis["words"]["src"], serde_json::json!(["Die", "Haustür", "</s>"]));
        assert_eq!(
            hypothesis["words"]["weights"],
            serde_json::json!([8500, 1500, 0, 100, 9650, 250, 1250, 1250, 7500])
        );
        assert_eq!(hypothesis["reference"], "The front door");
    }

    #[test]
    fn hypotheses_of_one_line_share_a_sentence() {
        let maps = [german(), german().with_rank(1), map(&["a"], &["b"], &[1.0])];
        let (_, json) = data(&Page::new("x").render(&maps));
        let count = |i: usize| json[i]["hypotheses"].as_array().unwrap().len();
        assert_eq!((json.as_array().unwrap().len(), count(0), count(1)), (2, 2, 1));
        assert!(json[1]["hypotheses"][0].get("words").is_none(), "words equal to the pieces are not repeated");
    }

    #[test]
    fn the_same_maps_give_the_same_bytes() {
        let page = Page::new("x").fact("model", "m");
        assert_eq!(page.render(&[german()]), page.render(&[german()]));
    }
}
