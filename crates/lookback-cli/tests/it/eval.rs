//! Measuring files: metrics, comparisons, lengths, confusions, links.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::run;

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(dir.path().join(name), content).unwrap();
    }
    dir
}

fn json(dir: &Path, args: &str) -> Value {
    serde_json::from_str(&run(dir, &format!("eval {args} --json"), "").ok()).unwrap()
}

#[track_caller]
fn close(got: &Value, want: f64) {
    assert!((got.as_f64().unwrap_or(f64::NAN) - want).abs() < 1e-9, "{got} is not {want}");
}

#[test]
fn bleu_has_sacrebleus_digits_and_its_line() {
    let dir = folder(&[("hyp", "The cat sat on the mat .\n"), ("ref", "The cat sat on a mat.\n")]);
    let said = run(dir.path(), "eval --ref ref --hyp hyp", "").ok();
    let version = env!("CARGO_PKG_VERSION");
    let want = format!(
        "BLEU|nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:lookback-{version} = 48.89 85.7/66.7/40.0/25.0 \
         (BP = 1.000 ratio = 1.000 hyp_len = 7 ref_len = 7)\n"
    );
    assert!(said.starts_with(&want), "{said}");
    assert!(said.contains("\nchrF2|nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:lookback-"), "{said}");
    assert!(said.ends_with("\nexact match = 0.0 % (0 of 1)\n"), "{said}");
}

#[test]
fn json_holds_sacrebleus_objects() {
    let dir = folder(&[("hyp", "The cat sat on the mat .\n"), ("ref", "The cat sat on a mat.\n")]);
    let report = json(dir.path(), "--ref ref --hyp hyp");
    assert!((report["bleu"]["score"].as_f64().unwrap() - 48.8923).abs() < 1e-4, "{report}");
    assert!(report["bleu"]["signature"].as_str().unwrap().starts_with("nrefs:1|case:mixed|"));
    assert_eq!((&report["score"], &report["name"]), (&report["bleu"]["score"], &Value::from("BLEU")));
    assert_eq!((&report["exact_match"], &report["sentences"]), (&Value::from(0.0), &Value::from(1)));
    let objects = report["metrics"].as_array().unwrap();
    assert_eq!(objects.len(), 3);
    for (key, value) in [("nrefs", "1"), ("case", "mixed"), ("eff", "no"), ("tok", "13a"), ("smooth", "exp")] {
        assert_eq!(objects[0][key], value, "{key}");
    }
    assert_eq!(objects[0]["verbose_score"], "85.7/66.7/40.0/25.0 (BP = 1.000 ratio = 1.000 hyp_len = 7 ref_len = 7)");
}

#[test]
fn rates_take_the_best_of_several_references() {
    // The second file has no further reference for the second line.
    let dir = folder(&[("hyp", "a b c\nx y\n"), ("r1", "a b\nx z\n"), ("r2", "a b c d\n\n")]);
    let report = json(dir.path(), "--ref r1 --ref r2 --hyp hyp --metrics wer,per,cer,exact");
    // One edit each; the references compared with have 4 and 2 words.
    close(&report["wer"]["score"], 100.0 * 2.0 / 6.0);
    close(&report["per"]["score"], 100.0 * 2.0 / 6.0);
    assert!(report["wer"]["signature"].as_str().unwrap().starts_with("nrefs:var|case:mixed|unit:word|"));
    let said = run(dir.path(), "eval --ref r1 --ref r2 --hyp hyp --metrics wer", "").ok();
    assert!(said.contains(" = 33.33 (sub = 1 del = 1 ins = 0 ref_len = 6)\n"), "{said}");
}

#[test]
fn capitals_go_on_request() {
    let dir = folder(&[("hyp", "THE Cat\n"), ("ref", "the cat\n")]);
    close(&json(dir.path(), "--ref ref --hyp hyp --metrics wer")["wer"]["score"], 100.0);
    close(&json(dir.path(), "--ref ref --hyp hyp --metrics wer --lowercase")["wer"]["score"], 0.0);
}

