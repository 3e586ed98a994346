//! A folder from a stranger: every way it can be wrong has an error that names it.
use std::fs;

use tempfile::TempDir;

use super::*;
use crate::Translator;
use crate::config::CorpusSize;
use crate::text::{Sharing, TextMode, TokenizerSpec};

/// A folder with a whole model.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    let spec = TokenizerSpec { mode: TextMode::Char, sharing: Sharing::Separate, ..TokenizerSpec::default() };
    let tokenizers = Tokenizers::train(&spec, ["ein Haus"], ["a house"]).unwrap();
    let mut config = Config::default();
    (config.model.hidden, config.model.embedding) = (Some(8), Some(4));
    let config = config.resolve(CorpusSize { pairs: 1, words: 2.0, characters: 8.0 }).unwrap();
    let (_, specs) = build(&config, &tokenizers);
    let values: Vec<Vec<f32>> = (0..).zip(&specs).map(|(place, spec)| spec.initial(1, place)).collect();
    Checkpoint::new(config, tokenizers, values).save(dir.path()).unwrap();
    dir
}

/// What is said of a folder after a change to one of its files.
fn said(file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    said_of(&folder(), file, change)
}

/// The same of a given folder; whoever reads it, as a whole or onto a device, says the same.
fn said_of(dir: &TempDir, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    assert!(Checkpoint::load(dir.path()).is_ok());
    let path = dir.path().join(file);
    fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
    let error = Checkpoint::load(dir.path()).unwrap_err();
    let said = |error: CheckpointError| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause}")
            .replace(&format!("{}/", dir.path().display()), "")
            .replace(&dir.path().display().to_string(), "m")
    };
    let said_first = said(error);
    for threads in [1, 3] {
        let loaded = Translator::load_with(dir.path(), threads);
        assert_eq!(said(loaded.unwrap_err()), said_first, "{threads} threads");
    }
    said_first
}

/// With text instead of other text, of the same length in a header.
fn with(from: &str, to: &str) -> impl FnOnce(Vec<u8>) -> Vec<u8> {
    move |bytes| {
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
    }
}

fn header(bytes: &[u8]) -> usize {
    usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap()
}

#[test]
fn a_configuration_that_cannot_be_is_refused() {
    assert_eq!(
        said(CONFIG_FILE, with("\"format\": 1", "\"format\": 2")),
        "`config.json` has format 2, this program reads 1; use a newer lookback"
    );
    assert!(said(CONFIG_FILE, |_| b"{".to_vec()).starts_with("`config.json`: EOF while parsing"));
    assert!(said(CONFIG_FILE, with("\"embedding\": 4", "\"embedding\": 5")).contains("the configuration needs ["));
    assert!(said(CONFIG_FILE, with("\"hidden\": 8", "\"hidden\": null")).contains("must have values"));
    assert!(said(CONFIG_FILE, with("\"hidden\": 8", "\"hiddem\": 8")).contains("hiddem"));
    let tied = said(CONFIG_FILE, |text| {
        let text = String::from_utf8(text).unwrap().replace("\"separate\"", "\"joint\"");
        text.replace("\"tied_embeddings\": \"none\"", "\"tied_embeddings\": \"all\"").into_bytes()
    });
    assert!(tied.starts_with("`config.json`: all embeddings are tied, but the vocabularies have "), "{tied}");
    assert!(said(CONFIG_FILE, |_| vec![0xFF]).starts_with("cannot read `config.json`: "));
    let long = said(CONFIG_FILE, |text| [text, vec![b' '; 1 << 20]].concat());
    assert_eq!(long, "cannot read `config.json`: it is longer than 1048576 bytes");
    let deep = said(CONFIG_FILE, |_| b"{\"a\":".repeat(100_000));
    assert!(deep.contains("recursion limit"), "{deep}");
}

#[test]
fn a_configuration_of_a_monster_is_refused_before_anything_is_allocated() {
    let monster = |text: Vec<u8>| {
        let text = String::from_utf8(text).unwrap();
        text.replace("\"hidden\": 8", "\"hidden\": 1048576")
            .replace("\"encoder_hidden\": 8", "\"encoder_hidden\": 1048576")
            .into_bytes()
    };
    assert_eq!(
        said(CONFIG_FILE, monster),
        "`config.json` describes a model of more than 1073741824 numbers, which is refused"
    );
}

