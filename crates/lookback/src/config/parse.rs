//! Files and `key=value` into a configuration; unknown keys get a suggestion.

use serde_json::{Map, Value};

use super::{Config, ConfigError, Tree};

impl Config {
    /// The configuration of `files` (TOML, or JSON if it starts with `{`), each given as (name, text), changed by `sets` of the form `section.key=value`. Later ones win.
    ///
    /// # Errors
    /// If a text cannot be parsed, a key does not exist, or a value does not fit.
    pub fn from_layers(files: &[(String, String)], sets: &[String]) -> Result<Self, ConfigError> {
        Self::layered(Value::Object(Map::new()), files, sets)
    }

    /// As [`from_layers`](Self::from_layers), to train the model of `base` further: text, model and search are as there where nothing is said of them.
    ///
    /// # Errors
    /// As there.
    pub fn derived(base: &Self, files: &[(String, String)], sets: &[String]) -> Result<Self, ConfigError> {
        let Self { text, model, search, .. } = base;
        Self::layered(serde_json::json!({ "text": text, "model": model, "search": search }), files, sets)
    }

    fn layered(mut tree: Tree, files: &[(String, String)], sets: &[String]) -> Result<Self, ConfigError> {
        let template = template();
        for (origin, text) in files {
            let layer = parse(origin, text)?;
            check_keys(origin, &layer, &template, "")?;
            fits(origin, &layer)?;
            merge(&mut tree, layer);
        }
        for set in sets {
            let origin = format!("--set {set}");
            let layer = parse_set(&origin, set)?;
            check_keys(&origin, &layer, &template, "")?;
            fits(&origin, &layer)?;
            merge(&mut tree, layer);
        }
        serde_json::from_value(tree)
            .map_err(|e| ConfigError::Value { origin: "configuration".into(), message: e.to_string() })
    }

    /// The configuration as TOML, without the keys that are left to the data.
    ///
    /// # Errors
    /// If a value cannot be written in TOML.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        toml::to_string(self).map_err(|e| ConfigError::Value { origin: "configuration".into(), message: e.to_string() })
    }
}

/// All keys there are.
fn template() -> Tree {
    serde_json::to_value(Config::default()).unwrap_or_default()
}

fn parse(origin: &str, text: &str) -> Result<Tree, ConfigError> {
    let syntax = |message: String| ConfigError::Syntax { origin: origin.to_owned(), message };
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map(without_folder).map_err(|e| syntax(e.to_string()));
    }
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let hint = "a configuration is TOML, `key = value` under `[section]`, or JSON, which starts with `{`";
        syntax(format!("{hint}\n{}", e.to_string().trim_end()))
    })?;
    finite(origin, &toml::Value::Table(table.clone()))?;
    serde_json::to_value(table).map_err(|e| syntax(e.to_string()))
}

/// The configuration of a model folder's `config.json`, which also says what the folder is.
fn without_folder(mut tree: Tree) -> Tree {
    if let Value::Object(map) = &mut tree
        && FOLDER_KEYS.iter().all(|key| map.contains_key(*key))
    {
        map.retain(|key, _| !FOLDER_KEYS.contains(&key.as_str()) && key != STORAGE_KEY);
    }
    tree
}

/// What stands in a model folder's `config.json` beside the configuration.
const FOLDER_KEYS: [&str; 3] = ["format", "version", "vocabulary"];
/// How its weights are stored, which older folders do not say.
const STORAGE_KEY: &str = "weights";

/// `section.key=value`: the value as TOML would read it, or else as a word.
fn parse_set(origin: &str, set: &str) -> Result<Tree, ConfigError> {
    let syntax = |message: &str| ConfigError::Syntax { origin: origin.to_owned(), message: message.to_owned() };
    let (key, value) = set.split_once('=').ok_or_else(|| syntax("write it as `section.key=value`"))?;
    let parsed = format!("value = {value}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("value"));
    if key.split('.').any(|part| part.trim().is_empty()) {
        return Err(syntax("write it as `section.key=value`"));
    }
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.trim().to_owned()));
    finite(origin, &value)?;
    let mut tree = serde_json::to_value(value).map_err(|e| syntax(&e.to_string()))?;
    for part in key.trim().rsplit('.') {
        tree = Value::Object(Map::from_iter([(part.trim().to_owned(), tree)]));
    }
    Ok(tree)
}

/// TOML can say `nan` and `inf`, which no value may be.
fn finite(origin: &str, value: &toml::Value) -> Result<(), ConfigError> {
    match value {
        toml::Value::Float(v) if !v.is_finite() => {
            Err(ConfigError::Value { origin: origin.to_owned(), message: format!("{v} is not a finite number") })
        }
        toml::Value::Table(table) => table.values().try_for_each(|v| finite(origin, v)),
        toml::Value::Array(values) => values.iter().try_for_each(|v| finite(origin, v)),
        _ => Ok(()),
    }
}