#[test]
fn every_line_gets_its_scores() {
    let dir = folder(&[("hyp", "a b c d\nx\n"), ("ref", "a b c d\ny\n")]);
    let said = run(dir.path(), "eval --ref ref --hyp hyp --sentence-level --metrics bleu,wer,exact", "").ok();
    assert_eq!(said, "line\tBLEU\tWER\texact match\n1\t100.00\t0.00\t100.00\n2\t0.00\t100.00\t0.00\n");
    let said = run(dir.path(), "eval --ref ref --hyp hyp --sentence-level --metrics wer --json", "").ok();
    assert_eq!(said, "{\"line\":1,\"wer\":0.0}\n{\"line\":2,\"wer\":100.0}\n");
}

#[test]
fn lists_are_ranked_whatever_their_form() {
    let dir = folder(&[
        ("moses", "0 ||| b ||| F0= -1 ||| -1\n0 ||| a ||| F0= -2 ||| -2\n1 ||| c ||| F0= -1 ||| -1\n"),
        ("lines", "b\na\nc\nx\n"),
        ("ref", "a\nc\n"),
    ]);
    for form in ["--hyp moses --n-best moses", "--hyp lines --n-best 2"] {
        let report = json(dir.path(), &format!("--ref ref {form} --metrics mrr,exact"));
        close(&report["mrr"]["score"], 75.0);
        close(&report["exact_match"], 0.5);
    }
    let said = run(dir.path(), "eval --ref ref --hyp lines --n-best 3 --metrics mrr", "").failed(3);
    assert_eq!(said, "error: lines:4: 4 lines cannot be 3 for each sentence\n");
    let said = run(dir.path(), "eval --ref ref --hyp lines --n-best moses --metrics mrr", "").failed(3);
    assert!(said.starts_with("error: lines:1: expected `number ||| translation"), "{said}");
    run(dir.path(), "eval --ref ref --hyp ref --metrics mrr", "").failed(2);
}

#[test]
fn lists_are_compared_as_lists() {
    let dir = folder(&[("near", "b\na\nc\nx\n"), ("far", "a\nb\nx\nc\n"), ("short", "a\nc\n"), ("ref", "a\nc\n")]);
    let report = json(dir.path(), "--ref ref --compare near far --n-best 2 --metrics mrr,exact --samples 10");
    for (system, exact) in [(0, 50.0), (1, 50.0)] {
        close(&report["systems"][system]["MRR"]["score"], 75.0);
        close(&report["systems"][system]["exact match"]["score"], exact);
    }
    let said = run(dir.path(), "eval --ref ref --compare near short --n-best 2 --metrics mrr", "").failed(3);
    assert_eq!(said, "error: short: translations of 1 sentences, but ref has 2\n");
}

#[test]
fn translations_come_from_standard_input_too() {
    let dir = folder(&[("hyp", "a b c\nd\n"), ("ref", "a b c\ne\n")]);
    let piped = run(dir.path(), "eval --ref ref --hyp - --metrics wer", "a b c\r\nd").ok();
    assert_eq!(piped, run(dir.path(), "eval --ref ref --hyp hyp --metrics wer", "").ok());
    let said = |args: &str, input: &str, code| run(dir.path(), &format!("eval {args}"), input).failed(code);
    assert!(said("--ref ref --hyp -", "a\n", 3).starts_with("error: -:1 and ref:2: the files end after 1 and 2 lines"));
    assert_eq!(said("--ref ref --hyp -", "", 3), "error: -: the file is empty\n");
    assert!(said("--ref - --hyp -", "a\n", 2).contains("read once"));
    assert!(said("--aer - --hyp -", "0-0\n", 2).contains("read once"));
    run(dir.path(), "eval --ref ref --compare hyp - --samples 10", "a b c\nd\n").ok();
    run(dir.path(), "eval --aer - --hyp - --gold-base 1", "").failed(2);
}

