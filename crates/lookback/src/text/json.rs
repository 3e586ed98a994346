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
        if is_reserved(&whole) {
            return Err(format!("merge {rank} spells the reserved piece {whole:?}"));
        }
        merges.push((left.to_owned(), right.to_owned()));
    }
    Ok(merges)
}
