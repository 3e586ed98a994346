//! The folder of a study: whose it is, and how files get into it.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::bench::Settings;
use super::{StudyData, StudyError};
use crate::checkpoint::{CheckpointError, write_whole};
use crate::data::fingerprint;
use crate::read_bounded::read_text;

/// Says whose the folder is.
const MARK_FILE: &str = "study.json";
/// The longest mark that is read, in bytes.
const MOST_BYTES: u64 = 1 << 20;

/// Takes the folder for a study: it is new, empty, or the same study's.
pub(super) fn take(dir: &Path, settings: &Settings, data: Option<&StudyData>) -> Result<(), StudyError> {
    let path = dir.join(MARK_FILE);
    let mark = mark(settings, data)?;
    match read_text(&path, MOST_BYTES) {
        Ok(text) => {
            let damaged = |e: serde_json::Error| CheckpointError::Damaged { path, message: e.to_string() };
            let found: Map<String, Value> = serde_json::from_str(&text).map_err(damaged)?;
            let differs = mark.iter().find(|(key, value)| found.get(*key) != Some(value));
            match differs {
                None => Ok(()),
                Some((key, value)) => {
                    let then = found.get(key).unwrap_or(&Value::Null);
                    let what = match key.as_str() {
                        "pairs" | "valid" | "test" => format!("the {key} were others"),
                        _ => format!("`{key}` was {then}, not {value}"),
                    };
                    Err(StudyError::Another { dir: dir.to_owned(), what })
                }
            }
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            let is_empty = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_none());
            if dir.exists() && !is_empty {
                return Err(StudyError::Occupied { dir: dir.to_owned() });
            }
            write(&path, format!("{:#}\n", Value::Object(mark)).as_bytes())
        }
        Err(source) => Err(CheckpointError::Read { path, source }.into()),
    }
}

/// What has to be the same when a study goes on.
fn mark(settings: &Settings, data: Option<&StudyData>) -> Result<Map<String, Value>, StudyError> {
    let sum = |corpus: Option<&crate::data::Corpus>| corpus.map(|corpus| fingerprint(&corpus.pairs)).transpose();
    let mark = json!({
        "study": settings.study,
        "extent": settings.extent,
        "settings": settings.given,
        "pairs": sum(data.map(|data| &data.pairs))?,
        "valid": sum(data.and_then(|data| data.valid.as_ref()))?,
        "test": sum(data.and_then(|data| data.test.as_ref()))?,
    });
    Ok(match mark {
        Value::Object(map) => map,
        _ => Map::new(),
    })
}

/// Writes a file whole, in a folder that is made if need be.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), StudyError> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write`], of what `content` writes.
pub(super) fn write_with(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), StudyError> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir).map_err(|source| CheckpointError::Write { path: dir.to_owned(), source })?;
    }
    Ok(write_whole(path, content)?)
}
