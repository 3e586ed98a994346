//! From pairs to a model, its translations, its score, and the views of its attention.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

use lookback::view::read_jsonl;
use tempfile::TempDir;

use crate::program::{command, run, trained};

const SOURCES: &str = "3 May 1999\n\n2001/2/3\n  \n1987년 3월 5일\r\n";

fn model() -> String {
    trained().join("m").display().to_string()
}

#[test]
fn translations_keep_the_order_and_empty_lines_stay_empty() {
    let dir = TempDir::new().unwrap();
    let all = run(dir.path(), &format!("translate -m {}", model()), SOURCES).ok();
    let lines: Vec<&str> = all.split('\n').collect();
    assert_eq!((lines.len(), lines[1], lines[3], lines[5]), (6, "", "", ""));
    for (i, source) in SOURCES.lines().enumerate() {
        let alone = run(dir.path(), &format!("translate -m {}", model()), format!("{source}\n")).ok();
        assert_eq!(alone.strip_suffix('\n'), Some(lines[i]));
    }
    fs::write(dir.path().join("in"), SOURCES).unwrap();
    let said = run(dir.path(), &format!("translate -m {} -i in -o out --batch 2", model()), "").ok();
    assert_eq!((said.as_str(), fs::read_to_string(dir.path().join("out")).unwrap()), ("", all));
}

#[test]
fn n_best_lists_have_their_form_and_order() {
    let dir = TempDir::new().unwrap();
    let args = format!("translate -m {} -b 4 --n-best 3", model());
    let out = run(dir.path(), &args, "3 May 1999\n2001/2/3\n").ok();
    let fields: Vec<Vec<&str>> = out.lines().map(|line| line.split(" ||| ").collect()).collect();
    assert_eq!(fields.iter().map(|f| f[0]).collect::<Vec<_>>(), ["0", "0", "0", "1", "1", "1"]);
    let score = |fields: &[&str]| fields[3].parse::<f64>().unwrap();
    for found in fields.chunks(3) {
        assert!(found.iter().all(|f| f.len() == 4 && f[2].starts_with("F0= -")), "{out}");
        assert!(found.windows(2).all(|pair| score(&pair[0]) >= score(&pair[1])), "{out}");
    }
    run(dir.path(), &format!("translate -m {} -b 2 --n-best 3", model()), "x\n").failed(2);
    run(dir.path(), &format!("translate -m {} -b 0", model()), "x\n").failed(2);
}

#[test]
fn it_answers_while_its_input_stays_open() {
    let dir = TempDir::new().unwrap();
    let model = model();
    let mut child = command(dir.path(), ["translate", "-m", &model]).spawn().unwrap();
    let (mut to, mut from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut answers = Vec::new();
    for line in ["3 May 1999\n", "\n", "2001/2/3\n"] {
        to.write_all(line.as_bytes()).unwrap();
        let mut answer = String::new();
        from.read_line(&mut answer).unwrap();
        answers.push(answer);
    }
    assert_eq!(answers[1], "\n");
    drop(to);
    let mut rest = String::new();
    from.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(child.wait().unwrap().success());
    let together = run(dir.path(), &format!("translate -m {model}"), "3 May 1999\n\n2001/2/3\n").ok();
    assert_eq!(answers.concat(), together);
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let dir = TempDir::new().unwrap();
    let model = model();
    let mut child = command(dir.path(), ["translate", "-m", &model, "--batch", "1"]).spawn().unwrap();
    let (mut to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    drop(from);
    // Once it has noticed, it no longer reads.
    while to.write_all(b"2001/2/3\n").is_ok() {}
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), ended.stderr.as_slice()), (Some(0), &b""[..]));
}

#[test]
fn invalid_utf8_names_its_line_after_answering_those_before() {
    let dir = TempDir::new().unwrap();
    let ran = run(dir.path(), &format!("translate -m {}", model()), b"\n\nab\xFF\n");
    assert_eq!(ran.out, "\n\n");
    assert!(ran.failed(3).starts_with("error: standard input:3: not UTF-8 at byte 3"));
}

