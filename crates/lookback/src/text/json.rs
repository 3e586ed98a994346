//! Reading `tokenizer.json`: strictly what we write, because decoding and the round trip rest on it.
//!
//! A program that translates one line spends its time here, so the file does not become one tree of JSON: the vocabulary is read entry by entry, merges and scores as lists of their own.
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::escape::META;
use super::foreign::{Foreign, is_ours};
use super::pipeline::{Scheme, Segmentation, normalizer_of, settings};
use super::tokenizer::{Tokenizer, byte_piece, is_reserved};
use super::{SPECIALS, TextError};

impl Tokenizer {
    /// Reads a `tokenizer.json`: what [`to_json`](Self::to_json) wrote, or one that was made elsewhere (BPE, Unigram, WordPiece or
    /// words, as Hugging Face's libraries write them), whose specials get our ids. `name` is the file's name, for messages.
    ///
    /// # Errors
    /// For a file made elsewhere, [`TextError::Invalid`] if `tokenizers` cannot read it or it has no way to encode unknown text. For our own,
    /// [`TextError::Invalid`] if the text is not JSON, the specials are not ids 0 to 3, ids have a gap, a byte piece or `▁`
    /// is missing, a merge or score does not fit, or anything around the model differs from what lookback writes.
    pub fn from_json(name: &str, json: &str) -> Result<Self, TextError> {
        parse(json).map_err(|reason| TextError::Invalid { name: name.to_owned(), reason })
    }
}

/// The longest file that is read, in bytes.
#[cfg(feature = "files")]
const MOST_BYTES: u64 = 128 << 20;

#[cfg(feature = "files")]
impl Tokenizer {
    /// Reads a `tokenizer.json` of any maker, as [`from_json`](Self::from_json) does.
    ///
    /// # Errors
    /// As there, and [`TextError::Io`]; each names the file.
    pub fn read(path: &std::path::Path) -> Result<Self, TextError> {
        let json = crate::read_bounded::read_text(path, MOST_BYTES)
            .map_err(|source| TextError::Io { path: path.to_owned(), source })?;
        Self::from_json(&path.display().to_string(), &json)
    }
}

/// A JSON object whose values are not read yet.
type Parts<'a> = BTreeMap<String, &'a RawValue>;

