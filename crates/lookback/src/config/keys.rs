//! Every key of a configuration with its default and its explanation, from the definitions themselves.
//!
//! Explanations are the documentation of the fields, read from the source text the program was compiled from; defaults are those of
//! [`Config::default`]. Nothing is written twice, so nothing can go stale.

use std::collections::HashMap;

use super::Config;

/// Where sections and the kinds of their values are defined.
const SOURCES: [&str; 10] = [
    include_str!("../config.rs"),
    include_str!("attention.rs"),
    include_str!("guided.rs"),
    include_str!("metric.rs"),
    include_str!("optimization.rs"),
    include_str!("precision.rs"),
    include_str!("regularization.rs"),
    include_str!("../text/pair.rs"),
    include_str!("../text/normalize.rs"),
    include_str!("../backend/cell.rs"),
];

/// A key of a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name with its section, `train.warmup`.
    pub name: String,
    /// Its value if nothing is said, as TOML; none if it is chosen from the data, or then means that there is none.
    pub default: Option<String>,
    /// What it is for.
    pub about: String,
    /// The words it takes, each with its meaning; empty if it takes numbers or `true` and `false`.
    pub words: Vec<(String, String)>,
}

/// Every key there is, in the order in which a configuration is written.
#[must_use]
pub fn keys() -> Vec<Key> {
    let mut defaults = defaults();
    let mut keys = Vec::new();
    let mut add = |name: String, field: &Field<'_>| {
        let default = defaults.remove(&name);
        keys.push(Key { name, default, about: field.about.clone(), words: words(field.kind) });
    };
    for field in fields("Config") {
        let inside = fields(field.kind);
        for inner in &inside {
            add(format!("{}.{}", field.name, inner.name), inner);
        }
        if inside.is_empty() {
            add(field.name.to_owned(), &field);
        }
    }
    keys
}

/// The defaults, as a dumped configuration writes them.
fn defaults() -> HashMap<String, String> {
    let text = Config::default().to_toml().unwrap_or_default();
    let mut section = String::new();
    let mut defaults = HashMap::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, value)) = line.split_once(" = ") {
            defaults.insert(format!("{section}{key}"), value.to_owned());
        }
    }
    defaults
}

/// A documented item of a definition.
struct Field<'a> {
    about: String,
    name: &'a str,
    /// Its type, without `Option` and `Vec`.
    kind: &'a str,
    /// Other words for it.
    rename: Option<&'a str>,
}

/// The fields of a struct, in order.
fn fields(name: &str) -> Vec<Field<'static>> {
    let (_, body) = definition(&format!("pub struct {name} {{")).unwrap_or_default();
    items(body, |line| {
        let (name, kind) = line.strip_prefix("pub ")?.strip_suffix(',')?.split_once(": ")?;
        let inside = ["Option<", "Vec<"].iter().find_map(|outer| kind.strip_prefix(outer)?.strip_suffix('>'));
        Some((name, inside.unwrap_or(kind)))
    })
}

/// The words of an enum with their meanings; none if `kind` is another type.
fn words(kind: &str) -> Vec<(String, String)> {
    let Some((attributes, body)) = definition(&format!("pub enum {kind} {{")) else { return Vec::new() };
    let snake = attributes.contains("rename_all = \"snake_case\"");
    let variants = items(body, |line| Some((line.strip_suffix(',')?, "")));
    let word = |variant: Field<'_>| {
        let word = variant.rename.map_or_else(|| spelled(variant.name, snake), str::to_owned);
        (word, variant.about)
    };
    variants.into_iter().map(word).collect()
}

/// `InverseSqrt` as a configuration spells it.
fn spelled(variant: &str, snake: bool) -> String {
    let mut out = String::new();
    for (i, c) in variant.char_indices() {
        if snake && i > 0 && c.is_uppercase() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// What stands before a definition up to the one before, and what stands in it.
fn definition(start: &str) -> Option<(&'static str, &'static str)> {
    SOURCES.iter().find_map(|source| {
        let (before, after) = source.split_once(start)?;
        let attributes = before.rsplit("\n}\n").next().unwrap_or(before);
        Some((attributes, after.split("\n}").next()?))
    })
}

/// The items of a definition with the lines of documentation before each.
fn items<'a>(body: &'a str, parse: impl Fn(&'a str) -> Option<(&'a str, &'a str)>) -> Vec<Field<'a>> {
    let (mut items, mut about, mut rename) = (Vec::new(), Vec::new(), None);
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            about.push(text.trim());
        } else if let Some(attribute) = line.strip_prefix("#[serde(rename = \"") {
            rename = attribute.split('"').next();
        } else if let Some((name, kind)) = parse(line) {
            items.push(Field { about: std::mem::take(&mut about).join(" "), name, kind, rename: rename.take() });
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse::all_keys;

    #[test]
    fn every_key_is_there_in_order_and_explained() {
        let names: Vec<String> = keys().into_iter().map(|key| key.name).collect();
        let mut sorted = (names.clone(), all_keys());
        sorted.0.sort();
        sorted.1.sort();
        assert_eq!(sorted.0, sorted.1, "a section is defined in a file that `SOURCES` does not name");
        assert_eq!(names[..2], ["seed", "text.mode"]);
        for key in keys() {
            assert!(key.about.ends_with('.') || key.about.ends_with('…'), "{}: {}", key.name, key.about);
        }
    }

    #[test]
    fn what_is_said_of_a_value_can_be_set() {
        for key in keys() {
            let words = key.words.iter().map(|(word, about)| {
                assert!(about.ends_with('.'), "{} {word}: {about}", key.name);
                word.clone()
            });
            for value in words.chain(key.default.clone()) {
                let set = format!("{}={value}", key.name);
                assert!(Config::from_layers(&[], std::slice::from_ref(&set)).is_ok(), "{set}");
            }
        }
        let with_words = |name: &str| keys().iter().any(|key| key.name == name && !key.words.is_empty());
        assert!(with_words("text.mode") && with_words("text.sharing") && with_words("model.encoder_cell"));
        for Key { name, default, words, .. } in keys() {
            let is_word = default.is_some_and(|value| value.starts_with('"') && !value.contains(char::is_numeric));
            assert_eq!(is_word, is_word && !words.is_empty(), "{name}: `SOURCES` does not name the file of its words");
        }
    }

    #[test]
    fn defaults_are_those_of_the_program() {
        let sets: Vec<String> =
            keys().into_iter().filter_map(|key| Some(format!("{}={}", key.name, key.default?))).collect();
        assert_eq!(Config::from_layers(&[], &sets).expect("its own defaults"), Config::default());
    }
}