#[test]
fn eval_translates_and_scores() {
    let dir = trained();
    let out = TempDir::new().unwrap();
    let hyps = out.path().join("hyps");
    let args = format!("eval -m m pairs.tsv --json --beam-size 2 --hyp-out {}", hyps.display());
    // Translations from a file have no attention.
    let parsed = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    let without_attention = |mut json: serde_json::Value| {
        let attention = json.as_object_mut().unwrap().remove("attention").unwrap();
        assert!(attention["attention_entropy"].as_f64().unwrap() > 0.0, "{attention}");
        json
    };
    let json = without_attention(parsed(&run(dir, &args, "").ok()));
    assert_eq!(json["sentences"], 220);
    let (sources, references): (Vec<String>, Vec<String>) = fs::read_to_string(dir.join("pairs.tsv"))
        .unwrap()
        .lines()
        .map(|line| line.split_once('\t').map(|(src, tgt)| (format!("{src}\n"), format!("{tgt}\n"))).unwrap())
        .unzip();
    let translated = run(dir, "translate -m m --beam-size 2", sources.concat()).ok();
    assert_eq!(fs::read_to_string(&hyps).unwrap(), translated);
    fs::write(out.path().join("ref"), references.concat()).unwrap();
    fs::write(out.path().join("src"), sources.concat()).unwrap();
    let scored = run(out.path(), "eval --ref ref --hyp hyps --json", "").ok();
    assert_eq!(parsed(&scored), json);
    let args = format!("eval -m {} --src src --ref ref --beam-size 2 --json --quiet", model());
    assert_eq!(without_attention(parsed(&run(out.path(), &args, "").ok())), json);
}

#[test]
fn attention_is_written_in_every_form() {
    let dir = TempDir::new().unwrap();
    let attend = |args: &str, input: &str| run(dir.path(), &format!("attend -m {} {args}", model()), input);
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap();

    attend("-b 3 -o a.jsonl", SOURCES).ok();
    let maps: Vec<_> = read_jsonl(read("a.jsonl").as_bytes()).map(Result::unwrap).collect();
    let places: Vec<_> = maps.iter().map(|map| (map.id(), map.rank())).collect();
    let want = [0, 2, 4].into_iter().flat_map(|id| (0..3).map(move |rank| (id, Some(rank))));
    assert_eq!(places, want.collect::<Vec<_>>(), "ids are lines, and blank lines have no map");
    for map in &maps {
        assert!(map.rows().all(|row| (row.iter().sum::<f32>() - 1.0).abs() < 1e-4));
    }
    let best = run(dir.path(), &format!("translate -m {} -b 3", model()), "3 May 1999\n").ok();
    assert_eq!(maps[0].tgt().text, best.trim_end());

    fs::write(dir.path().join("p.tsv"), "3 May 1999\t1999-05-03\n2001/2/3\t2001-02-03\n").unwrap();
    let forced = attend("--pairs p.tsv --format jsonl", "").ok();
    let maps: Vec<_> = read_jsonl(forced.as_bytes()).map(Result::unwrap).collect();
    assert_eq!(maps.iter().map(|map| map.tgt().text.as_str()).collect::<Vec<_>>(), ["1999-05-03", "2001-02-03"]);
    assert_eq!((maps[1].id(), maps[1].rank()), (1, None));

    attend("-o page.html", SOURCES).ok();
    let page = read("page.html");
    assert!(page.starts_with("<!doctype html>") && page.contains("3 May 1999") && !page.contains("https://"));

    attend("-o one.svg --style boxes", "3 May 1999\n").ok();
    assert!(read("one.svg").starts_with("<svg "));
    attend("--pairs p.tsv -o two.svg", "").ok();
    assert!(read("two-001.svg").starts_with("<svg ") && read("two-002.svg").starts_with("<svg "));
    attend("--pairs p.tsv --format svg", "").failed(2);

    let heat = attend("", "3 May 1999\n").ok();
    assert!(heat.starts_with("3 May 1999 → ") && heat.contains("</s>") && !heat.contains('\x1b'), "{heat}");
    let words = attend("--words", "3 May 1999\n").ok();
    assert!(words.lines().count() < heat.lines().count(), "{words}");
}

