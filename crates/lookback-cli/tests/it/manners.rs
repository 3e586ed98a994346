//! How the program behaves among others: exit codes, closed pipes, colours, help, completions, manual pages.

use std::fs;

use tempfile::TempDir;

use crate::program::{command, pairs, run, trained};

/// A folder with data, a model `m`, and a damaged one, `broken`.
fn folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, text: &[u8]| fs::write(dir.path().join(name), text).unwrap();
    write("pairs.tsv", pairs().as_bytes());
    write("short", b"a\n");
    write("long", b"a\nb\n");
    write("bad.tsv", b"a\tb\nc\n");
    write("bad", b"a\n\xFF\n");
    for model in ["m", "broken"] {
        fs::create_dir(dir.path().join(model)).unwrap();
        for file in fs::read_dir(trained().join("m")).unwrap().map(Result::unwrap).filter(|file| file.path().is_file())
        {
            fs::copy(file.path(), dir.path().join(model).join(file.file_name())).unwrap();
        }
    }
    write("broken/model.safetensors", b"nonsense");
    dir
}

#[test]
fn every_verb_ends_with_the_code_that_tells_whose_turn_it_is() {
    let dir = folder();
    let table = [
        ("quickstart dates --set train.max_update=1", 2),
        ("quickstart dates --out m", 2),
        ("quickstart dates --out short", 2),
        ("train pairs.tsv --dump-config", 0),
        ("train pairs.tsv --out short", 1),
        ("train pairs.tsv --out m", 2),
        ("train bad.tsv --out new", 3),
        ("doctor pairs.tsv", 0),
        ("doctor bad.tsv", 3),
        ("doctor pairs.tsv --fix m", 2),
        ("translate -m m -i short", 0),
        ("translate -m broken -i short", 1),
        ("translate -m m -b 0 -i short", 2),
        ("translate -m m -i bad", 3),
        ("translate -m m -i nowhere", 3),
        ("translate -m m -i short -o no/where", 1),
        ("translate -m m -i short --attention no/where.npz", 1),
        ("eval --ref long --hyp long", 0),
        ("eval -m broken pairs.tsv", 1),
        ("eval --ref long", 2),
        ("eval --ref long --hyp short", 3),
        ("eval -m m bad.tsv", 3),
        ("score -m m pairs.tsv", 0),
        ("score -m broken pairs.tsv", 1),
        ("score pairs.tsv", 2),
        ("score -m m bad.tsv", 3),
        ("attend -m m -i short", 0),
        ("attend -m broken -i short", 1),
        ("attend -m m -i long --format svg", 2),
        ("attend -m m --pairs bad.tsv", 3),
        ("average m m -o mean", 0),
        ("average m broken -o new", 1),
        ("average m", 2),
        ("align -m m pairs.tsv", 0),
        ("align -m broken pairs.tsv", 1),
        ("align -m m pairs.tsv --merge union", 2),
        ("align -m m bad.tsv", 3),
        ("align -m m --src long --tgt short", 3),
        ("explain -m m 3", 0),
        ("explain -m m --step 1 --json 3", 0),
        ("explain -m m --step 99 3", 2),
        ("explain -m m --step 1 --html 3", 2),
        ("explain -m broken 3", 1),
        ("explain -m m 3 -o no/where", 1),
        ("inspect m", 0),
        ("inspect broken", 1),
        ("inspect", 2),
        ("verify m", 0),
        ("verify broken", 1),
        ("reproduce m", 0),
        ("reproduce broken", 1),
        ("study bottleneck bad.tsv --out new", 3),
        ("study bottleneck pairs.tsv --out m", 2),
        ("study bottleneck pairs.tsv --out new --set model.hidden=8", 2),
        ("study bottleneck pairs.tsv --out short/new", 1),
        ("study bottleneck pairs.tsv --out new --align-pairs pairs.tsv --align-gold long", 2),
        ("study scores pairs.tsv --out new --by-length 5", 2),
        ("study gradients pairs.tsv --out new", 2),
        ("study scores --out new", 2),
        ("study scores pairs.tsv --out new --align-pairs pairs.tsv --align-gold long", 3),
        ("tokenize -m m -i short", 0),
        ("tokenize -i short", 2),
        ("tokenize -m m -i bad", 3),
        ("detokenize -m m -i short", 0),
        ("detokenize -m nowhere -i short", 1),
        ("detokenize -m m -i bad", 3),
        ("help config", 0),
        ("help nobody", 2),
        ("completions fish", 0),
        ("completions", 2),
        ("man pages", 0),
        ("man short", 1),
        ("man a b", 2),
    ];
    for (args, code) in table {
        let ran = run(dir.path(), args, "");
        assert_eq!(ran.code, Some(code), "{args}: {}{}", ran.out, ran.err);
        if code != 0 {
            assert!(ran.err.lines().any(|line| line.starts_with("error: ")), "{args}: {}", ran.err);
        }
    }
}