fn parse(json: &str) -> Result<Tokenizer, String> {
    let parts: Parts<'_> = serde_json::from_str(json)
        .map_err(|error| if error.is_data() { "not a JSON object".to_owned() } else { format!("not JSON: {error}") })?;
    let model = parts.get("model").and_then(|model| serde_json::from_str::<Parts<'_>>(model.get()).ok());
    let model = model.ok_or("no object under `model`")?;
    let file = values(&parts, &["model"])?;
    if !is_ours(&file) {
        let (foreign, pieces) = Foreign::read(json)?;
        return Ok(Tokenizer::from_foreign(foreign, pieces));
    }
    let model_settings = values(&model, &["vocab", "merges"])?;
    let (pieces, segmentation) = segmentation(&model_settings, &model)?;
    let scheme = segmentation.scheme();
    check_pieces(&pieces, scheme)?;

    let normalizer = file.get("normalizer").and_then(|json| normalizer_of(scheme, json)).unwrap_or_default();
    let tokenizer = Tokenizer::new(pieces, segmentation, normalizer).map_err(|error| format!("`model`: {error}"))?;
    let ours = settings(scheme, normalizer)?;
    let our_model = ours.get("model").and_then(Value::as_object).ok_or("no object under `model`")?;
    same_settings("", &ours, &file, &["model", "version"])?;
    same_settings("model.", our_model, &model_settings, &["vocab", "merges"])?;
    Ok(tokenizer)
}

/// The values of all parts but those `apart`.
fn values(parts: &Parts<'_>, apart: &[&str]) -> Result<Map<String, Value>, String> {
    let short = parts.iter().filter(|(key, _)| !apart.contains(&key.as_str()));
    short.map(|(key, raw)| Ok((key.clone(), read(raw).map_err(|error| format!("not JSON: {error}"))?))).collect()
}

fn read<'a, T: Deserialize<'a>>(raw: &'a RawValue) -> serde_json::Result<T> {
    serde_json::from_str(raw.get())
}

/// The pieces in the order of their ids, and what belongs to them.
fn segmentation(settings: &Map<String, Value>, model: &Parts<'_>) -> Result<(Vec<String>, Segmentation), String> {
    let table = || part(model, "vocab", "object");
    let list = |key: &str| part::<Vec<Value>>(model, key, "list");
    match settings.get("type").and_then(Value::as_str) {
        Some("BPE") => {
            let pieces = pieces(table()?)?;
            Ok((pieces, Segmentation::Bpe(merges(&list("merges")?)?)))
        }
        Some("Unigram") => {
            let (pieces, scores) = scored(&list("vocab")?)?;
            Ok((pieces, Segmentation::Unigram(scores)))
        }
        Some("WordLevel") => Ok((pieces(table()?)?, Segmentation::Word)),
        _ => {
            let found = settings.get("type").unwrap_or(&Value::Null);
            Err(format!("`model.type` is {found}, lookback writes \"BPE\", \"Unigram\" or \"WordLevel\""))
        }
    }
}

/// What stands under a key of the model, which must be `what`.
fn part<'a, T: Deserialize<'a>>(model: &Parts<'a>, key: &str, what: &str) -> Result<T, String> {
    let missing = || format!("no {what} under `model.{key}`");
    read(model.get(key).ok_or_else(missing)?)
        .map_err(|error| if error.is_data() { missing() } else { format!("not JSON: `model.{key}`: {error}") })
}

/// The entries of a JSON object, in the order of the file.
struct Entries(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfMap;

        impl<'de> Visitor<'de> for OfMap {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(OfMap)
    }
}

/// Refuses a setting we would not follow.
fn same_settings(
    path: &str,
    ours: &Map<String, Value>,
    theirs: &Map<String, Value>,
    free: &[&str],
) -> Result<(), String> {
    let keys = ours.keys().chain(theirs.keys().filter(|key| !ours.contains_key(*key)));
    for key in keys.filter(|key| !free.contains(&key.as_str())) {
        let (ours, theirs) = (ours.get(key).unwrap_or(&Value::Null), theirs.get(key).unwrap_or(&Value::Null));
        if ours != theirs {
            return Err(format!("`{path}{key}` is {theirs}, lookback writes and reads only {ours}"));
        }
    }
    Ok(())
}

/// The pieces in the order of their ids.
fn pieces(Entries(vocab): Entries) -> Result<Vec<String>, String> {
    let count = vocab.len();
    let mut pieces: Vec<Option<String>> = vec![None; count];
    for (piece, id) in vocab {
        let id = id.as_u64().ok_or_else(|| format!("piece {piece:?} has the id {id}, which is not a number from 0"))?;
        let slot = usize::try_from(id).ok().and_then(|id| pieces.get_mut(id)).ok_or_else(|| {
            format!("piece {piece:?} has the id {id}, but {count} pieces have the ids 0 to {}", count - 1)
        })?;
        if let Some(other) = slot {
            return Err(format!("pieces {other:?} and {piece:?} have the same id {id}"));
        }
        *slot = Some(piece);
    }
    // As many pieces as ids, none twice: no gap is left.
    Ok(pieces.into_iter().flatten().collect())
}

/// Pieces with their log-probabilities; the place is the id.
fn scored(list: &[Value]) -> Result<(Vec<String>, Vec<f64>), String> {
    let (mut pieces, mut scores) = (Vec::with_capacity(list.len()), Vec::with_capacity(list.len()));
    for (id, entry) in list.iter().enumerate() {
        let (Some(piece), Some(score), 2) = (
            entry.get(0).and_then(Value::as_str),
            entry.get(1).and_then(Value::as_f64),
            entry.as_array().map_or(0, Vec::len),
        ) else {
            return Err(format!("piece {id} is {entry}, expected a piece and its score"));
        };
        pieces.push(piece.to_owned());
        scores.push(score);
    }
    Ok((pieces, scores))
}

fn check_pieces(pieces: &[String], scheme: Scheme) -> Result<(), String> {
    for (id, special) in SPECIALS.iter().enumerate() {
        if pieces.get(id).map(String::as_str) != Some(special) {
            return Err(format!("id {id} must be {special:?}, it is {:?}", pieces.get(id)));
        }
    }
    let mut known: HashSet<&str> = HashSet::with_capacity(pieces.len());
    if let Some(twice) = pieces.iter().find(|piece| !known.insert(piece)) {
        return Err(format!("piece {twice:?} is there twice"));
    }
    if known.contains("") {
        return Err("there is an empty piece".to_owned());
    }
    if scheme == Scheme::Words {
        return Ok(());
    }
    for byte in 0..=255 {
        if !known.contains(byte_piece(byte).as_str()) {
            return Err(format!("the byte piece {} is missing", byte_piece(byte)));
        }
    }
    if !known.contains(META.encode_utf8(&mut [0; 4]) as &str) {
        return Err(format!("the piece {META} (a space) is missing"));
    }
    Ok(())
}

fn merges(list: &[Value]) -> Result<Vec<(String, String)>, String> {
    let mut merges = Vec::with_capacity(list.len());
    for (rank, merge) in list.iter().enumerate() {
        let (Some(left), Some(right), 2) = (
            merge.get(0).and_then(Value::as_str),
            merge.get(1).and_then(Value::as_str),
            merge.as_array().map_or(0, Vec::len),
        ) else {
            return Err(format!("merge {rank} is {merge}, expected a pair of pieces"));
        };
        let whole = format!("{left}{right}");
        if let Some(reserved) = [left, right, &whole].into_iter().find(|piece| is_reserved(piece)) {
            return Err(format!("merge {rank} uses or spells the reserved piece {reserved:?}"));
        }
        merges.push((left.to_owned(), right.to_owned()));
    }
    Ok(merges)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::text::normalize::Normalizer;

    fn written(segmentation: Segmentation) -> Value {
        let mut pieces: Vec<String> = SPECIALS.iter().map(|name| (*name).to_owned()).collect();
        pieces.extend((0..=255).map(byte_piece));
        pieces.extend([META.to_string(), "a".to_owned(), "b".to_owned(), "ab".to_owned()]);
        let tokenizer = Tokenizer::new(pieces, segmentation, Normalizer::default()).unwrap();
        serde_json::from_str(&tokenizer.to_json()).unwrap()
    }

    fn small() -> Value {
        written(Segmentation::Bpe(vec![("a".to_owned(), "b".to_owned())]))
    }

    /// What reading says after the file was changed.
    fn complaint(change: impl FnOnce(&mut Value)) -> String {
        complaint_of(small(), change)
    }

    fn complaint_of(mut file: Value, change: impl FnOnce(&mut Value)) -> String {
        change(&mut file);
        match Tokenizer::from_json("m/tokenizer.json", &file.to_string()) {
            Ok(_) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_was_written_is_read_back_to_the_same_bytes() {
        let json = Tokenizer::from_json("x", &small().to_string()).unwrap().to_json();
        assert_eq!(Tokenizer::from_json("x", &json).unwrap().to_json(), json);
        assert_eq!(complaint(|_| {}), "nothing");
    }

    #[test]
    fn every_model_and_normaliser_is_read_back_to_the_same_bytes() {
        let pieces = || SPECIALS.iter().map(|name| (*name).to_owned()).chain(["Haus".to_owned()]).collect();
        for normalizer in Normalizer::all() {
            let json = Tokenizer::new(pieces(), Segmentation::Word, normalizer).unwrap().to_json();
            assert_eq!(Tokenizer::from_json("x", &json).unwrap().to_json(), json);
        }
        let scores = (0..264).map(|id| (-f64::from(id) / 7.0).exp().ln()).collect();
        let json = Tokenizer::from_json("x", &written(Segmentation::Unigram(scores)).to_string()).unwrap().to_json();
        assert_eq!(Tokenizer::from_json("x", &json).unwrap().to_json(), json);
    }

    #[test]
    fn every_flaw_of_our_own_files_is_named_with_the_file() {
        let vocab = |file: &mut Value, piece: &str, id: Value| file["model"]["vocab"][piece] = id;
        let cases: Vec<(String, &str)> = vec![
            (complaint(|file| *file = json!([])), "not a JSON object"),
            (complaint(|file| file["model"] = json!(1)), "no object under `model`"),
            (complaint(|file| file["model"]["vocab"] = json!([])), "no object under `model.vocab`"),
            (complaint(|file| file["model"]["merges"] = json!({})), "no list under `model.merges`"),
            (complaint(|file| vocab(file, "a", json!(-1))), "piece \"a\" has the id -1, which is not a number from 0"),
            (
                complaint(|file| vocab(file, "a", json!(264))),
                "piece \"a\" has the id 264, but 264 pieces have the ids 0 to 263",
            ),
            (complaint(|file| vocab(file, "a", json!(262))), "pieces \"a\" and \"b\" have the same id 262"),
            (
                complaint(|file| {
                    vocab(file, "</s>", json!(2));
                    vocab(file, "<s>", json!(3));
                }),
                "id 2 must be \"<s>\", it is Some(\"</s>\")",
            ),
            (
                complaint(|file| {
                    file["model"]["vocab"].as_object_mut().unwrap().remove("<0x41>");
                    vocab(file, "c", json!(69));
                }),
                "the byte piece <0x41> is missing",
            ),
            (
                complaint(|file| {
                    file["model"]["vocab"].as_object_mut().unwrap().remove("▁");
                    vocab(file, "c", json!(260));
                }),
                "the piece ▁ (a space) is missing",
            ),
            (complaint(|file| vocab(file, "", json!(264))), "there is an empty piece"),
            (
                complaint(|file| file["model"]["merges"] = json!(["a b"])),
                "merge 0 is \"a b\", expected a pair of pieces",
            ),
            (complaint(|file| file["model"]["merges"] = json!([["a", "x"]])), "`model`: Token `x` out of vocabulary"),
            (
                complaint(|file| file["model"]["merges"] = json!([["</", "s>"]])),
                "merge 0 uses or spells the reserved piece \"</s>\"",
            ),
            (
                complaint(|file| file["model"]["byte_fallback"] = json!(false)),
                "`model.byte_fallback` is false, lookback writes and reads only true",
            ),
            (
                complaint(|file| file["normalizer"] = json!(null)),
                "`normalizer` is null, lookback writes and reads only {\"",
            ),
            (
                complaint(|file| file["added_tokens"] = json!([1])),
                "`added_tokens` is [1], lookback writes and reads only []",
            ),
            (complaint(|file| file["surplus"] = json!(1)), "`surplus` is 1, lookback writes and reads only null"),
        ];
        for (said, expected) in cases {
            let said = said.strip_prefix("m/tokenizer.json: ").unwrap_or_else(|| panic!("{said}"));
            assert!(said.starts_with(expected), "said {said}, expected {expected}");
        }
        let unigram = || written(Segmentation::Unigram((0..264).map(|id| -f64::from(id)).collect()));
        let cases: Vec<(String, &str)> = vec![
            (complaint_of(unigram(), |_| {}), "nothing"),
            (complaint_of(unigram(), |file| file["model"]["vocab"] = json!({})), "no list under `model.vocab`"),
            (
                complaint_of(unigram(), |file| file["model"]["vocab"][9] = json!(["x"])),
                "piece 9 is [\"x\"], expected a piece and its score",
            ),
            (
                complaint_of(unigram(), |file| file["model"]["vocab"][263] = json!(["a", 1.0])),
                "piece \"a\" is there twice",
            ),
            (
                complaint_of(unigram(), |file| file["model"]["vocab"][5] = json!(["x", 1.0])),
                "the byte piece <0x01> is missing",
            ),
            (complaint_of(unigram(), |file| file["model"]["unk_id"] = json!(0)), "`model.unk_id` is 0, lookback"),
            (
                complaint(|file| file["model"]["type"] = json!("WordPiece")),
                "`model.type` is \"WordPiece\", lookback writes",
            ),
        ];
        for (said, expected) in cases {
            let said = said.strip_prefix("m/tokenizer.json: ").unwrap_or(&said);
            assert!(said.starts_with(expected), "said {said}, expected {expected}");
        }
        let error = Tokenizer::from_json("m/tokenizer.json", "{").unwrap_err().to_string();
        assert!(error.starts_with("m/tokenizer.json: not JSON: "), "{error}");
        let half = small().to_string().replace(r#""ab":"#, r#""\ud800":"#);
        let error = Tokenizer::from_json("m/tokenizer.json", &half).unwrap_err().to_string();
        assert!(error.starts_with("m/tokenizer.json: not JSON: `model.vocab`: "), "{error}");
    }
}
