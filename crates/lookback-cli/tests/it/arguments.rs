//! Help, usage, configuration, data: what is refused, how, and with which exit code.

use std::fs;

use tempfile::TempDir;

use crate::program::{pairs, run, trained};

#[test]
fn every_help_has_examples_and_the_short_one_fits_one_screen() {
    let dir = TempDir::new().unwrap();
    let verbs = [
        "",
        "quickstart",
        "train",
        "doctor",
        "translate",
        "eval",
        "score",
        "attend",
        "align",
        "explain",
        "average",
        "convert",
        "shortlist",
        "inspect",
        "verify",
        "reproduce",
        "study",
        "tokenize",
        "detokenize",
    ];
    for verb in verbs.into_iter().chain(["help", "completions", "man"]) {
        for flag in ["--help", "-h"] {
            let help = run(dir.path(), &format!("{verb} {flag}"), "").ok();
            assert!(help.contains("\nExamples:\n  "), "{verb}: {help}");
            let is_short = flag == "-h" || !help.contains("(see a summary with '-h')");
            assert!(!is_short || help.lines().count() <= 40, "{verb} has {} lines:\n{help}", help.lines().count());
            assert!(help.lines().all(|line| line.chars().count() <= 100), "{verb}:\n{help}");
        }
    }
}

#[test]
fn usage_errors_exit_with_2() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), pairs()).unwrap();
    for args in [
        "",
        "trian",
        "train p.tsv",
        "train --out m",
        "train p.tsv --out m --src a",
        "train p.tsv --out m --columns 0,1",
        "train p.tsv --out m --columns 1,1",
        "train p.tsv --out m --seed 9223372036854775808",
        "train p.tsv --out m --resume --overwrite",
        "train p.tsv --out m --config nowhere.toml",
        "translate",
        "eval --ref r",
        "eval --hyp h --ref r -m m",
        "eval p.tsv",
        "eval --hyp p.tsv --ref p.tsv --beam-size 2",
        "eval --hyp p.tsv --ref p.tsv --hyp-out h",
        "eval --hyp p.tsv --ref p.tsv --columns 1,2",
        "eval --hyp p.tsv --ref p.tsv --src p.tsv",
        "eval -m m --src p.tsv --ref p.tsv --columns 1,2",
        "attend -m m -i p.tsv --columns 1,2",
        "train p.tsv --out m --valid p.tsv --valid-tgt p.tsv",
        "train --src p.tsv --tgt p.tsv --columns 1,2 --out m",
        "attend -m m --pairs p.tsv -b 3",
        "translate -m m --sample -b 3 x",
        "translate -m m --sample --must y x",
        "translate -m m --top-p 0.9 x",
        "translate -m m -i p.tsv x",
        "translate -m m --prefix a --prefix-file p.tsv",
        "translate -m m --json-input --prefix-file p.tsv",
        "score p.tsv",
        "score -m m --src p.tsv",
        "score -m m p.tsv --src p.tsv --tgt p.tsv",
        "score -m m --n-best p.tsv",
        "score -m m p.tsv --weights 1,2",
        "score -m m --src p.tsv --n-best p.tsv --weights 1 --length-penalty 1",
        "attend -m m -o page.pdf",
        "attend -m m -o a.jsonl --words",
        "attend -m m -o a.html --style heat",
        "attend -m m -o a.npz --pieces",
        "attend -m m -o a.jsonl --threshold 0.5",
        "attend -m m -o a.pharaoh --threshold 1",
        "translate -m m --alignment=sharp",
        "translate -m m --alignment soft",
        "translate -m m --attention-format npz",
        "help nothing",
        "completions tcsh",
        "inspect m --color sometimes",
        "quickstart numbers",
        "doctor",
        "doctor -",
        "doctor p.tsv --src p.tsv --tgt p.tsv",
        "doctor --src p.tsv --tgt p.tsv --columns 1,2",
        "doctor p.tsv --drop copied",
        "doctor p.tsv --fix x --drop typo",
        "doctor p.tsv --fix x --drop drift",
        "doctor p.tsv --fix x --keep utf8",
        "doctor p.tsv --fix x --keep quotes",
        "doctor p.tsv --fix x --keep bidi --drop bidi",
        "doctor p.tsv --fix x --keep duplicate --drop near-duplicate",
        "doctor p.tsv --fix .",
    ] {
        let said = run(dir.path(), args, "").failed(2);
        assert!(!said.is_empty(), "{args}");
    }
}

