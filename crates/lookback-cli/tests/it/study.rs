//! Studies, with the smallest models that can be trained.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lookback::data::dates::dates;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{command, run};

/// What makes the runs as small as they can be.
const SMALL: &str = "--quick --set train.max_updates=8 --set train.validate_every=4 --set model.embedding=8 --set train.batch_tokens=300 \
    --set search.max_length_ratio=1.0 --set search.max_length_extra=2 --threads 2";

fn folder() -> TempDir {
    let dir = TempDir::new().expect("a folder");
    let pairs: String = dates(300, 4).iter().map(|(written, iso)| format!("{written}\t{iso}\n")).collect();
    fs::write(dir.path().join("pairs.tsv"), pairs).expect("a file");
    dir
}

/// What a study found, without times.
fn results(dir: &Path) -> Value {
    let text = fs::read_to_string(dir.join("results.json")).expect("results");
    let mut results: Value = serde_json::from_str(&text).expect("JSON");
    for run in results["runs"].as_array_mut().expect("runs") {
        assert!(run["seconds"].as_f64().expect("a time") > 0.0);
        run.as_object_mut().expect("an object").remove("seconds");
    }
    results
}

/// The bytes of every model.
fn models(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let runs = fs::read_dir(dir.join("runs")).expect("runs").map(|entry| entry.expect("an entry").path());
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    runs.map(|path| (name(&path), fs::read(path.join("model.safetensors")).expect("a model"))).collect()
}