#[test]
fn a_line_needs_one_reference_whichever_file_has_it() {
    let dir = folder(&[("hyp", "a b\nc d\n"), ("r1", "a b\n\n"), ("r2", "\nc d\n"), ("r3", "x\n \n")]);
    let report = json(dir.path(), "--ref r1 --ref r2 --hyp hyp --metrics wer,exact");
    close(&report["wer"]["score"], 0.0);
    assert!(report["wer"]["signature"].as_str().unwrap().starts_with("nrefs:1|"));
    let said = run(dir.path(), "eval --ref r1 --ref r3 --hyp hyp", "").failed(3);
    assert!(said.starts_with("error: r1:2: the reference is empty in every file; "), "{said}");
}

#[test]
fn what_does_not_pair_up_is_named_by_file_and_line() {
    let dir = folder(&[("two", "a\nb\n"), ("three", "a\nb\nc\n"), ("gap", "a\n \nc\n")]);
    fs::write(dir.path().join("latin1"), b"a\nb\xFF\n").unwrap();
    let said = |args: &str| run(dir.path(), &format!("eval {args}"), "").failed(3);
    assert!(said("--ref two --hyp three").starts_with("error: three:3 and two:2: the files end after 3 and 2 lines"));
    assert!(said("--ref two --ref three --hyp two").starts_with("error: three:3 and two:2: "));
    assert!(said("--ref two --compare two three").starts_with("error: three:3 and two:2: "));
    assert!(said("--ref gap --hyp three").starts_with("error: gap:2: the reference is empty; "));
    assert!(said("--ref two --hyp latin1").starts_with("error: latin1:2: not UTF-8 at byte 2 of the line"));
    assert!(said("--ref two --hyp two --src three --by-length 5").starts_with("error: three:3 and two:2: "));
}

#[test]
fn settings_that_would_be_ignored_are_refused() {
    let dir = folder(&[("f", "a\n")]);
    for args in [
        "--metrics wer --tokenize char",
        "--metrics bleu --ter-normalized",
        "--metrics ter --chrf-beta 3",
        "--metrics chrf++ --chrf-word-order 1",
        "--metrics exact --lowercase",
        "--metrics bleu --smooth-value 0.2",
        "--metrics bleu --smooth-method exp --smooth-value 0.2",
        "--metrics bleu --smooth-method bell",
        "--metrics bleu --tokenize ja-mecab",
        "--metrics rouge",
        "--seed 3",
        "--samples 3",
        "--svg x.svg",
        "--confusion-unit chars",
        "--gold-base 1",
        "--test ar",
        "--by-length 5",
        "--src f --by-length 5,3",
        "--src f --by-length 5 --samples 0",
        "--sentence-level --confusions",
        "--confusions=0",
        "--metrics chrf --chrf-char-order 0",
        "--hyp-out x",
        "--columns 1,2",
        "--beam-size 2",
    ] {
        run(dir.path(), &format!("eval --ref f --hyp f {args}"), "").failed(2);
    }
    // Nothing that scores translations changes a score of links.
    fs::write(dir.path().join("links"), "0-0\n").unwrap();
    for args in [
        "--seed 3",
        "--samples 3",
        "--test ar",
        "--beam-size 2",
        "--smooth-method floor",
        "--effective-order",
        "--tokenize char",
        "--lowercase",
        "--chrf-beta 3",
        "--chrf-whitespace",
        "--ter-normalized",
        "--hyp-out x",
        "--n-best 2",
        "--confusions",
        "--sentence-level",
    ] {
        run(dir.path(), &format!("eval --aer links --hyp links {args}"), "").failed(2);
    }
    run(dir.path(), "eval --ref f --compare f", "").failed(2);
    run(dir.path(), "eval --ref f --compare f f --hyp f", "").failed(2);
}

