//! What `explain` prints, and that the numbers in `docs/attention.md` and its translation are what it prints.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{run, trained};

fn model() -> String {
    trained().join("m").display().to_string()
}

fn explain(args: &str) -> String {
    let dir = TempDir::new().unwrap();
    run(dir.path(), &format!("explain -m {} {args}", model()), "").ok()
}

#[test]
fn tables_json_and_page_tell_the_same_of_every_step() {
    let json: Value = serde_json::from_str(&explain("--json --top 3 1999")).unwrap();
    let steps = json["steps"].as_array().unwrap();
    let tables = explain("--top 3 1999");
    let dir = TempDir::new().unwrap();
    run(dir.path(), &format!("explain -m {} --html -o page.html 1999", model()), "").ok();
    let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert!(!steps.is_empty() && tables.lines().filter(|line| line.starts_with("step ")).count() == steps.len());
    for step in steps {
        let weights = step["look"]["weights"][0].as_array().unwrap();
        assert_eq!(weights.len(), json["pieces"].as_array().unwrap().len());
        assert_eq!((step["words"].as_array().unwrap().len(), step["blind"]["words"].as_array().unwrap().len()), (3, 3));
        for weight in weights {
            let shown = format!("{:.4}", weight.as_f64().unwrap());
            assert!(tables.contains(&shown) && page.contains(&shown), "{shown}");
        }
    }
}

#[test]
fn the_name_of_the_file_says_the_form_unless_one_is_asked_for() {
    let dir = TempDir::new().unwrap();
    let explain = |args: &str| run(dir.path(), &format!("explain -m {} {args} 1999", model()), "");
    let text = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();
    let [tables, json, page] = ["", "--json", "--html"].map(|form| explain(form).ok());
    for (args, want) in [
        ("-o a.html", &page),
        ("-o a.HTM", &page),
        ("-o a.json", &json),
        ("-o a.txt", &tables),
        ("-o a", &tables),
        ("--json -o b.html", &json),
        ("--html -o b.json", &page),
    ] {
        explain(args).ok();
        assert!(text(args.split(' ').next_back().unwrap()) == *want, "{args}");
    }
    let said = explain("--step 1 -o c.html").failed(2);
    assert!(said.contains("--step") && said.contains("c.html") && !dir.path().join("c.html").exists(), "{said}");
}

#[test]
fn one_step_is_that_of_all_and_a_step_too_many_says_how_many_there_are() {
    let all = explain("1999");
    let second = explain("--step 2 1999");
    let body = second.split_once("\n\n").unwrap().1;
    assert!(body.starts_with("step 2: ") && all.contains(body.trim_end()));
    let dir = TempDir::new().unwrap();
    let said = run(dir.path(), &format!("explain -m {} --step 99 1999", model()), "").failed(2);
    assert!(said.contains("the translation has steps 1 to "), "{said}");
    assert!(run(dir.path(), &format!("explain -m {} ", model()), "").failed(2).contains("SENTENCE"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Blocks of a document that start with a command: the command, and what stands below it.
fn blocks(text: &str) -> Vec<(String, Vec<String>)> {
    let mut blocks: Vec<(String, Vec<String>)> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        match line.strip_prefix("    ") {
            Some(command) if command.starts_with("$ lookback ") => {
                blocks.push((command["$ lookback ".len()..].to_owned(), Vec::new()));
                is_open = true;
            }
            Some(shown) if is_open => blocks.last_mut().unwrap().1.push(shown.to_owned()),
            None if line.is_empty() => {}
            _ => is_open = false,
        }
    }
    blocks
}

/// Whether two words of output are the same up to the rounding of another instruction set: by one in the last digit.
fn is_same(shown: &str, printed: &str) -> bool {
    match (shown.parse::<f64>(), printed.parse::<f64>()) {
        (Ok(a), Ok(b)) => {
            let digits = shown.split_once('.').map_or(0, |(_, fraction)| fraction.len());
            (a - b).abs() < if digits == 0 { 0.5 } else { 1.5 * 0.1_f64.powi(digits.try_into().unwrap()) }
        }
        _ => shown == printed,
    }
}

/// The words of a line, with what surrounds numbers set apart.
fn words(line: &str) -> Vec<String> {
    line.replace(['(', ')', ','], " ").split_whitespace().filter(|w| !w.contains('█')).map(str::to_owned).collect()
}

#[test]
fn the_numbers_of_the_documents_are_those_of_the_program() {
    for document in ["docs/attention.md", "docs/attention.ko.md"] {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let blocks = blocks(&text);
        assert!(blocks.len() >= 2, "{document} shows what the program prints");
        for (command, shown) in blocks {
            let (args, sentence) = command.split_once(" '").unwrap();
            let sentence = sentence.trim_end_matches('\'');
            let args = args.split_whitespace().chain([sentence]);
            let output = crate::program::command(&root(), args).output().unwrap();
            let printed = String::from_utf8(output.stdout).unwrap();
            let printed: Vec<Vec<String>> = printed.lines().filter(|line| !line.is_empty()).map(words).collect();
            let mut from = 0;
            for line in shown.iter().filter(|line| line.trim() != "…") {
                let want = words(line);
                let is_it = |got: &Vec<String>| {
                    got.len() == want.len() && got.iter().zip(&want).all(|(got, want)| is_same(want, got))
                };
                let at = printed[from..].iter().position(is_it);
                from += 1 + at
                    .unwrap_or_else(|| panic!("{document}: {command} does not print {line:?} there:\n{printed:?}"));
            }
        }
    }
}

#[test]
fn the_picture_of_the_documents_is_the_one_the_program_draws() {
    let drawing = |document: &str| {
        let text = fs::read_to_string(root().join(document)).unwrap();
        let line = text.lines().find(|line| line.starts_with("    lookback attend ")).expect("how it was drawn");
        (line.to_owned(), text)
    };
    let (line, text) = drawing("docs/attention.md");
    let (korean_line, korean) = drawing("docs/attention.ko.md");
    assert_eq!(line, korean_line);
    let line = line.strip_prefix("    lookback attend ").unwrap();
    let (args, sentence) = line.split_once(" '").unwrap();
    let (args, file) = args.split_once(" -o ").unwrap();
    let args = ["attend"].into_iter().chain(args.split_whitespace()).chain([sentence.trim_end_matches('\'')]);
    let output = crate::program::command(&root(), args).output().unwrap();
    let parts = |svg: &str| words(&svg.replace(['"', '<', '>', '='], " "));
    let (drawn, kept) = (parts(&String::from_utf8(output.stdout).unwrap()), fs::read_to_string(root().join(file)));
    let kept = parts(&kept.unwrap());
    assert!(kept.len() > 200);
    let link = format!("]({})", file.trim_start_matches("docs/"));
    assert!(text.contains(&link) && korean.contains(&link));
    assert_eq!(drawn.len(), kept.len());
    let other: Vec<_> = drawn.iter().zip(&kept).filter(|(drawn, kept)| !is_same(kept, drawn)).collect();
    assert!(other.is_empty(), "{other:?}");
}
