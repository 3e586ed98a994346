//! What a receipt proves.

use std::fs;

use tempfile::TempDir;

use crate::program::{SMALL, pairs, run};

#[test]
fn a_folder_is_verified_and_reproduced_by_its_receipt() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    let args = format!("train --columns 1,2 pairs.tsv --out m {SMALL} --set train.max_updates=6 --seed 5");
    run(dir.path(), &args, "").ok();
    let receipt: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(dir.path().join("m/receipt.json")).unwrap()).unwrap();
    assert_eq!(
        (&receipt["seed"], &receipt["ended"], &receipt["precision"]),
        (&5.into(), &"limit".into(), &"f32".into())
    );
    assert_eq!(receipt["provenance"]["inputs"][0]["path"], "pairs.tsv");
    let signature = receipt["validation"]["scores"]["bleu"]["signature"].as_str().unwrap();
    assert!(signature.starts_with("nrefs:1|case:mixed"), "{signature}");
    for file in ["model.safetensors", "config.json", "tokenizer.src.json", "tokenizer.tgt.json"] {
        assert_eq!(receipt["files"][file].as_str().map(str::len), Some(64), "{file}");
    }

    let said = run(dir.path(), "verify m", "").ok();
    assert_eq!(said.lines().filter(|line| line.starts_with("same ")).count(), 4, "{said}");
    let said = run(dir.path(), "reproduce m", "").ok();
    assert_eq!(said.lines().filter(|line| line.starts_with("same bytes")).count(), 4, "{said}");

    // The data are somewhere else now, or are others.
    fs::rename(dir.path().join("pairs.tsv"), dir.path().join("moved.tsv")).unwrap();
    let said = run(dir.path(), "reproduce m", "").failed(3);
    assert!(said.contains("pairs.tsv"), "{said}");
    run(dir.path(), "reproduce m moved.tsv --threads 2", "").ok();
    let said = run(dir.path(), "reproduce m moved.tsv moved.tsv", "").failed(2);
    assert!(said.contains("2 files for 1; in this order: pairs pairs.tsv"), "{said}");
    fs::write(dir.path().join("moved.tsv"), format!("{}1 Jan 2001\t2001-01-01\n", pairs())).unwrap();
    let said = run(dir.path(), "reproduce m moved.tsv", "").failed(3);
    assert!(said.contains("it is not the file the model was made of"), "{said}");

    // One byte of the weights, or a file, is another.
    let weights = dir.path().join("m/model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&weights, bytes).unwrap();
    fs::remove_file(dir.path().join("m/tokenizer.tgt.json")).unwrap();
    let ran = run(dir.path(), "verify m", "");
    assert!(
        ran.out.contains("CHANGED  model.safetensors") && ran.out.contains("MISSING  tokenizer.tgt.json"),
        "{}",
        ran.out
    );
    assert!(ran.failed(1).contains("2 of 4 files are not those of the receipt"));
}

#[test]
fn a_receipt_from_a_stranger_chooses_no_option_and_no_file_elsewhere() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    run(dir.path(), &format!("train pairs.tsv --out m {SMALL} --set train.max_updates=2"), "").ok();
    let path = dir.path().join("m/receipt.json");
    let whole = fs::read_to_string(&path).unwrap();
    for (from, to, verb, code, why) in [
        (
            r#""role": "pairs""#,
            r#""role": "tensorboard""#,
            "reproduce",
            3,
            "`tensorboard` is not an argument of `train`",
        ),
        (r#""role": "pairs""#, r#""role": "\u001b[2Jout""#, "reproduce", 3, "`␛[2Jout` is not an argument"),
        (r#""columns": null"#, r#""columns": "1,2 --out=x""#, "reproduce", 3, "1,2 --out=x"),
        (r#""config.json""#, r#""../pairs.tsv""#, "verify", 1, "`../pairs.tsv` is not a file of a model folder"),
    ] {
        assert_eq!(whole.matches(from).count(), 1, "{from}: {whole}");
        fs::write(&path, whole.replace(from, to)).unwrap();
        let said = run(dir.path(), &format!("{verb} m"), "").failed(code);
        assert!(said.contains(why), "{said}");
    }
    // A file that the receipt leaves out is not passed over.
    let mut value: serde_json::Value = serde_json::from_str(&whole).unwrap();
    value["files"].as_object_mut().unwrap().remove("model.safetensors");
    fs::write(&path, value.to_string()).unwrap();
    let ran = run(dir.path(), "verify m", "");
    assert!(ran.out.contains("UNKNOWN  model.safetensors"), "{}", ran.out);
    ran.failed(1);
}

#[test]
fn a_model_is_reproduced_with_the_instructions_it_was_made_with() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    run(dir.path(), &format!("train pairs.tsv --out m {SMALL} --set train.max_updates=6 --isa portable"), "").ok();
    let said = run(dir.path(), "reproduce m", "").ok();
    assert!(!said.contains("DIFFERENT"), "{said}");
}

#[test]
fn a_training_proves_that_it_resumes() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    let args = format!("train pairs.tsv {SMALL} --checkpoint-every 5u --verify-resume=30");
    let ran = run(dir.path(), &args, "");
    assert!(ran.err.contains("killed at update"), "{}", ran.err);
    assert!(ran.err.contains("every file has the bytes of the undisturbed run"), "{}", ran.err);
    ran.ok();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    let said = run(dir.path(), "train - --verify-resume", "a\tb\n").failed(2);
    assert!(said.contains("write the stream to a file"), "{said}");
}