#[test]
fn scores_by_length_have_intervals_and_a_picture() {
    let line = |words: usize, i: usize| (0..words).map(|w| format!("w{}", w * i)).collect::<Vec<_>>().join(" ");
    let sources: Vec<String> = (0..40).map(|i| line(1 + i % 25, i)).collect();
    let hyps: Vec<String> =
        sources.iter().enumerate().map(|(i, s)| if i % 3 == 0 { s.clone() } else { line(9, i) }).collect();
    let table: String = sources.iter().map(|s| format!("{s}\t{s}\n")).collect();
    let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let dir = folder(&[("p.tsv", &table), ("src", &text(&sources)), ("hyp", &text(&hyps))]);
    let args = "--hyp hyp --metrics bleu,wer --by-length 10,20 --samples 200 --seed 7 --svg out.svg";
    let report = json(dir.path(), &format!("p.tsv {args}"));
    assert_eq!(report, json(dir.path(), &format!("--ref src --src src {args}")));
    let buckets = report["by_length"]["buckets"].as_array().unwrap();
    assert_eq!(buckets.iter().map(|b| b["tokens"].as_str().unwrap()).collect::<Vec<_>>(), ["1–10", "11–20", ">20"]);
    assert_eq!(buckets.iter().map(|b| b["sentences"].as_u64().unwrap()).sum::<u64>(), 40);
    for bucket in buckets {
        let part = &bucket["scores"]["wer"];
        let ends: Vec<f64> = part["interval"].as_array().unwrap().iter().map(|end| end.as_f64().unwrap()).collect();
        assert!(ends[0] < ends[1], "{part}");
    }
    let said = run(dir.path(), &format!("eval p.tsv {args} --threads 1"), "").ok();
    let lines: Vec<&str> = said.lines().skip_while(|line| !line.starts_with("by tokens of the source")).collect();
    assert_eq!(lines.len(), 5, "{said}");
    assert!(lines[1].contains("tokens  sentences") && lines[2].trim_start().starts_with("1–10"), "{said}");
    let svg = fs::read_to_string(dir.path().join("out.svg")).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains("n = 20") && svg.contains("lower is better"), "{svg}");
}

#[test]
fn the_most_frequent_confusions_come_first_and_cannot_steer_the_terminal() {
    let dir = folder(&[("hyp", "K AE T\nB AE T S\n\u{1b}[31m\n"), ("ref", "K AH T\nB AH T\nx\n")]);
    let said = run(dir.path(), "eval --ref ref --hyp hyp --metrics wer --confusions=2", "").ok();
    assert!(
        said.contains("\nconfusions of words: 3 substitutions; 2 of 2 kinds, the most frequent first\n")
            && said.contains("\n0 deletions, 1 insertion of words; 1 of 1 kind, the most frequent first\n"),
        "{said}"
    );
    let table: Vec<Vec<&str>> = said.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(table[1][..2], ["count", "reference"], "{said}");
    assert_eq!(table[2], ["2", "AH", "→", "AE", "line", "1:", "K", "AE", "T"]);
    assert_eq!(table[7], ["1", "∅", "→", "S", "line", "2:", "B", "AE", "T", "S"], "{said}");
    assert!(!said.contains('\u{1b}'), "{said}");
    let report = json(dir.path(), "--ref ref --hyp hyp --metrics wer --confusions");
    assert_eq!(report["confusions"]["most_frequent_gaps"][0]["hyp"], "S");
    let report = json(dir.path(), "--ref ref --hyp hyp --metrics cer --confusions --confusion-unit chars");
    let first = &report["confusions"]["most_frequent"][0];
    assert_eq!((&first["reference"], &first["hyp"], &first["count"]), (&"H".into(), &"E".into(), &2.into()));
    assert_eq!(report["confusions"]["unit"], "characters");
}