#[test]
fn vocabularies_must_be_those_of_the_configuration() {
    let found = said(CONFIG_FILE, with("\"src\": ", "\"src\": 1"));
    assert!(
        found.starts_with("`m`: the source tokenizer has ") && found.contains(" pieces, `config.json` says 1"),
        "{found}"
    );
    assert!(said("tokenizer.src.json", |_| b"[]".to_vec()).starts_with("tokenizer.src.json: not a JSON object"));
    assert!(
        said("tokenizer.tgt.json", |text| text[..text.len() / 2].to_vec()).starts_with("tokenizer.tgt.json: not JSON")
    );
    let dir = folder();
    fs::remove_file(dir.path().join("tokenizer.src.json")).unwrap();
    assert!(matches!(Checkpoint::load(dir.path()), Err(CheckpointError::Text(TextError::Io { .. }))));
}

#[test]
fn weights_must_be_those_of_the_configuration() {
    let name = "decoder.attention.output.weight";
    let dir = folder();
    let specs = Checkpoint::load(dir.path()).unwrap().specs;
    let name = specs.iter().find(|spec| spec.name == name).unwrap_or(&specs[0]).name.clone();
    let other = name.replace('e', "x");
    assert_eq!(
        said(MODEL_FILE, with(&name, &other)),
        format!("`model.safetensors` holds tensor `{other}`, which the model of `config.json` does not have")
    );
    let types = said(MODEL_FILE, with("\"F32\"", "\"I32\""));
    assert!(types.contains("holds I32, expected F32"), "{types}");
    let swapped = said(MODEL_FILE, |bytes| {
        let stop = 8 + header(&bytes);
        let text = String::from_utf8(bytes[8..stop].to_vec()).unwrap();
        // The first shape that is another one turned round.
        let turned = text.match_indices("\"shape\":[").find_map(|(at, start)| {
            let at = at + start.len();
            let shape = &text[at..at + text[at..].find(']')?];
            let turned = shape.split(',').rev().collect::<Vec<_>>().join(",");
            (turned != shape).then(|| format!("{}{turned}{}", &text[..at], &text[at + shape.len()..]))
        });
        [&bytes[..8], turned.unwrap().as_bytes(), &bytes[stop..]].concat()
    });
    assert!(swapped.contains("has shape") && swapped.contains("the configuration needs"), "{swapped}");
    let nan = said(MODEL_FILE, |mut bytes| {
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        bytes
    });
    assert!(nan.contains("holds a value that is not finite at"), "{nan}");
    let dir = folder();
    let zeros = |spec: &ParamSpec| Tensor {
        name: spec.name.clone(),
        shape: spec.shape.clone(),
        numbers: Numbers::Elsewhere(Box::new(|_, to| to.fill(0.0))),
    };
    write_tensors(&dir.path().join(MODEL_FILE), &specs[1..].iter().map(zeros).collect::<Vec<_>>(), None).unwrap();
    let error = Checkpoint::load(dir.path()).unwrap_err();
    assert!(matches!(&error, CheckpointError::MissingTensor { tensor, .. } if *tensor == specs[0].name), "{error}");
}

#[test]
fn numbers_that_no_model_holds_are_refused_by_tensor_and_place() {
    for (storage, bad, expected) in [
        (Storage::F32, &f32::NEG_INFINITY.to_le_bytes()[..], "holds a value that is not finite at "),
        (Storage::Bf16, &[0x80, 0x7f], "holds a value that is not finite at "),
        (Storage::Int8, &[0x80], "holds -128 at "),
    ] {
        let (dir, full) = (TempDir::new().unwrap(), folder());
        Checkpoint::load(full.path()).unwrap().convert(storage).unwrap().save(dir.path()).unwrap();
        // The first of two bad numbers, in different rows of one matrix.
        let (name, [first, second]) = ("decoder.output.weight", [13, 90]);
        let said = said_of(&dir, MODEL_FILE, |mut bytes| {
            let stop = 8 + header(&bytes);
            let places: safetensors::tensor::Metadata = serde_json::from_slice(&bytes[8..stop]).unwrap();
            let start = stop + places.info(name).unwrap().data_offsets.0;
            for at in [first, second].map(|index| start + index * bad.len()) {
                bytes[at..at + bad.len()].copy_from_slice(bad);
            }
            bytes
        });
        assert!(said.contains(name) && said.contains(&format!("{expected}{first}")), "{said}");
    }
}