#[test]
fn no_verb_minds_a_reader_that_leaves() {
    let dir = folder();
    let quickstart = "quickstart dates --set train.max_updates=1 --set model.hidden=8 --set search.beam_size=1 \
        --set train.validate_sentences=5 --set search.max_length_ratio=0.0 --set search.max_length_extra=3 -q";
    for args in [
        quickstart,
        "train pairs.tsv --dump-config -q",
        "doctor pairs.tsv",
        "doctor pairs.tsv --json",
        "translate -m m -i long",
        "translate -m m -i long --alignment=soft",
        "translate -m m -i long --json",
        "score -m m pairs.tsv -q",
        "eval --ref long --hyp long",
        "eval --ref long --hyp long --json",
        "attend -m m -i long",
        "attend -m m -i long --format jsonl",
        "attend -m m -i long --format npz",
        "attend -m m -i long --format nematus",
        "attend -m m -i long --format html",
        "attend -m m -i short --format svg",
        "align -m m pairs.tsv -q",
        "explain -m m 3",
        "inspect m",
        "tokenize -m m -i long",
        "detokenize -m m -i long",
        "help",
        "help train",
        "help config",
        "train --help",
        "completions bash",
        "man",
    ] {
        let mut child = command(dir.path(), args.split_whitespace()).spawn().unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!((ended.status.code(), said.as_ref()), (Some(0), ""), "{args}");
    }
}

#[test]
fn a_pipe_gets_colours_only_if_someone_insists() {
    let dir = folder();
    let out = |args: &str, variables: &[(&str, &str)]| {
        let ran = command(dir.path(), args.split_whitespace()).envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    let attend = "attend -m m -i short";
    for (args, variables) in [
        (attend.to_owned(), &[][..]),
        (format!("{attend} --color never"), &[("CLICOLOR_FORCE", "1")]),
        (attend.to_owned(), &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]),
        ("help train".to_owned(), &[]),
        ("--color never train --help".to_owned(), &[("CLICOLOR_FORCE", "1")]),
    ] {
        let text = out(&args, variables);
        assert!(!text.is_empty() && !text.contains('\x1b'), "{args} {variables:?}: {text}");
    }
    for (args, variables) in [
        (format!("{attend} --color always"), &[("NO_COLOR", "1")][..]),
        (attend.to_owned(), &[("CLICOLOR_FORCE", "1")]),
        ("help train --color=always".to_owned(), &[]),
        ("train --help --color always".to_owned(), &[]),
    ] {
        let text = out(&args, variables);
        assert!(text.contains("\x1b["), "{args} {variables:?}: {text}");
    }
}

#[test]
fn help_tells_about_verbs_and_topics() {
    let dir = TempDir::new().unwrap();
    let help = |subject: &str| run(dir.path(), &format!("help {subject}"), "").ok();
    let all = help("");
    for what in ["\n  train ", "\n  attend ", "\nTopics:\n", "\n  formats ", "\n  exit-codes "] {
        assert!(all.contains(what), "no {what:?} in\n{all}");
    }
    assert_eq!(help("train"), run(dir.path(), "train --help", "").ok());
    assert!(help("config").contains("\n[train]\n  batch_tokens\n      Tokens per batch"), "{}", help("config"));
    assert!(help("formats").contains("npz") && help("memory").contains("--threads"));
    let said = run(dir.path(), "help format", "").failed(2);
    assert!(said.contains("formats"), "the nearest is named: {said}");
}

#[test]
fn help_and_a_dumped_configuration_name_the_same_keys() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), pairs()).unwrap();
    let dumped = run(dir.path(), "train p.tsv --dump-config", "").ok();
    let explained = run(dir.path(), "help config", "").ok();
    let mut section = "";
    for line in dumped.lines().filter(|line| !line.is_empty()) {
        match line.split_once(" = ") {
            None => section = line,
            Some((key, _)) => {
                let part = explained.split_once(&format!("\n{section}\n")).map_or(explained.as_str(), |(_, rest)| rest);
                let part = part.split("\n[").next().unwrap();
                let known = |line: &str| line.split(" = ").next().unwrap() == format!("  {key}");
                assert!(part.lines().any(known), "{section} {key}");
            }
        }
    }
}

#[test]
fn completions_know_verbs_options_and_topics() {
    let dir = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = run(dir.path(), &format!("completions {shell}"), "").ok();
        // Of values without an option, only two of the generators know the words.
        let topics = if ["bash", "zsh"].contains(&shell) { "exit-codes" } else { "help" };
        for what in ["translate", "alignment", "color", topics] {
            assert!(script.contains(what), "{shell} has no {what}");
        }
    }
}

#[test]
fn every_verb_has_a_manual_page() {
    let dir = TempDir::new().unwrap();
    run(dir.path(), "man some/where", "").ok();
    let page = |name: &str| fs::read_to_string(dir.path().join("some/where").join(name)).unwrap();
    assert!(page("lookback-attend.1").contains(".TH lookback-attend 1"));
    let verbs = [
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
        "inspect",
        "verify",
        "reproduce",
        "study",
        "help",
        "completions",
        "man",
    ];
    for verb in verbs {
        let page_of = page(&format!("lookback-{verb}.1"));
        assert!(page_of.contains(".SH OPTIONS") && page_of.contains(".SH EXAMPLES\n.nf\n  "), "{verb}: {page_of}");
        assert!(page("lookback.1").contains(&format!("lookback\\-{verb}(1)")), "{verb}");
    }
    assert!(run(dir.path(), "man", "").ok().contains(".TH lookback 1"));
}