#[test]
fn unknown_keys_exit_with_2_and_suggest_the_nearest() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), pairs()).unwrap();
    let said = run(dir.path(), "train p.tsv --out m --set train.max_update=3", "").failed(2);
    assert!(said.contains("unknown key `train.max_update`; did you mean `train.max_updates`?"), "{said}");
    fs::write(dir.path().join("run.toml"), "[model]\nhiden = 3\n").unwrap();
    let said = run(dir.path(), "train p.tsv --out m -c run.toml", "").failed(2);
    assert!(said.contains("run.toml: unknown key `model.hiden`; did you mean `model.hidden`?"), "{said}");
    assert!(said.starts_with("error: ") && said.lines().count() == 1, "{said}");
    assert!(!dir.path().join("m").exists(), "nothing is written before the configuration is known");
}

#[test]
fn data_errors_exit_with_3_and_name_file_and_line() {
    let dir = TempDir::new().unwrap();
    let cases: [(&[u8], &str); 4] = [
        (b"a\tb\nab\n", "p.tsv:2: 1 column(s)"),
        (b"a\tb\n\tb\n", "p.tsv:2: the source is empty"),
        (b"a\tb\xFF\n", "p.tsv:1: not UTF-8 at byte 4"),
        (b"a\tb\tc\n", "p.tsv:1: 3 columns; say which two are source and target with --columns"),
    ];
    for (content, said) in cases {
        fs::write(dir.path().join("p.tsv"), content).unwrap();
        let error = run(dir.path(), "train p.tsv --out m", "").failed(3);
        assert!(error.starts_with(&format!("error: {said}")), "{error}");
    }
    let error = run(dir.path(), "train nowhere.tsv --out m", "").failed(3);
    assert_eq!(error.matches("nowhere.tsv").count(), 1, "{error}");
    assert_eq!(error.matches("os error").count(), 1, "each cause is told once: {error}");
}

#[test]
fn a_dumped_configuration_reproduces_itself() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), pairs()).unwrap();
    let first = run(dir.path(), "train p.tsv --dump-config --set model.hidden=64 --seed 9", "").ok();
    assert!(
        first.contains("hidden = 64") && first.contains("seed = 9") && first.contains("mode = \"char\""),
        "{first}"
    );
    fs::write(dir.path().join("run.toml"), &first).unwrap();
    let second = run(dir.path(), "train p.tsv --dump-config -c run.toml", "").ok();
    assert_eq!(first, second);
    let added = run(dir.path(), "train p.tsv --out m --dump-config -c run.toml", "").ok();
    assert_eq!(first, added, "a command of a training can be asked for its configuration");
    for ignored in ["--resume", "--overwrite"] {
        let said = run(dir.path(), &format!("train p.tsv --dump-config {ignored}"), "").failed(2);
        assert!(said.contains("cannot be used with"), "{ignored}: {said}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is trained");
}

#[test]
fn a_missing_model_is_an_error_that_names_its_file() {
    let dir = TempDir::new().unwrap();
    for args in [
        "translate -m nowhere",
        "score -m nowhere p.tsv",
        "inspect nowhere",
        "attend -m nowhere",
        "eval -m nowhere p.tsv",
    ] {
        fs::write(dir.path().join("p.tsv"), pairs()).unwrap();
        let said = run(dir.path(), args, "x\n").failed(1);
        assert!(said.contains("nowhere/config.json") || said.contains("nowhere\\config.json"), "{args}: {said}");
    }
}

