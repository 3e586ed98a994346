//! Reading `tokenizer.json`: strictly what we write, because decoding and the round trip rest on it.
use serde_json::{Map, Value};

use super::escape::META;
use super::tokenizer::{Tokenizer, byte_piece, is_reserved};
use super::{SPECIALS, TextError};

impl Tokenizer {
    /// Reads what [`to_json`](Self::to_json) wrote. `name` is the file's name, for messages.
    ///
    /// # Errors
    /// [`TextError::Invalid`] if the text is not JSON, the specials are not ids 0 to 3, ids have a gap, a byte piece or `▁`
    /// is missing, a merge does not fit, or anything around the model differs from what lookback writes.
    pub fn from_json(name: &str, json: &str) -> Result<Self, TextError> {
        parse(json).map_err(|reason| TextError::Invalid { name: name.to_owned(), reason })
    }
}

fn parse(json: &str) -> Result<Tokenizer, String> {
    let file: Value = serde_json::from_str(json).map_err(|error| format!("not JSON: {error}"))?;
    let file = file.as_object().ok_or("not a JSON object")?;
    let model = file.get("model").and_then(Value::as_object).ok_or("no object under `model`")?;
    let pieces = pieces(model.get("vocab").and_then(Value::as_object).ok_or("no object under `model.vocab`")?)?;
    let merges = merges(model.get("merges").and_then(Value::as_array).ok_or("no list under `model.merges`")?)?;

    let tokenizer = Tokenizer::new(pieces, merges).map_err(|error| format!("`model`: {error}"))?;
    let written: Value = serde_json::from_str(&tokenizer.to_json()).map_err(|error| error.to_string())?;
    let written = written.as_object().ok_or("not a JSON object")?;
    let written_model = written.get("model").and_then(Value::as_object).ok_or("no object under `model`")?;
    same_settings("", written, file, &["model", "version"])?;
    same_settings("model.", written_model, model, &["vocab", "merges"])?;
    Ok(tokenizer)
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
fn pieces(vocab: &Map<String, Value>) -> Result<Vec<String>, String> {
    let mut pieces = vec![None; vocab.len()];
    for (piece, id) in vocab {
        let id = id.as_u64().ok_or_else(|| format!("piece {piece:?} has the id {id}, which is not a number from 0"))?;
        let slot = usize::try_from(id).ok().and_then(|id| pieces.get_mut(id));
        let slot = slot.ok_or_else(|| {
            format!("piece {piece:?} has the id {id}, but {} pieces have the ids 0 to {}", vocab.len(), vocab.len() - 1)
        })?;
        if let Some(other) = slot.replace(piece.as_str()) {
            return Err(format!("pieces {other:?} and {piece:?} have the same id {id}"));
        }
    }
    // As many pieces as ids, none twice: no gap is left.
    let pieces: Vec<String> = pieces.into_iter().flatten().map(str::to_owned).collect();

    for (id, special) in SPECIALS.iter().enumerate() {
        if pieces.get(id).map(String::as_str) != Some(special) {
            return Err(format!("id {id} must be {special:?}, it is {:?}", pieces.get(id)));
        }
    }
    for byte in 0..=255 {
        if !vocab.contains_key(&byte_piece(byte)) {
            return Err(format!("the byte piece {} is missing", byte_piece(byte)));
        }
    }
    if !vocab.contains_key(META.encode_utf8(&mut [0; 4]) as &str) {
        return Err(format!("the piece {META} (a space) is missing"));
    }
    if vocab.contains_key("") {
        return Err("there is an empty piece".to_owned());
    }
    Ok(pieces)
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

    fn small() -> Value {
        let mut pieces: Vec<String> = SPECIALS.iter().map(|name| (*name).to_owned()).collect();
        pieces.extend((0..=255).map(byte_piece));
        pieces.extend([META.to_string(), "a".to_owned(), "b".to_owned(), "ab".to_owned()]);
        let tokenizer = Tokenizer::new(pieces, vec![("a".to_owned(), "b".to_owned())]).unwrap();
        serde_json::from_str(&tokenizer.to_json()).unwrap()
    }

    /// What reading says after the file was changed.
    fn complaint(change: impl FnOnce(&mut Value)) -> String {
        let mut file = small();
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
    fn every_flaw_is_named_with_the_file() {
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
        let error = Tokenizer::from_json("m/tokenizer.json", "{").unwrap_err().to_string();
        assert!(error.starts_with("m/tokenizer.json: not JSON: "), "{error}");
    }
}
