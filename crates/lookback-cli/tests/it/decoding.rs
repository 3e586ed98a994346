//! What can be asked of a translation, and how probable translations are.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Ran, SMALL, command, run, trained};

const SOURCES: &str = "3 May 1999\n\n2001/2/3\n1987년 3월 5일\n";

fn model() -> String {
    trained().join("m").display().to_string()
}

fn translate(args: &str, input: &str) -> Ran {
    run(trained(), &format!("translate -m {} {args}", model()), input)
}

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The fields of an n-best list.
fn fields(list: &str) -> Vec<Vec<&str>> {
    list.lines().map(|line| line.split(" ||| ").collect()).collect()
}

#[test]
fn sentences_can_be_arguments() {
    let dir = TempDir::new().unwrap();
    let args = ["translate", "-m", &model(), "3 May 1999", "", "2001/2/3"];
    let ran: Ran = command(dir.path(), args).output().unwrap().into();
    assert_eq!(ran.ok(), translate("", "3 May 1999\n\n2001/2/3\n").ok());
    let said = translate(&model(), "").failed(2);
    assert!(said.contains("is a model folder"), "{said}");
    let args = ["attend", "-m", &model(), "3 May 1999", "", "2001/2/3"];
    let ran: Ran = command(dir.path(), args).output().unwrap().into();
    assert_eq!(ran.ok(), run(trained(), "attend -m m", "3 May 1999\n\n2001/2/3\n").ok());
    let said = run(trained(), "attend -m m m", "").failed(2);
    assert!(said.contains("`m` is a model folder"), "{said}");
    run(trained(), "attend -m m --pairs pairs.tsv Hallo", "").failed(2);
}

#[test]
fn more_translations_than_the_models_beam_holds_widen_it() {
    let wide = translate("--n-best 7", "3 May 1999\n").ok();
    assert_eq!(wide.lines().count(), 7);
    assert_eq!(wide, translate("--n-best 7 -b 7", "3 May 1999\n").ok());
    let said = translate("--n-best 7 -b 6", "3 May 1999\n").failed(2);
    assert!(said.contains("--n-best 7 needs --beam-size 7 or more; it is 6"), "{said}");
}