#[test]
fn inspect_tells_what_the_folder_holds() {
    let said = run(trained(), "inspect m", "").ok();
    for what in ["precision    f32", "training     update 12 ", " epoch ", "mode = \"char\"", "hidden = 32", " × "] {
        assert!(said.contains(what), "no {what:?} in\n{said}");
    }
    let numbers = |text: &str| text.replace(',', "").parse::<u64>().ok();
    let total = said.lines().find_map(|line| line.strip_prefix("parameters").and_then(|rest| numbers(rest.trim())));
    let table = said.lines().skip_while(|line| !line.starts_with("tensor")).skip(1).take_while(|line| !line.is_empty());
    let sum: u64 = table.filter_map(|line| numbers(line.split_whitespace().last().unwrap_or_default())).sum();
    assert_eq!(total, Some(sum), "{said}");
}

#[test]
fn a_folder_with_a_training_is_not_overwritten_unless_asked() {
    let said = run(trained(), "train pairs.tsv --out m --quiet", "").failed(2);
    assert!(said.contains("--resume") && said.contains("--overwrite"), "{said}");
}

#[test]
fn parallel_files_train_like_their_table() {
    let dir = TempDir::new().unwrap();
    let copy = |name: &str, text: String| fs::write(dir.path().join(name), text).unwrap();
    let table = fs::read_to_string(trained().join("pairs.tsv")).unwrap();
    let column =
        |i: usize| table.lines().map(|line| format!("{}\n", line.split('\t').nth(i).unwrap())).collect::<String>();
    copy("src", column(0));
    copy("tgt", column(1));
    copy("back.tsv", table.lines().map(|l| l.split_once('\t').map(|(s, t)| format!("{t}\t{s}\n")).unwrap()).collect());
    let small = crate::program::SMALL;
    for (out, data) in [("a", "--src src --tgt tgt"), ("b", "back.tsv --columns 2,1")] {
        run(dir.path(), &format!("train {data} --out {out} {small} --set train.max_updates=2 --threads 1 -q"), "").ok();
    }
    let weights = |out: &str| fs::read(Path::new(dir.path()).join(out).join("model.safetensors")).unwrap();
    assert_eq!(weights("a"), weights("b"));
}

#[test]
fn quiet_says_nothing() {
    let dir = TempDir::new().unwrap();
    let mut child = command(dir.path(), ["translate", "-q", "-m", &model()]).stdin(Stdio::null()).spawn().unwrap();
    assert!(child.wait().unwrap().success());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn compressed_input_is_known_by_its_content_and_a_book_on_a_line_is_refused() {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    let dir = TempDir::new().unwrap();
    let model = model();
    fs::write(dir.path().join("plain"), compress_to_vec(SOURCES.as_bytes(), CompressionLevel::Fastest)).unwrap();
    let said = run(dir.path(), &format!("translate -m {model} -i plain"), "").failed(3);
    assert!(said.contains("plain") && said.contains("Zstandard"), "{said}");
    fs::write(dir.path().join("empty"), "").unwrap();
    assert_eq!(run(dir.path(), &format!("translate -m {model} -i empty"), "").ok(), "");
    fs::write(dir.path().join("book"), format!("3 May 1999\n{}\n", "1 ".repeat(4000))).unwrap();
    let said = run(dir.path(), &format!("translate -m {model} -i book"), "").failed(3);
    assert!(said.contains("book:2: ") && said.contains("are read as one sentence; split it"), "{said}");
}

#[test]
fn a_models_own_configuration_trains_another() {
    let dir = TempDir::new().unwrap();
    fs::copy(trained().join("pairs.tsv"), dir.path().join("pairs.tsv")).unwrap();
    let args = format!("train pairs.tsv --out again -c {}/config.json", model());
    run(dir.path(), &args, "").ok();
    let weights = |dir: &Path| fs::read(dir.join("model.safetensors")).unwrap();
    assert!(weights(&dir.path().join("again")) == weights(&trained().join("m")));
}