/// Every key of `layer` must be in `template`.
fn check_keys(origin: &str, layer: &Tree, template: &Tree, prefix: &str) -> Result<(), ConfigError> {
    let (Value::Object(layer), Value::Object(known)) = (layer, template) else { return Ok(()) };
    for (key, value) in layer {
        let path = format!("{prefix}{key}");
        match known.get(key) {
            Some(inner) => check_keys(origin, value, inner, &format!("{path}."))?,
            None => {
                let suggestion = nearest(&path);
                return Err(ConfigError::UnknownKey { origin: origin.to_owned(), key: path, suggestion });
            }
        }
    }
    Ok(())
}

/// The key that looks most like `path`, if any looks like it: by its whole name, or by its last part in another section.
fn nearest(path: &str) -> Option<String> {
    let keys = all_keys();
    let last = |key: &str| key.rsplit('.').next().unwrap_or_default().to_owned();
    let likeness =
        |key: &String| strsim::jaro_winkler(key, path).max(strsim::jaro_winkler(&last(key), &last(path)) - 0.01);
    let best = keys.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(&best) > 0.75).then_some(best)
}

/// The names of all keys, with their sections.
pub(super) fn all_keys() -> Vec<String> {
    let mut keys = Vec::new();
    collect(&template(), "", &mut keys);
    keys
}

fn collect(tree: &Tree, prefix: &str, keys: &mut Vec<String>) {
    if let Value::Object(map) = tree {
        for (key, value) in map {
            let path = format!("{prefix}{key}");
            if value.is_object() {
                collect(value, &format!("{path}."), keys);
            } else {
                keys.push(path);
            }
        }
    }
}

/// Whether every value has its key's type.
fn fits(origin: &str, layer: &Tree) -> Result<(), ConfigError> {
    let Value::Object(sections) = layer else { return Ok(()) };
    for (section, value) in sections {
        let keys: Vec<(String, Tree)> = match value {
            Value::Object(map) => map
                .iter()
                .map(|(k, v)| {
                    (format!("{section}.{k}"), serde_json::json!({ section.clone(): { k.clone(): v.clone() } }))
                })
                .collect(),
            _ => vec![(section.clone(), serde_json::json!({ section.clone(): value.clone() }))],
        };
        for (key, alone) in keys {
            serde_json::from_value::<Config>(alone).map_err(|e| {
                let said = e.to_string();
                let message = format!("`{key}`: {}{}", in_words(&said), elsewhere(&key, &said));
                ConfigError::Value { origin: origin.to_owned(), message }
            })?;
        }
    }
    Ok(())
}

/// What a type is called by those who write configurations.
fn in_words(message: &str) -> String {
    let Some((found, expected)) = message.rsplit_once("expected ") else { return message.to_owned() };
    let expected = match expected {
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list, as `[1, 2]`",
        _ if expected.starts_with("struct ") => "a section, whose keys are set as `section.key`",
        _ => return message.to_owned(),
    };
    format!("{found}expected {expected}")
}

/// What is meant by a word that other toolkits have for a value.
fn elsewhere(key: &str, message: &str) -> &'static str {
    let words = [
        ("bahdanau", "; Bahdanau's is `concat` with `model.decoder = \"bahdanau\"`"),
        ("luong", "; Luong's are `dot`, `general`, `concat` and `location`"),
        ("additive", "; that is `concat`"),
        ("mlp", "; that is `concat`"),
    ];
    let is_meant = |word: &str| key == "model.attention" && message.contains(&format!("unknown variant `{word}`"));
    words.into_iter().find(|(word, _)| is_meant(word)).map_or("", |(_, meant)| meant)
}