#[test]
fn json_tells_what_is_known_of_a_translation() {
    let out = objects(&translate("--json --n-best 2 -b 4", SOURCES).ok());
    let list = translate("--n-best 2 -b 4", SOURCES).ok();
    assert_eq!(out.iter().map(|line| line["id"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!((&out[1]["translation"], &out[1]["log_prob"]), (&Value::from(""), &Value::from(0.0)));
    let mut entries = fields(&list).into_iter();
    for line in &out {
        assert_eq!(line["translation"], line["n_best"][0]["translation"]);
        for found in line["n_best"].as_array().unwrap() {
            let entry = entries.next().unwrap();
            let [log_prob, score] = ["log_prob", "score"].map(|key| format!("{:.6}", found[key].as_f64().unwrap()));
            assert_eq!(entry[1], found["translation"].as_str().unwrap());
            assert_eq!((entry[2], entry[3]), (format!("F0= {log_prob}").as_str(), score.as_str()));
            let ends = found["tokens"].as_array().unwrap().last().is_some_and(|token| token == "</s>");
            assert!(found["cut"] == !ends || line["id"] == 1, "{found}");
        }
    }
    assert_eq!(entries.next(), None);
}

#[test]
fn json_lines_bring_their_own_constraints_and_keep_what_else_they_hold() {
    let input = "{\"text\": \"3 May 1999\", \"prefix\": \"20\", \"id\": \"x7\", \"page\": [1]}\n\
                 {\"text\": \"3 May 1999\", \"must\": [\"77\"], \"must_not\": [\"1999\"]}\n{\"text\": \"\"}\n";
    let out = objects(&translate("--json-input -b 12", input).ok());
    assert!(out[0]["translation"].as_str().unwrap().starts_with("20"), "{}", out[0]);
    assert_eq!((&out[0]["id"], &out[0]["page"]), (&Value::from("x7"), &serde_json::json!([1])));
    let text = out[1]["translation"].as_str().unwrap();
    assert!(out[1].get("unmet").is_some() || text.contains("77"), "{text}");
    assert!(!text.split('-').any(|part| part == "1999"), "{text}");
    assert_eq!((&out[2]["id"], &out[2]["translation"]), (&Value::from(2), &Value::from("")));
    for (line, said) in [
        ("{\"txt\": 1}", "standard input:2: no `text`"),
        ("{\"text\": \"a\", \"cut\": 1}", "standard input:2: `cut` is a key of the output"),
        ("{\"text\": \"a\", \"must\": [\"b\"], \"must_not\": [\"b\"]}", "standard input:2: `b` is asked for"),
    ] {
        let error = translate("--json-input", &format!("{{\"text\": \"a\"}}\n{line}\n")).failed(3);
        assert!(error.starts_with(&format!("error: {said}")), "{error}");
    }
    let error = translate("--must b --must-not b", "a\n").failed(2);
    assert!(error.starts_with("error: `b` is asked for"), "{error}");
}

#[test]
fn prefixes_are_given_for_all_or_line_by_line() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("prefixes");
    fs::write(&path, "19\n\n20\n7\n").unwrap();
    let out = translate(&format!("--prefix-file {}", path.display()), SOURCES).ok();
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("19") && lines[2].starts_with("20") && lines[3].starts_with('7'), "{out}");
    assert_eq!(lines[1], "");
    let all = translate("--prefix 1", SOURCES).ok();
    assert!(all.lines().all(|line| line.is_empty() || line.starts_with('1')), "{all}");
    for lines in ["19\n", "1\n2\n3\n4\n5\n"] {
        fs::write(&path, lines).unwrap();
        let error = translate(&format!("--prefix-file {}", path.display()), SOURCES).failed(3);
        assert!(error.contains("prefixes"), "{error}");
    }
}

#[test]
fn what_is_cut_or_lacks_words_is_counted_at_the_end() {
    let ran = translate("--max-length-ratio 0 --must 1234567 -b 2", SOURCES);
    assert!(ran.err.contains("3 of 4 translations met the length limit and are cut"), "{}", ran.err);
    assert!(
        ran.err.contains("3 of 4 translations lack words that must be said") || ran.err.contains("4 of 4"),
        "{}",
        ran.err
    );
    let quiet = translate("--max-length-ratio 0 --must 1234567 -b 2 -q --json", SOURCES);
    assert_eq!(quiet.err, "");
    let lines = objects(&quiet.out);
    assert_eq!((&lines[0]["cut"], &lines[0]["unmet"]), (&Value::from(true), &serde_json::json!(["1234567"])));
}

#[test]
fn a_longest_length_is_what_it_says() {
    let pieces = |args: &str| -> Vec<usize> {
        let lines = objects(&translate(&format!("--json {args}"), SOURCES).ok());
        let pieces = |line: &Value| line["tokens"].as_array().unwrap().iter().filter(|token| **token != "</s>").count();
        lines.iter().map(pieces).collect()
    };
    let sources: Vec<usize> = SOURCES.lines().map(|line| line.chars().count()).collect();
    for (args, ratio, more) in [
        ("--max-length-ratio 0.5 --min-length-ratio 0.4", 0.5, 1),
        ("--max-length-ratio 0.5 --max-length-extra 0", 0.5, 0),
        ("--max-length-extra 1 --max-length-ratio 0", 0.0, 1),
        ("--max-length-extra 2", 1.0, 2),
    ] {
        let found = pieces(args);
        for (pieces, source) in found.iter().zip(&sources) {
            assert!(*pieces <= (ratio * *source as f64) as usize + more, "{args}: {found:?} for {sources:?}");
        }
    }
    let own = pieces("");
    assert!(own.iter().zip(&sources).any(|(pieces, source)| *pieces > source / 2 + 1), "{own:?}: nothing would be cut");
}

#[test]
fn a_flag_with_an_optional_value_leaves_the_next_word_alone() {
    let with = translate("--alignment 2001/2/3", "").ok();
    assert_eq!(with, translate("2001/2/3 --alignment", "").ok());
    assert_eq!(with, translate("--alignment=hard 2001/2/3", "").ok());
    let said = translate("--alignment soft", "2001/2/3\n").failed(2);
    assert!(said.contains("write --alignment=soft"), "{said}");
    let counted = run(trained(), "eval -m m --confusions pairs.tsv -b 1 -q", "").ok();
    assert!(counted.contains("confusions of words"), "{counted}");
}

#[test]
fn a_source_that_is_too_long_for_the_model_does_not_lose_those_before_it() {
    let args = format!(
        "train pairs.tsv --out located {SMALL} --set train.max_updates=2 --set model.attention=location --set data.max_src=100 --set text.normalization=nfkc -q"
    );
    run(trained(), &args, "").ok();
    let dir = TempDir::new().unwrap();
    let long = "1".repeat(101);
    fs::write(dir.path().join("src"), format!("3 May 1999\n2001/2/3\n{long}\n4\n")).unwrap();
    fs::write(dir.path().join("tgt"), "1999-05-03\n2001-02-03\n1\n2\n").unwrap();
    fs::write(dir.path().join("pairs"), format!("3 May 1999\t1\n2001/2/3\t2\n{long}\t3\n4\t4\n")).unwrap();
    fs::write(dir.path().join("list"), "0 ||| 1 ||| F0= 1 ||| 1\n2 ||| 1 ||| F0= 1 ||| 1\n").unwrap();
    let model = trained().join("located").display().to_string();
    for (args, lines) in [
        ("translate -i src", 2),
        ("score --src src --tgt tgt", 2),
        ("align --src src --tgt tgt", 2),
        ("score --src src --n-best list", 1),
        ("attend --format pharaoh -i src", 2),
        ("attend --format pharaoh --pairs pairs", 2),
        ("eval --src src --ref tgt", 0),
        ("eval pairs", 0),
    ] {
        let ran = run(dir.path(), &format!("{args} -m {model}"), "");
        assert_eq!(ran.out.lines().count(), lines, "{args}: {}", ran.out);
        let said = ran.failed(3);
        let file = if args.contains("pairs") { "pairs" } else { "src" };
        assert!(said.contains(&format!("error: {file}:3: 101 pieces are more than the 100")), "{args}: {said}");
    }
    // A page is written at the end, and then has what came before.
    run(dir.path(), &format!("translate -i src -m {model} --attention look.html"), "").failed(3);
    assert!(fs::read_to_string(dir.path().join("look.html")).unwrap().contains("3 May 1999"));
    // NFKC makes two words of the third, and a fault further on is not told first.
    fs::write(dir.path().join("words"), format!("3 May\t1\n1999\t2\n4\t3\u{a8}5\n{long}\t5\n")).unwrap();
    fs::write(dir.path().join("left"), format!("3 May\n1999\n4\n{long}\n")).unwrap();
    fs::write(dir.path().join("right"), "1\n2\n3\u{a8}5\n5\n").unwrap();
    for (args, place) in [("align words", "words:3"), ("align --src left --tgt right", "right:3")] {
        let ran = run(dir.path(), &format!("{args} -m {model}"), "");
        assert_eq!(ran.out.lines().count(), 2, "{args}: {}", ran.out);
        let said = ran.failed(3);
        assert!(
            said.contains(&format!("error: {place}: the vocabulary's normalisation makes 2 words of the 1")),
            "{said}"
        );
    }
    // The sources of a model that reads the other way round are the targets.
    fs::write(dir.path().join("right"), format!("1\n{long}\n3\n5\n")).unwrap();
    let args = format!("align --src left --tgt right -m {model} --reverse-model {model}");
    let ran = run(dir.path(), &args, "");
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    assert!(ran.failed(3).contains("error: right:2: 101 pieces"));
}

#[test]
fn a_pair_that_cannot_be_read_does_not_lose_those_before_it() {
    let dir = TempDir::new().unwrap();
    let good = "3 May 1999\t1999-05-03\n2001/2/3\t2001-02-03\n";
    let write = |name: &str, text: &[u8]| fs::write(dir.path().join(name), text).unwrap();
    write("one", format!("{good}4\n").as_bytes());
    write("three", format!("{good}4\t5\t6\n").as_bytes());
    write("blank", format!("{good}4\t \n").as_bytes());
    write("second", format!("{good}4\t5\n").as_bytes());
    write("src", b"3 May 1999\n2001/2/3\n4\n");
    write("short", b"1999-05-03\n2001-02-03\n");
    write("bytes", b"1999-05-03\n2001-02-03\n\xFF\n");
    let model = trained().join("m").display().to_string();
    for (args, said) in [
        ("one", "one:3: 1 column(s), at least 2"),
        ("three", "three:3: 3 columns; say which two"),
        ("blank", "blank:3: the target is empty; remove the pair"),
        ("second --columns 1,3", "second:1: 2 column(s), at least 3"),
        ("--src src --tgt short", "src:3 and short:2: the files end after 3 and 2 lines"),
        ("--src src --tgt bytes", "bytes:3: not UTF-8 at byte 1"),
    ] {
        for verb in ["score", "align", "shortlist"] {
            let ran = run(dir.path(), &format!("{verb} {args} -m {model}"), "");
            let lines = if verb == "shortlist" || said.contains(":1: 2 column") { 0 } else { 2 };
            assert_eq!(ran.out.lines().count(), lines, "{verb} {args}: {}", ran.out);
            let error = ran.failed(3);
            assert!(error.starts_with(&format!("error: {said}")), "{verb} {args}: {error}");
        }
    }
    // A blank line of one file keeps its place where a line is written for each; there is nothing to learn from it.
    write("gap", b"1999-05-03\n\n1\n");
    for verb in ["score", "align"] {
        assert_eq!(run(dir.path(), &format!("{verb} --src src --tgt gap -m {model}"), "").ok().lines().count(), 3);
    }
    let error = run(dir.path(), &format!("shortlist --src src --tgt gap -m {model}"), "").failed(3);
    assert!(error.starts_with("error: gap:2: the target is empty; remove the pair"), "{error}");
}

#[test]
fn lines_are_counted_through_all_rounds() {
    let dir = TempDir::new().unwrap();
    let long = "1".repeat(5_001);
    let lines: Vec<&str> = std::iter::repeat_n("4", 299).chain([long.as_str(), "5"]).collect();
    fs::write(dir.path().join("src"), lines.join("\n")).unwrap();
    fs::write(dir.path().join("tgt"), vec!["1"; 301].join("\n")).unwrap();
    fs::write(dir.path().join("pairs"), lines.join("\t1\n") + "\t1\n").unwrap();
    let model = trained().join("m").display().to_string();
    for (args, lines) in [
        ("attend --format pharaoh -i src", 299),
        ("attend --format pharaoh --pairs pairs", 299),
        ("translate -b 1 -i src", 299),
        ("score pairs", 299),
        ("eval -b 1 --src src --ref tgt", 0),
    ] {
        let ran = run(dir.path(), &format!("{args} -m {model}"), "");
        assert_eq!(ran.out.lines().count(), lines, "{args}");
        let file = if args.contains("pairs") { "pairs" } else { "src" };
        let said = ran.failed(3);
        assert!(said.contains(&format!("error: {file}:300: 5001 pieces")), "{args}: {said}");
    }
}

#[test]
fn a_sentence_too_long_to_be_drawn_is_the_error_and_not_that_there_is_no_picture() {
    let model = trained().join("m").display().to_string();
    let said = run(trained(), &format!("attend -m {model} --format svg"), "1".repeat(5_001)).failed(3);
    assert!(said.contains("error: standard input:1: 5001 pieces"), "{said}");
}

#[test]
fn samples_are_repeated_by_their_seed_however_lines_are_batched() {
    let args = "--sample --temperature 1.5 --top-k 50 --top-p 0.95 --n-best 3 --seed 5";
    let all = translate(args, SOURCES).ok();
    assert_eq!(all.lines().count(), 10, "three of each line, and the empty one");
    for more in ["--batch 1", "--threads 1", "--batch 2 --threads 3"] {
        assert_eq!(translate(&format!("{args} {more}"), SOURCES).ok(), all, "{more}");
    }
    assert_ne!(translate(&args.replace("--seed 5", "--seed 6"), SOURCES).ok(), all);
    let said = translate("--sample --temperature 0", "x\n").failed(2);
    assert!(said.contains("temperature: 0 is not"), "{said}");
}

#[test]
fn a_model_with_itself_translates_as_the_model() {
    let twice = format!("-m {} --n-best 3", model());
    assert_eq!(translate(&twice, SOURCES).ok(), translate("--n-best 3", SOURCES).ok());
    let other = TempDir::new().unwrap();
    let small = "--set text.mode=char --set model.hidden=32 --set model.embedding=16 --set data.hold_out=2";
    let pairs: String = (0..20).map(|i| format!("a{i}\tb{i}\n")).collect();
    fs::write(other.path().join("p.tsv"), pairs).unwrap();
    run(other.path(), &format!("train p.tsv --out m {small} --set train.max_updates=1"), "").ok();
    let said = translate(&format!("-m {}", other.path().join("m").display()), SOURCES).failed(2);
    assert!(said.contains("model 2: source piece 26") && said.contains("same tokenizers"), "{said}");
}

#[test]
fn scores_are_those_that_translations_were_found_with() {
    let dir = TempDir::new().unwrap();
    let list = translate("--n-best 3 -b 4", SOURCES).ok();
    let sources: Vec<&str> = SOURCES.lines().collect();
    let found: Vec<Vec<&str>> = fields(&list).into_iter().filter(|f| f[0] != "1").collect();
    let pairs: String =
        found.iter().map(|f| format!("{}\t{}\n", sources[f[0].parse::<usize>().unwrap()], f[1])).collect();
    fs::write(dir.path().join("p.tsv"), &pairs).unwrap();
    let ran = run(dir.path(), &format!("score -m {} p.tsv", model()), "");
    assert!(ran.err.starts_with("perplexity ") && ran.err.contains(" of 9 pairs"), "{}", ran.err);
    let scores: Vec<f64> = ran.ok().lines().map(|line| line.parse().unwrap()).collect();
    let json = objects(&run(dir.path(), &format!("score -m {} --json -q", model()), &pairs).ok());
    for ((fields, score), json) in found.iter().zip(&scores).zip(&json) {
        assert!((json["log_prob"].as_f64().unwrap() - score).abs() < 1e-5);
        let sum: f64 = json["log_probs"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).sum();
        assert!((sum - score).abs() < 1e-5 && json["tokens"].as_array().unwrap().last().unwrap() == "</s>");
        let was: f64 = fields[2].strip_prefix("F0= ").unwrap().parse().unwrap();
        // A hypothesis that was cut has no end, whose probability is part of the score.
        assert!((was - score).abs() < 1e-3 || *score < was, "{fields:?}: {score}");
    }
    let (src, tgt): (String, String) =
        pairs.lines().map(|l| l.split_once('\t').unwrap()).map(|(s, t)| (format!("{s}\n"), format!("{t}\n"))).unzip();
    fs::write(dir.path().join("src"), src).unwrap();
    fs::write(dir.path().join("tgt"), &tgt).unwrap();
    let files = run(dir.path(), &format!("score -m {} --src src --tgt tgt --batch 4", model()), "").ok();
    let close = |line: &str, score: &f64| (line.parse::<f64>().unwrap() - score).abs() < 1e-4;
    assert!(files.lines().zip(&scores).all(|(line, score)| close(line, score)) && files.lines().count() == 9);
    fs::write(dir.path().join("tgt"), tgt + "x\n").unwrap();
    let said = run(dir.path(), &format!("score -m {} --src src --tgt tgt", model()), "").failed(3);
    assert!(said.contains("the files end after 9 and 10 lines"), "{said}");
    let said = run(dir.path(), &format!("score -m {}", model()), "a\tb\nc\n").failed(3);
    assert!(said.starts_with("error: standard input:2: 1 column(s)"), "{said}");
}

#[test]
fn a_list_scored_by_its_own_model_keeps_its_order() {
    let dir = TempDir::new().unwrap();
    // Whole translations: one that was cut is scored with the end it does not have.
    let list = translate("--n-best 4 -b 8 --max-length-ratio 6", "3 May 1999\n\n2001/2/3\n").ok();
    fs::write(dir.path().join("list"), &list).unwrap();
    fs::write(dir.path().join("src"), "3 May 1999\n\n2001/2/3\n").unwrap();
    let rescored = run(dir.path(), &format!("score -m {} --src src --n-best list", model()), "").ok();
    assert_eq!(rescored.lines().count(), list.lines().count());
    for id in ["0", "2"] {
        let scores: Vec<f64> = fields(&rescored).iter().filter(|f| f[0] == id).map(|f| f[3].parse().unwrap()).collect();
        assert!(scores.len() == 4 && scores.windows(2).all(|pair| pair[0] >= pair[1]), "{rescored}");
    }
    assert!(fields(&rescored).iter().all(|f| f[2].starts_with("F0= ") && f[2].contains(" F1= ")), "{rescored}");
    let from_input = run(dir.path(), &format!("score -m {} --src src --n-best -", model()), &list).ok();
    assert_eq!(from_input, rescored);
    let weighted = run(dir.path(), &format!("score -m {} --src src --n-best list --weights 1,0", model()), "").ok();
    for f in fields(&weighted) {
        let first: f64 = f[2].split(' ').nth(1).unwrap().parse().unwrap();
        assert!((first - f[3].parse::<f64>().unwrap()).abs() < 1e-6, "{f:?}");
    }
    let said = run(dir.path(), &format!("score -m {} --src src --n-best list --weights 1", model()), "").failed(3);
    assert!(said.starts_with("error: list:1: 1 features and the new one need as many --weights"), "{said}");
    fs::write(dir.path().join("list"), "7 ||| x ||| F0= 1 ||| 1\n").unwrap();
    let said = run(dir.path(), &format!("score -m {} --src src --n-best list", model()), "").failed(3);
    assert!(said.starts_with("error: list:1: no source for id 7"), "{said}");
}