/// Nothing on the page leads outside, and nothing runs.
fn is_self_contained(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.contains("default-src 'none'"));
    // The name of SVG's namespace is no address that is asked for.
    let page = page.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "src=", "href=", "@import", "url(", "<script", "{{"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn a_bottleneck_study_leaves_models_results_figures_and_a_page_whose_commands_work() {
    let dir = folder();
    let said = run(dir.path(), &format!("study bottleneck pairs.tsv --out s {SMALL}"), "");
    assert!(
        said.err.contains("run 1 of 4: attention-64") && said.err.contains("done 8") || said.err.contains("valid nll"),
        "{}",
        said.err
    );
    said.ok();
    let study = dir.path().join("s");
    let found = results(&study);
    let names: Vec<&str> = found["runs"].as_array().unwrap().iter().map(|run| run["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["attention-64", "none-32", "none-64", "none-128"]);
    let bleu = &found["results"]["metrics"][0];
    let parts = found["results"]["parts"].as_array().unwrap().len();
    assert!(parts >= 1);
    for row in bleu["by_length"].as_array().unwrap() {
        assert_eq!(row.as_array().unwrap().len(), parts);
    }
    assert_eq!(bleu["attention_minus_none"].as_array().unwrap().len(), 3);
    let page = fs::read_to_string(study.join("report.html")).unwrap();
    is_self_contained(&page);
    for (file, word) in [("by-length.svg", "attention, H = 64"), ("gap.svg", "ahead of none, H = 128")] {
        let svg = fs::read_to_string(study.join(file)).unwrap();
        assert!(svg.starts_with("<svg ") && svg.contains(word) && page.contains(&svg), "{file}");
    }
    // The score of the whole test is the one that `eval` finds.
    let whole = bleu["whole"][0]["score"].as_f64().unwrap();
    let again = run(dir.path(), "eval -m s/runs/attention-64 s/data/test.tsv --json", "").ok();
    let again: Value = serde_json::from_str(&again).unwrap();
    assert!((again["bleu"]["score"].as_f64().unwrap() - whole).abs() < 1e-12);
    assert_eq!(again["bleu"]["signature"], bleu["signature"]);
    // The command of a run makes the run.
    let typed = found["runs"][1]["command"].as_str().unwrap();
    let typed = typed.strip_prefix("lookback ").unwrap().replace("s/runs/none-32", "alone");
    run(dir.path(), &typed, "").ok();
    let model = |path: &str| fs::read(dir.path().join(path).join("model.safetensors")).unwrap();
    assert!(model("alone") == model("s/runs/none-32"));
    // Again: nothing is trained, everything is the same.
    let before = (models(&study), results(&study));
    let said = run(dir.path(), &format!("study bottleneck pairs.tsv --out s {SMALL}"), "");
    assert!(
        said.err.contains("run 4 of 4: none-128: trained already") && !said.err.contains("valid nll"),
        "{}",
        said.err
    );
    said.ok();
    assert!(before == (models(&study), results(&study)));
    // Another study is not mixed into it.
    let said = run(dir.path(), &format!("study bottleneck pairs.tsv --out s {SMALL} --seed 7"), "").failed(2);
    assert!(said.contains("holds another study, in which `settings` was"), "{said}");
}

#[test]
fn a_scores_study_has_every_combination_beside_the_papers_numbers() {
    let dir = folder();
    fs::write(dir.path().join("linked.tsv"), "3. Mai 1999\t1999-05-03\n1 . 2 .\t1 2\n").unwrap();
    fs::write(dir.path().join("gold"), "1-1 2p1 3p1\n1-1 3-2\n").unwrap();
    let linked = "--align-pairs linked.tsv --align-gold gold --gold-base 1";
    let small = SMALL.replace("max_updates=8", "max_updates=2").replace("validate_every=4", "validate_every=2");
    let args = format!("study scores pairs.tsv --out s {small} --set model.hidden=8 {linked}");
    run(dir.path(), &args, "").ok();
    let study = dir.path().join("s");
    let found = results(&study);
    let all = found["results"]["models"].as_array().unwrap();
    assert_eq!(all.len(), 32);
    let model = |name: &str| all.iter().find(|model| model["name"] == name).unwrap();
    assert!(model("local_p-general-feed")["aer"].is_number() && model("base")["aer"].is_null());
    assert!(model("global-concat")["parameters"].as_u64() > model("global-dot")["parameters"].as_u64());
    let page = fs::read_to_string(study.join("report.html")).unwrap();
    is_self_contained(&page);
    for told in ["18.1 (+1.3)", "local-p (general)", "&gt;7.0", "In what the paper’s setting differs", "<td>34</td>"]
    {
        assert!(page.contains(told), "{told}");
    }
    let measured = fs::read_to_string(study.join("measured/global-dot.json")).unwrap();
    let links: Value = serde_json::from_str(&measured).unwrap();
    let line = |links: &Value| {
        let link = |link: &Value| format!("{}-{}", link[0], link[1]);
        links.as_array().unwrap().iter().map(link).collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<String> = links["links"].as_array().unwrap().iter().map(line).collect();
    let aligned = run(dir.path(), "align -m s/runs/global-dot linked.tsv", "").ok();
    assert_eq!(aligned.lines().collect::<Vec<_>>(), lines, "the links are those of `align`");
    fs::write(dir.path().join("links"), aligned).unwrap();
    let rate = run(dir.path(), "eval --aer gold --gold-base 1 --hyp links --json", "").ok();
    let rate: Value = serde_json::from_str(&rate).unwrap();
    assert_eq!(rate["score"], model("global-dot")["aer"], "the rate is that of `eval`");
}

#[test]
fn a_gradients_study_makes_its_own_pairs_and_shows_that_gradients_vanish() {
    let dir = TempDir::new().unwrap();
    let small = "--quick --set train.max_updates=3 --set train.validate_every=3 --set model.hidden=16 --set model.embedding=8 --threads 2";
    run(dir.path(), &format!("study gradients --out s {small}"), "").ok();
    let study = dir.path().join("s");
    let found = results(&study);
    assert_eq!(found["runs"].as_array().unwrap().len(), 2 * 6);
    let models = found["results"]["gradients"]["models"].as_array().unwrap();
    let norm = |cell: &str, attention: &str, distance: u64| {
        let of = models.iter().find(|of| of["cell"] == cell && of["attention"] == attention).unwrap();
        let norms = of["initial"].as_array().unwrap();
        norms.iter().find(|at| at[0] == distance).unwrap()[1].as_f64().unwrap()
    };
    // Half-open gates of a GRU let through half of a gradient, a step; attention has a way past the states.
    assert!(norm("gru", "none", 30) < 1e-2 * norm("gru", "none", 3));
    assert!(norm("gru", "dot", 30) > 10.0 * norm("gru", "none", 30));
    let copying = found["results"]["copying"].as_array().unwrap();
    assert!(copying.len() == 12 && copying.iter().all(|of| of["exact"]["score"].is_number()));
    let page = fs::read_to_string(study.join("report.html")).unwrap();
    is_self_contained(&page);
    assert!(
        page.contains("LSTM + attention")
            && study.join("gradients.svg").is_file()
            && study.join("copying.svg").is_file()
    );
    let data = fs::read_to_string(study.join("data/delay-5/test.tsv")).unwrap();
    assert!(data.lines().all(|line| line.len() == 6 + 5 + 1 + 6), "{data}");
}

#[cfg(unix)]
#[test]
fn a_study_that_was_stopped_goes_on_to_the_same_results() {
    let dir = folder();
    let args = |out: &str| format!("study bottleneck pairs.tsv --out {out} {SMALL}");
    run(dir.path(), &args("whole"), "").ok();
    let whole = (models(&dir.path().join("whole")), results(&dir.path().join("whole"))["results"].clone());
    // Stopped in the second run, as soon as it has a state.
    let child = command(dir.path(), args("cut").split_whitespace()).spawn().unwrap();
    let second = dir.path().join("cut/runs/none-32/training.safetensors");
    for _ in 0..6000 {
        if second.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    // A fast machine may have been through with all of it.
    assert!([Some(130), Some(0)].contains(&ended.status.code()), "{}", String::from_utf8_lossy(&ended.stderr));
    run(dir.path(), &args("cut"), "").ok();
    let cut = (models(&dir.path().join("cut")), results(&dir.path().join("cut"))["results"].clone());
    assert!(cut == whole);
}
