//! Metrics beside what sacreBLEU computed.

#[path = "../../examples/metrics/settings.rs"]
mod settings;

mod digits;
mod significance;

/// The JSON of `fixtures/{name}.json.gz`.
fn fixture<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let path = format!("{}/../../fixtures/{name}.json.gz", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("cannot read {path}: {e}"));
    serde_json::from_reader(std::io::BufReader::new(flate2::read::GzDecoder::new(file))).unwrap()
}