#[test]
fn a_value_is_said_once_and_what_does_nothing_is_refused() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), pairs()).unwrap();
    for (args, said) in [
        ("--corpus-weights 2 --set data.corpus_weights=[3]", "--corpus-weights and --set data.corpus_weights= say"),
        ("--seed 2 --set seed=3", "--seed and --set seed= say"),
        ("--checkpoint-every 5u --set train.checkpoint_every=9", "--checkpoint-every and --set"),
        ("--set data.stream_buffer=100", "data.stream_buffer: files are read whole"),
        ("--valid -", "pairs to validate on are read from files"),
        ("--set text.mode=word --set text.min_frequency=1000", "no word is seen 1000 times"),
    ] {
        let error = run(dir.path(), &format!("train p.tsv --out m {args}"), "").failed(2);
        assert!(error.contains(said), "{args}: {error}");
    }
    let error = run(dir.path(), "train --src - --tgt p.tsv --out m", "").failed(2);
    assert!(error.contains("given as `-` alone"), "{error}");
}

#[test]
fn words_of_other_toolkits_are_understood_or_lead_to_ours() {
    let translate = |args: &str| run(trained(), &format!("translate -m m {args}"), "3 May 1999\n");
    assert_eq!(translate("--n_best=2 --beam_size 4 --cpu-threads 1").ok(), translate("--n-best 2 -b 4").ok());
    assert_eq!(translate("--batch-size 1").ok(), translate("").ok());
    let error = translate("--max-length 9").failed(2);
    assert!(error.contains("--max-length-extra N"), "{error}");
    for (flag, key) in [("--batch-size", "train.batch_tokens"), ("--max_epochs", "train.max_epochs")] {
        let error = run(trained(), &format!("train pairs.tsv --out x {flag} 9"), "").failed(2);
        assert!(error.contains(&format!("configuration: --set {key}=…")), "{error}");
    }
    // What a verb does not take is not offered to it.
    for verb in ["translate -m m", "--threads 2 doctor pairs.tsv", "score -m m pairs.tsv"] {
        let error = run(trained(), &format!("{verb} --lr 9"), "").failed(2);
        assert!(error.contains("configuration: lookback train --set train.learning_rate=…"), "{error}");
    }
    let error = run(trained(), "train pairs.tsv --out x --max-length 9", "").failed(2);
    assert!(!error.contains("--max-length-extra"), "{error}");
    let error = translate("-b 0").failed(2);
    assert!(error.contains("beam_size: 0 is not between 1 and 1024"), "{error}");
    let error = translate("--n-best 0").failed(2);
    assert!(error.contains("--n-best must") && !error.contains("--batch"), "{error}");
    let error = run(trained(), "tokenize", "").failed(2);
    assert!(error.contains("--model") && error.contains("--tokenizer"), "{error}");
}

#[test]
fn a_file_where_a_sentence_stands_is_not_translated_by_its_name() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("news.de"), "3 May 1999\n").unwrap();
    let model = trained().join("m").display().to_string();
    for verb in ["translate", "attend"] {
        for files in ["news.de", "news.de news.de"] {
            let said = run(dir.path(), &format!("{verb} -m {model} {files}"), "").failed(2);
            assert!(said.contains("`news.de` is a file") && said.contains("-i news.de"), "{verb}: {said}");
        }
        // Beside other words it is one of them.
        run(dir.path(), &format!("{verb} -m {model} news.de 1999"), "").ok();
    }
}

#[test]
fn a_folder_that_is_no_model_is_the_same_failure_for_every_verb() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join("empty")).unwrap();
    for verb in ["inspect", "verify", "reproduce", "translate -m"] {
        for folder in ["nowhere", "empty"] {
            let said = run(dir.path(), &format!("{verb} {folder}"), "").failed(1);
            assert!(said.contains("config.json"), "{verb} {folder}: {said}");
        }
    }
}

#[test]
fn a_seed_and_a_base_that_cannot_be_say_what_can() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), pairs()).unwrap();
    for seed in ["9223372036854775808", "99999999999999999999", "x"] {
        let said = run(dir.path(), &format!("train p.tsv --out m --seed {seed}"), "").failed(2);
        assert!(said.contains("a seed is a whole number from 0 to 9223372036854775807"), "{said}");
    }
    let said = run(dir.path(), "eval --aer p.tsv --hyp p.tsv --gold-base 2", "").failed(2);
    assert!(said.contains("positions are counted from 0 or from 1"), "{said}");
}