#[test]
fn numbers_that_bfloat16_has_not_are_refused_when_a_model_is_converted() {
    let name = "decoder.output.weight";
    let converted = |value: f32, storage| {
        let mut checkpoint = Checkpoint::load(folder().path()).unwrap();
        let place = checkpoint.specs.iter().position(|spec| spec.name == name).unwrap();
        let Stored::F32(values) = &mut checkpoint.values[place] else { panic!("single precision") };
        values[13] = value;
        checkpoint.convert(storage)
    };
    // The largest number is 255·2¹²⁰; half a unit above it, 255.5·2¹²⁰, is rounded to infinity.
    let half = f32::from_bits(0x7f7f_8000);
    for (value, is_finite) in [(half.next_down(), true), (-half.next_down(), true), (half, false), (f32::MIN, false)] {
        match converted(value, Storage::Bf16) {
            Ok(fits) => {
                assert!(is_finite, "{value}");
                let dir = TempDir::new().unwrap();
                fits.save(dir.path()).unwrap();
                assert!(Checkpoint::load(dir.path()).is_ok());
            }
            Err(error) => {
                let said = error.to_string();
                assert!(!is_finite && said.contains(name) && said.contains(&format!("{value} at 13")), "{said}");
            }
        }
        assert!(converted(value, Storage::Int8).is_ok());
    }
}

#[test]
fn a_weights_file_is_whole_and_nothing_more() {
    let trailing = said(MODEL_FILE, |bytes| [bytes, vec![0; 4]].concat());
    assert!(
        trailing.starts_with("`model.safetensors`: its tensors take ") && trailing.ends_with(" are there"),
        "{trailing}"
    );
    assert!(said(MODEL_FILE, |bytes| bytes[..bytes.len() - 1].to_vec()).contains("are there"));
    assert_eq!(said(MODEL_FILE, |_| b"short".to_vec()), "`model.safetensors`: 5 bytes are no safetensors file");
    let endless = said(MODEL_FILE, |bytes| [&u64::MAX.to_le_bytes(), &bytes[8..]].concat());
    assert_eq!(endless, format!("`model.safetensors`: its header would be {} bytes long", u64::MAX));
    assert!(said(MODEL_FILE, |bytes| [&bytes[..8], &vec![b'['; bytes.len() - 8]].concat()).contains("its header: "));
    // The second tensor begins where the first one does.
    let overlap = said(MODEL_FILE, |bytes| {
        let stop = 8 + header(&bytes);
        let text = String::from_utf8(bytes[8..stop].to_vec()).unwrap();
        let second = text.match_indices("\"data_offsets\":[").nth(1).unwrap().0 + 16;
        let comma = second + text[second..].find(',').unwrap();
        let zero = format!("{}{:<width$}{}", &text[..second], 0, &text[comma..], width = comma - second);
        [&bytes[..8], zero.as_bytes(), &bytes[stop..]].concat()
    });
    assert!(overlap.contains("its header: "), "{overlap}");
}

#[test]
fn what_cannot_be_read_or_written_is_named() {
    let dir = TempDir::new().unwrap();
    assert!(
        matches!(Checkpoint::load(dir.path()), Err(CheckpointError::Read { path, .. }) if path.ends_with(CONFIG_FILE))
    );
    let path = dir.path().join("no/where");
    let error = write_tensors(&path, &[], None).unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write `{}`", path.display()));
    let folder = folder();
    fs::remove_file(folder.path().join(MODEL_FILE)).unwrap();
    fs::create_dir(folder.path().join(MODEL_FILE)).unwrap();
    let error = Checkpoint::load(folder.path()).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "it is not a regular file");
}
