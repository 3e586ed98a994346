//! Requests and translations as JSON Lines.

use lookback::Translation;
use lookback::search::Constraints;
use lookback::text::Tokenizer;
use serde_json::{Map, Value, json};

use super::Line;

/// Keys that the output has; the input may bring its own `id`.
const WRITTEN: [&str; 8] = ["translation", "log_prob", "score", "cut", "tokens", "alignment", "unmet", "n_best"];

/// A line of the input that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("{input}:{line}: {message}")]
pub(crate) struct BadRequest {
    input: String,
    line: usize,
    message: String,
}

impl BadRequest {
    /// Of the line `number`, from 0.
    pub(super) fn new(input: String, number: usize, message: String) -> Self {
        Self { input, line: number + 1, message }
    }
}

/// A line of `--json-input`.
#[derive(Debug)]
pub(super) struct JsonLine {
    pub(super) text: String,
    pub(super) constraints: Constraints,
    pub(super) beside: Map<String, Value>,
}

impl JsonLine {
    /// Reads `line`; what it asks for adds to `constraints`.
    pub(super) fn parse(line: &str, mut constraints: Constraints) -> Result<Self, String> {
        let object: Value = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
        let Value::Object(mut beside) = object else {
            return Err("not a JSON object; a line is {\"text\": …} with what belongs to it".into());
        };
        let text = beside.remove("text").ok_or("no `text`")?;
        let text = string("text", &text)?;
        if let Some(prefix) = beside.remove("prefix") {
            constraints.prefix = string("prefix", &prefix)?;
        }
        for (key, phrases) in [("must", &mut constraints.must), ("must_not", &mut constraints.must_not)] {
            if let Some(value) = beside.remove(key) {
                let Value::Array(values) = value else { return Err(format!("`{key}` is not a list of strings")) };
                phrases.extend(values.iter().map(|value| string(key, value)).collect::<Result<Vec<_>, _>>()?);
            }
        }
        if let Some(key) = WRITTEN.iter().find(|key| beside.contains_key(**key)) {
            return Err(format!("`{key}` is a key of the output and cannot be passed through; give it another name"));
        }
        Ok(Self { text, constraints, beside })
    }
}

fn string(key: &str, value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("`{key}` is not a string: {value}"))
}

/// The line of the output; `alignments` are those of the translations, or none.
pub(super) fn object(
    line: &Line,
    translations: &[Translation],
    alignments: &[String],
    n_best: usize,
    tgt: &Tokenizer,
) -> Value {
    let mut object = Map::from_iter([("id".to_owned(), json!(line.request.number))]);
    object.extend(line.beside.clone());
    let mut all = translations.iter().enumerate().map(|(i, translation)| {
        let mut one = one(translation, &line.request.constraints.must, tgt);
        one.extend(alignments.get(i).map(|alignment| ("alignment".to_owned(), json!(alignment))));
        one
    });
    let best = all.next().unwrap_or_default();
    object.extend(best.clone());
    if n_best > 1 {
        let all = std::iter::once(best).chain(all).map(Value::Object).collect();
        object.insert("n_best".to_owned(), Value::Array(all));
    }
    Value::Object(object)
}

fn one(translation: &Translation, must: &[String], tgt: &Tokenizer) -> Map<String, Value> {
    let found = &translation.hypothesis;
    let mut object = Map::from_iter([
        ("translation".to_owned(), json!(translation.text)),
        ("log_prob".to_owned(), json!(found.log_prob)),
        ("score".to_owned(), json!(found.score)),
        ("cut".to_owned(), json!(found.is_cut)),
        ("tokens".to_owned(), json!(tgt.display_pieces(&found.ids))),
    ]);
    if !found.unmet.is_empty() {
        let unmet: Vec<&String> = found.unmet.iter().filter_map(|&number| must.get(number)).collect();
        object.insert("unmet".to_owned(), json!(unmet));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_adds_to_what_was_asked_for_and_passes_the_rest_through() {
        let asked = Constraints { prefix: "a".into(), must: vec!["b".into()], must_not: vec![] };
        let line = r#"{"text": "x", "must": ["c"], "must_not": ["d"], "source": {"page": 3}, "id": "q7"}"#;
        let JsonLine { text, constraints, beside } = JsonLine::parse(line, asked.clone()).expect("valid");
        assert_eq!((text.as_str(), constraints.prefix.as_str()), ("x", "a"));
        assert_eq!((constraints.must, constraints.must_not), (vec!["b".into(), "c".into()], vec!["d".to_owned()]));
        assert_eq!(Value::Object(beside), json!({"source": {"page": 3}, "id": "q7"}));
        let line = JsonLine::parse(r#"{"text": "x", "prefix": "z"}"#, asked).expect("valid");
        assert_eq!(line.constraints.prefix, "z", "its own prefix takes the place of the general one");
    }

    #[test]
    fn what_a_line_lacks_is_said() {
        for (line, said) in [
            ("{", "not JSON: "),
            ("[1]", "not a JSON object"),
            ("{}", "no `text`"),
            (r#"{"text": 3}"#, "`text` is not a string: 3"),
            (r#"{"text": "x", "must": "y"}"#, "`must` is not a list"),
            (r#"{"text": "x", "must_not": [1]}"#, "`must_not` is not a string: 1"),
            (r#"{"text": "x", "score": 1}"#, "`score` is a key of the output"),
        ] {
            let message = JsonLine::parse(line, Constraints::default()).expect_err("refused");
            assert!(message.starts_with(said), "{line}: {message}");
        }
    }
}