fn merge(base: &mut Tree, layer: Tree) {
    match (base, layer) {
        (Value::Object(base), Value::Object(layer)) => {
            for (key, value) in layer {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, layer) => *base = layer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{AttentionKind, TextMode};

    fn read(text: &str, sets: &[&str]) -> Result<Config, ConfigError> {
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        Config::from_layers(&[("run.toml".into(), text.into())], &sets)
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let toml = read("seed = 3\n[model]\nhidden = 512\nattention = \"none\"", &[]).expect("valid");
        let json = read(r#"{"seed": 3, "model": {"hidden": 512, "attention": "none"}}"#, &[]).expect("valid");
        assert_eq!(toml, json);
        assert_eq!((toml.seed, toml.model.hidden, toml.model.attention), (3, Some(512), AttentionKind::None));
    }

    #[test]
    fn the_file_of_a_model_folder_is_a_configuration() {
        let folder =
            r#"{"format": 1, "version": "0.1.0", "vocabulary": {"src": 9, "tgt": 9}, "model": {"hidden": 512}}"#;
        assert_eq!(read(folder, &[]).expect("valid").model.hidden, Some(512));
        let stored = folder.replace("\"model\"", "\"weights\": \"f32\", \"model\"");
        assert_eq!(read(&stored, &[]).expect("valid").model.hidden, Some(512));
        let said = read(r#"{"format": 1, "model": {"hidden": 512}}"#, &[]).expect_err("no such file").to_string();
        assert!(said.contains("unknown key `format`"), "{said}");
    }

    #[test]
    fn sets_win_over_files_and_need_no_quotes() {
        let c = read("[train]\nmax_updates = 9", &["train.max_updates=40", "text.mode=char", "seed=5"]).expect("valid");
        assert_eq!((c.train.max_updates, c.text.mode, c.seed), (Some(40), Some(TextMode::Char), 5));
    }

    #[test]
    fn unknown_keys_suggest_the_nearest() {
        let message = |text: &str, sets: &[&str]| read(text, sets).expect_err("unknown").to_string();
        assert_eq!(
            message("[train]\nmax_update = 1", &[]),
            "run.toml: unknown key `train.max_update`; did you mean `train.max_updates`?"
        );
        assert!(message("", &["train.dropout=0.1"]).ends_with("did you mean `model.dropout`?"));
        assert!(message("", &["zzzz=1"]).ends_with("unknown key `zzzz`"));
    }

    #[test]
    fn a_wrong_value_names_its_key() {
        let message = read("[model]\nhidden = \"big\"", &[]).expect_err("not a number").to_string();
        assert_eq!(
            message,
            "run.toml: `model.hidden`: invalid type: string \"big\", expected a whole number, 0 or more"
        );
        let says = |set: &str| read("", &[set]).expect_err("does not fit").to_string();
        for (set, expected) in [
            ("train.max_updates=-1", "integer `-1`, expected a whole number, 0 or more"),
            ("train.accumulate=0.5", "floating point `0.5`, expected a whole number, 0 or more"),
            ("train.learning_rate=fast", "string \"fast\", expected a number"),
            ("model.input_feeding=1", "integer `1`, expected true or false"),
            ("data.corpus_weights=3", "integer `3`, expected a list, as `[1, 2]`"),
            ("train=3", "integer `3`, expected a section, whose keys are set as `section.key`"),
        ] {
            assert!(says(set).ends_with(expected), "{}", says(set));
        }
        for set in ["=3", "train.=3", "seed"] {
            assert_eq!(says(set), format!("--set {set}: write it as `section.key=value`"));
        }
        let message = read("", &["model.attention=dott"]).expect_err("no such score").to_string();
        assert!(message.contains("unknown variant `dott`, expected one of `dot`, `scaled_dot`, "), "{message}");
        let message = read("", &["model.attention=bahdanau"]).expect_err("no such score").to_string();
        assert!(message.ends_with("; Bahdanau's is `concat` with `model.decoder = \"bahdanau\"`"), "{message}");
        let yaml = read("model:\n  hidden: 3\n", &[]).expect_err("not TOML").to_string();
        assert!(yaml.starts_with("run.toml: a configuration is TOML, "), "{yaml}");
        let message = read("", &["model.dropout=nan"]).expect_err("not finite").to_string();
        assert_eq!(message, "--set model.dropout=nan: NaN is not a finite number");
        assert!(read("a = ", &[]).expect_err("syntax").to_string().starts_with("run.toml: "));
    }

    #[test]
    fn a_derived_configuration_keeps_text_model_and_search() {
        let base = read("seed = 4\n[model]\nhidden = 64\ndropout = 0.5\n[search]\nbeam_size = 7", &[]).expect("valid");
        let sets = ["model.dropout=0.1", "train.warmup=9"].map(str::to_owned);
        let derived = Config::derived(&base, &[], &sets).expect("valid");
        assert_eq!((derived.model.hidden, derived.model.dropout, derived.search.beam_size), (Some(64), Some(0.1), 7));
        assert_eq!((derived.seed, derived.train.warmup), (0, 9));
        assert_eq!(derived.architecture(), base.architecture());
    }

    #[test]
    fn what_is_written_can_be_read() {
        let config = read("[model]\nhidden = 64\ndropout = 0.25", &[]).expect("valid");
        assert_eq!(read(&config.to_toml().expect("writable"), &[]).expect("its own output"), config);
    }
}
