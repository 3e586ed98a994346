//! What several tests of trainings need.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lookback::train::{Event, Observer, StopFlag, without_times};

/// Every file of a folder and of the folders in it by name, the receipt aside; lines of metrics without their times.
pub(crate) fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(contents(&path).into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
            continue;
        }
        if name == "receipt.json" {
            continue;
        }
        let mut bytes = fs::read(&path).expect("a file");
        if name == "metrics.jsonl" {
            let text = String::from_utf8(bytes).expect("text");
            let timeless = text.lines().map(|line| without_times(line).expect("JSON").to_string());
            bytes = timeless.collect::<Vec<_>>().join("\n").into_bytes();
        }
        files.insert(name, bytes);
    }
    files
}

/// Asks to stop after an update.
pub(crate) struct StopAfter<'a>(pub(crate) u64, pub(crate) &'a StopFlag);

impl Observer for StopAfter<'_> {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Update(report) = event
            && report.update == self.0
        {
            self.1.stop();
        }
    }
}
