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
    for more in
        ["", "--checkpoint-every 5u --set train.keep_checkpoints=2 --set train.keep_best=cer --set train.ema=0.9"]
    {
        let args = format!("train pairs.tsv {SMALL} {more} --verify-resume=30");
        let ran = run(dir.path(), &args, "");
        assert!(ran.err.contains("killed at update"), "{}", ran.err);
        assert!(ran.err.contains("every file has the bytes of the undisturbed run"), "{}", ran.err);
        let resumed = ran.err.lines().filter_map(|line| line.split_once("resumed after update ")?.1.parse().ok());
        assert!(resumed.max() > Some(0), "{}", ran.err);
        ran.ok();
    }
    // A run that the clock decides is not the same twice.
    let args = format!("train pairs.tsv {SMALL} --set train.validate_every=0.01s --verify-resume=30");
    let said = run(dir.path(), &args, "").failed(1);
    assert!(said.contains("these files differ: ") && said.contains("metrics.jsonl"), "{said}");
    // No state comes before the end.
    let args = format!("train pairs.tsv {SMALL} --checkpoint-every 1h --verify-resume=30");
    let said = run(dir.path(), &args, "").failed(1);
    assert!(said.contains("no kill came behind a state with updates"), "{said}");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
    let said = run(dir.path(), "train - --verify-resume", "a\tb\n").failed(2);
    assert!(said.contains("write the stream to a file"), "{said}");
}

#[test]
fn every_kind_of_input_is_in_the_receipt_and_read_again() {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("pairs.tsv", &pairs());
    let some: String = pairs().lines().take(30).flat_map(|line| [line, "\n"]).collect();
    write("more.tsv", &some);
    write("pairs.links", &"0-0\n".repeat(220));
    write("gold.tsv", &some);
    write("gold.links", &"0-0\n".repeat(30));
    write("words.txt", "May 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
    run(dir.path(), &format!("train pairs.tsv --out base {SMALL} --set train.max_updates=2"), "").ok();
    let by_words = SMALL.replace("text.mode=char", "text.mode=word");
    let ways = [
        ("several", format!("pairs.tsv more.tsv --corpus-weights 1,2 --valid gold.tsv {SMALL}"), ""),
        ("further", "pairs.tsv --init-from base --set data.hold_out=20".to_owned(), ""),
        (
            "guided",
            format!("pairs.tsv --guided-alignment pairs.links --align-pairs gold.tsv --align-gold gold.links {SMALL}"),
            "",
        ),
        ("vectors", format!("pairs.tsv --src-vectors words.txt {by_words}"), ""),
        (
            "tokens",
            format!(
                "pairs.tsv --src-tokenizer base/tokenizer.src.json --tgt-tokenizer base/tokenizer.tgt.json {}",
                SMALL.replace("--set text.mode=char", "")
            ),
            "",
        ),
        ("stream", format!("- {SMALL}"), &*pairs()),
    ];
    for (name, way, stdin) in &ways {
        run(dir.path(), &format!("train --out {name} {way} --set train.max_updates=4"), stdin).ok();
        let said = run(dir.path(), &format!("reproduce {name}"), stdin).ok();
        assert!(said.contains("same bytes model.safetensors") && !said.contains("DIFFERENT"), "{name}: {said}");
    }
    // Another model to start from, vectors or links.
    write("words.txt", "May 2 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
    write("gold.links", &"0-0 1-0\n".repeat(30));
    run(dir.path(), &format!("train pairs.tsv --out base {SMALL} --overwrite --set train.max_updates=3"), "").ok();
    for (name, input) in [("further", "base"), ("vectors", "words.txt"), ("guided", "gold.links")] {
        let said = run(dir.path(), &format!("reproduce {name}"), "").failed(3);
        assert!(said.contains(&format!("{input}: it is not the file the model was made of")), "{said}");
    }
    let said = run(dir.path(), "train pairs.tsv --init-from base --out ./base/ --overwrite", "").failed(2);
    assert!(said.contains("--overwrite of `./base/` would throw away the model to start from, `base`"), "{said}");
    run(dir.path(), "verify base", "").ok();
}

#[test]
fn a_run_that_did_not_go_straight_through_is_not_reproduced_and_says_why() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    let train = |out: &str, more: &str| run(dir.path(), &format!("train pairs.tsv --out {out} {SMALL} {more}"), "");
    train("moved", "--set train.max_updates=3").ok();
    run(dir.path(), "reproduce moved", "").ok();
    train("moved", "--set train.max_updates=5 --resume").ok();
    let said = run(dir.path(), "reproduce moved", "").failed(2);
    assert!(said.contains("did not go straight through (a limit that it had met after update 3 was moved)"), "{said}");
    let steep =
        "--set train.learning_rate=3e36 --set train.warmup=1 --set train.schedule=constant --set train.clip_norm=0.0";
    let ran = train("back", &format!("{steep} --on-divergence rollback --set train.max_updates=5"));
    assert!(ran.err.contains("back to update 0, with 0.5 of the learning rate"), "{}", ran.err);
    assert!(ran.err.contains("done after 5 updates"), "{}", ran.err);
    let said = run(dir.path(), "reproduce back", "").failed(2);
    assert!(said.contains("it went back to update 0 with the rate times 0.5"), "{said}");
}

#[test]
fn what_can_be_refused_before_the_corpus_is_read_is() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("pairs.tsv"), pairs()).unwrap();
    let train = |more: &str| run(dir.path(), &format!("train pairs.tsv {SMALL} --set train.max_updates=2 {more}"), "");
    train("--out m").ok();
    for (more, code, why) in [
        ("--out m", 2, "`m` holds a training already"),
        ("--out nowhere --resume", 2, "there is no such folder"),
        ("--out new --set model.hidden=0", 2, "model.hidden: 0 is "),
        ("--out new --set train.metric=aer", 2, "no known links were given"),
        ("--out m --overwrite --init-from m", 2, "--overwrite of `m` would throw away the model to start from"),
    ] {
        let ran = train(more);
        assert!(!ran.err.contains("read pairs.tsv"), "{more}: {}", ran.err);
        let said = ran.failed(code);
        assert!(said.contains(why), "{more}: {said}");
    }
    assert!(!dir.path().join("new").exists());

    // What is chosen lies between the smallest and the largest corpus.
    let long: String =
        (0..40).map(|i| format!("{i} one two three four five six seven eight\tnine and {i}\n")).collect();
    fs::write(dir.path().join("long.tsv"), long).unwrap();
    let between = "train long.tsv --dump-config --set text.bpe_dropout=0.1 --set model.encoder_hidden=256";
    assert!(run(dir.path(), between, "").ok().contains("hidden = 256"));

    // A run whose metrics are gone says so and goes on.
    fs::remove_file(dir.path().join("m/metrics.jsonl")).unwrap();
    let ran = train("--out m --resume --set train.max_updates=3");
    assert!(ran.err.contains("warning: its metrics.jsonl is gone; a new one begins here"), "{}", ran.err);
    let ran = train("--out m --resume --set train.max_updates=4");
    assert!(!ran.err.contains("metrics.jsonl"), "{}", ran.err);
    ran.ok();
}