#[test]
fn systems_are_compared_with_the_first() {
    let refs: String = (0..60).map(|i| format!("the {i} dogs sleep under table {}\n", i % 7)).collect();
    let near = refs.replace("dogs", "cats");
    let far: String = (0..60).map(|i| format!("{i} cat is there\n")).collect();
    let dir = folder(&[("ref", &refs), ("near", &near), ("far", &far)]);
    for (test, more) in [("bootstrap", ""), ("ar", " --samples 500")] {
        let args = format!("--ref ref --compare far near far --metrics bleu,chrf,ter --test {test} --seed 5{more}");
        let report = json(dir.path(), &args);
        let systems = report["systems"].as_array().unwrap();
        assert_eq!(systems.iter().map(|s| s["system"].as_str().unwrap()).collect::<Vec<_>>(), ["far", "near", "far"]);
        for metric in ["BLEU", "chrF2", "TER"] {
            assert!(systems[0][metric]["p_value"].is_null());
            assert!(systems[1][metric]["p_value"].as_f64().unwrap() < 0.05, "{report}");
            // No difference at all: as sacreBLEU, both tests count only differences that are larger.
            let same = if test == "bootstrap" { 1.0 / 1001.0 } else { 1.0 / 501.0 };
            assert!((systems[2][metric]["p_value"].as_f64().unwrap() - same).abs() < 1e-12, "{report}");
        }
        assert_eq!(report, json(dir.path(), &format!("{args} --threads 1")));
    }
    let said = run(dir.path(), "eval --ref ref --compare far far --samples 100", "").ok();
    assert!(said.contains("0.0099") && !said.contains("0.0099 *"), "no difference is no finding: {said}");
    let said = run(dir.path(), "eval --ref ref --compare far near --samples 100", "").ok();
    assert!(said.starts_with("paired bootstrap, 100 samples, seed 12345; baseline: far\n"), "{said}");
    assert!(said.lines().any(|line| line.trim_start().starts_with("near ") && line.contains(" *")), "{said}");
    assert!(said.contains("|bs:100|seed:12345|"), "{said}");
}

#[test]
fn links_are_scored_in_either_form_and_base() {
    let dir = folder(&[
        ("gold", "1-1 2p2 3-2\n1-1\n"),
        ("gold.wa", "1 1 1 S\n1 2 2 P\n1 3 2\n2 1 1 S\n"),
        ("hyp", "0-0 1-1 2-1 2-2\n\n"),
        ("src", "a b c\na\n"),
        ("tgt", "a b\na\n"),
    ]);
    for gold in ["gold", "gold.wa"] {
        let report = json(dir.path(), &format!("--aer {gold} --gold-base 1 --hyp hyp"));
        // A = 4, S = 3, A∩S = 2, A∩P = 3.
        close(&report["score"], 100.0 * 2.0 / 7.0);
        close(&report["precision"], 75.0);
        close(&report["recall"], 100.0 * 2.0 / 3.0);
    }
    let said = run(dir.path(), "eval --aer gold --gold-base 1 --hyp hyp", "").ok();
    assert_eq!(said, "AER = 28.6 (precision = 75.0 recall = 66.7 F = 70.6 links = 4 sure = 3 possible = 4)\n");
    // Counted from 0, the same gold file says something else.
    let wrong = json(dir.path(), "--aer gold --hyp hyp");
    assert!(wrong["score"].as_f64().unwrap() > 50.0, "{wrong}");
    let args = "eval --aer gold --gold-base 1 --hyp hyp --src src --tgt tgt";
    let said = run(dir.path(), args, "").failed(3);
    assert!(said.starts_with("error: hyp:1: link 2-2 lies outside its sentences of 3 and 2 tokens"), "{said}");
    for refused in ["--ref src", "--metrics bleu", "--src src", "--gold-base 2"] {
        run(dir.path(), &format!("eval --aer gold --hyp hyp {refused}"), "").failed(2);
    }
    run(dir.path(), "eval --aer gold", "").failed(2);
}
