//! Where the decoder looked, beside translations and in files: the same in every form and from every verb.

use std::fs;

use lookback::view::{AttentionMap, Links, read_jsonl, to_marian, to_pharaoh, write_nematus};
use tempfile::TempDir;

use crate::program::{SMALL, pairs, run, trained};

/// The third line is blank, and stays so in every form that has a line for each.
const SOURCES: &str = "3 May 1999\n2001/2/3\n\n1987년 3월 5일\n";

fn model() -> String {
    trained().join("m").display().to_string()
}

/// The maps of the three best of every source.
fn maps(dir: &TempDir) -> Vec<AttentionMap> {
    let lines = run(dir.path(), &format!("attend -m {} -b 3 --format jsonl", model()), SOURCES).ok();
    read_jsonl(lines.as_bytes()).map(Result::unwrap).collect()
}

fn best(maps: &[AttentionMap]) -> impl Iterator<Item = &AttentionMap> {
    maps.iter().filter(|map| map.rank() == Some(0))
}

#[test]
fn a_translation_is_followed_by_its_alignment() {
    let dir = TempDir::new().unwrap();
    let maps = maps(&dir);
    let translate = |more: &str| run(dir.path(), &format!("translate -m {} -b 3 {more}", model()), SOURCES).ok();
    let plain = translate("");
    for (how, of) in [
        ("--alignment", (|map| to_pharaoh(map, Links::Strongest)) as fn(&AttentionMap) -> String),
        ("--alignment=hard", |map| to_pharaoh(map, Links::Strongest)),
        ("--alignment=0.1", |map| to_pharaoh(map, Links::Above(0.1))),
        ("--alignment=soft", to_marian),
    ] {
        let mut alignments: Vec<String> = best(&maps).map(of).collect();
        alignments.insert(2, String::new());
        let want: String =
            plain.lines().zip(&alignments).map(|(text, links)| format!("{text} ||| {links}\n")).collect();
        assert_eq!(translate(how), want, "{how}");
    }
    assert!(best(&maps).all(|map| !to_pharaoh(map, Links::Strongest).is_empty()));
}

#[test]
fn an_n_best_list_has_its_alignments_between_text_and_scores() {
    let dir = TempDir::new().unwrap();
    let maps = maps(&dir);
    let args = format!("translate -m {} -b 3 --n-best 3 --alignment", model());
    let list = run(dir.path(), &args, SOURCES).ok();
    let mut maps = maps.iter();
    for line in list.lines() {
        let fields: Vec<&str> = line.split(" ||| ").collect();
        assert!(fields.len() == 5 && fields[3].starts_with("F0= "), "{line}");
        if fields[0] == "2" {
            assert_eq!(fields[2], "", "{line}");
            continue;
        }
        let map = maps.next().unwrap();
        assert_eq!((fields[0], fields[1]), (map.id().to_string().as_str(), map.tgt().text.as_str()));
        assert_eq!(fields[2], to_pharaoh(map, Links::Strongest));
    }
    assert!(maps.next().is_none());
}

#[test]
fn json_has_the_alignment_of_every_hypothesis() {
    let dir = TempDir::new().unwrap();
    let mut maps = maps(&dir).into_iter();
    let args = format!("translate -m {} -b 3 --n-best 3 --alignment --json", model());
    let lines = run(dir.path(), &args, SOURCES).ok();
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let all = line["n_best"].as_array().unwrap();
        assert_eq!(line["alignment"], all[0]["alignment"], "the best is the first");
        for one in all {
            let want =
                if line["id"] == 2 { String::new() } else { to_pharaoh(&maps.next().unwrap(), Links::Strongest) };
            assert_eq!(one["alignment"], want, "{line}");
        }
    }
    assert!(maps.next().is_none());
}

#[test]
fn every_form_comes_from_both_verbs_in_the_same_bytes() {
    let dir = TempDir::new().unwrap();
    let maps = maps(&dir);
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap();
    for form in ["html", "jsonl", "npz", "pharaoh", "nematus", "marian", "txt"] {
        run(dir.path(), &format!("attend -m {} -b 3 -o a.{form}", model()), SOURCES).ok();
        let args = format!("translate -m {} -b 3 --n-best 3 --batch 1 --attention b.{form}", model());
        run(dir.path(), &args, SOURCES).ok();
        assert!(read(&format!("a.{form}")) == read(&format!("b.{form}")), "{form}");
    }
    let text = |name: &str| String::from_utf8(read(name)).unwrap();
    let mut links: Vec<String> = maps.iter().map(|map| to_pharaoh(map, Links::Strongest)).collect();
    links.insert(6, String::new());
    assert_eq!(text("a.pharaoh").lines().collect::<Vec<_>>(), links);
    let mut blocks = Vec::new();
    maps.iter().for_each(|map| write_nematus(&mut blocks, map).unwrap());
    assert_eq!(read("a.nematus"), blocks, "a blank line has no block");
    let rows = text("a.marian");
    assert_eq!(rows.lines().nth(6), Some(" ||| "));
    assert!(rows.lines().next().unwrap().ends_with(&format!(" ||| {}", to_marian(&maps[0]))));
    let npz = read("a.npz");
    let holds = |name: &str| npz.windows(name.len()).any(|window| window == name.as_bytes());
    assert!(npz.starts_with(b"PK\x03\x04") && holds("3.2.word_weights.npy") && !holds("2.0.weights.npy"));
}

#[test]
fn a_form_that_was_asked_for_wins_over_the_name() {
    let dir = TempDir::new().unwrap();
    let args = format!("translate -m {} --attention looks.of.mine --attention-format pharaoh", model());
    run(dir.path(), &args, SOURCES).ok();
    assert_eq!(fs::read_to_string(dir.path().join("looks.of.mine")).unwrap().lines().count(), 4);
    let args = format!("translate -m {} --attention looks.of.mine", model());
    assert!(run(dir.path(), &args, SOURCES).failed(2).contains("give --attention-format"));
    let args = format!("translate -m {} -o same.jsonl --attention same.jsonl", model());
    assert!(run(dir.path(), &args, SOURCES).failed(2).contains("the same file"));
}

#[test]
fn words_are_counted_between_white_space() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), "3 May, 1999\t1999-05 03\n").unwrap();
    let attend = |more: &str| run(dir.path(), &format!("attend -m {} --pairs p.tsv {more}", model()), "").ok();
    let block = attend("--format nematus --words");
    let header: Vec<&str> = block.lines().next().unwrap().split(" ||| ").collect();
    assert_eq!((header[1], header[3], header[4]), ("1999-05 03", "3 May, 1999", "4 3"));
    let links = attend("--format pharaoh --words");
    assert_eq!(links.split_whitespace().count(), 2, "a link for each target word: {links}");
    let all = attend("--format pharaoh --words --threshold 0");
    assert!(all.split_whitespace().count() > 2 && all.trim_end().ends_with("2-1"), "{all}");
}

#[test]
fn a_model_without_attention_says_that_it_has_none() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), pairs()).unwrap();
    let none = format!("train p.tsv --out m {SMALL} --set train.max_updates=1 --set model.attention=none");
    run(dir.path(), &none, "").ok();
    for args in
        ["translate -m m --alignment", "translate -m m --attention a.npz", "attend -m m", "attend -m m --pairs p.tsv"]
    {
        let said = run(dir.path(), args, "3 May 1999\n").failed(2);
        assert!(said.contains("the model has no attention (`model.attention = \"none\"`)"), "{args}: {said}");
    }
    assert!(!dir.path().join("a.npz").exists(), "nothing is written before");
    run(dir.path(), "translate -m m", "3 May 1999\n").ok();
}

/// Pairs without blank sides, as `align` reads them.
const PAIRS: &str = "3 May 1999\t1999-05-03\n2001 / 2 / 3\t2001 - 02 - 03\n  1987년  3월 5일\t1987-03-05 \n";

fn links(args: &str) -> Vec<Vec<(usize, usize)>> {
    let dir = TempDir::new().unwrap();
    let out = run(dir.path(), &format!("align -q -m {} {args}", model()), PAIRS).ok();
    let link = |link: &str| link.split_once('-').map(|(s, t)| (s.parse().unwrap(), t.parse().unwrap())).unwrap();
    out.lines().map(|line| line.split_whitespace().map(link).collect()).collect()
}

#[test]
fn align_links_what_attend_shows_and_every_word_between_white_space() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), PAIRS).unwrap();
    for threshold in ["", "--threshold 0.1"] {
        let attend = format!("attend -m {} --pairs p.tsv --words --format pharaoh {threshold}", model());
        let align = format!("align -q -m {} p.tsv {threshold} --batch 2", model());
        assert_eq!(run(dir.path(), &align, "").ok(), run(dir.path(), &attend, "").ok());
    }
    let aligned = links("");
    for (links, pair) in aligned.iter().zip(PAIRS.lines()) {
        let (src, tgt) = pair.split_once('\t').unwrap();
        let [src, tgt] = [src, tgt].map(|text| text.split_whitespace().count());
        let mut linked: Vec<usize> = links.iter().map(|link| link.1).collect();
        linked.sort_unstable();
        assert_eq!(linked, (0..tgt).collect::<Vec<_>>(), "one link for every target word of {pair:?}");
        assert!(links.iter().all(|link| link.0 < src));
    }
    fs::write(dir.path().join("s"), "3 May 1999\n\n").unwrap();
    fs::write(dir.path().join("t"), "1999-05-03\n\n").unwrap();
    let sides = run(dir.path(), &format!("align -q -m {} --src s --tgt t", model()), "").ok();
    assert_eq!(sides.lines().count(), 2, "a line for every pair: {sides:?}");
    assert_eq!(sides.lines().nth(1), Some(""));
}

#[test]
fn two_directions_are_merged_between_their_intersection_and_their_union() {
    // The model reads dates only; as its own reverse it reads the turned pairs, which is enough to merge.
    let with = |how: &str| links(&format!("--reverse-model {} --merge {how}", model()));
    let (both, either) = (with("intersection"), with("union"));
    for how in ["grow-diag", "grow-diag-final", "grow-diag-final-and"] {
        for ((merged, both), either) in with(how).iter().zip(&both).zip(&either) {
            assert!(both.iter().all(|link| merged.contains(link)) && merged.iter().all(|link| either.contains(link)));
        }
    }
    assert_eq!(links(&format!("--reverse-model {}", model())), with("grow-diag-final-and"));
    for (forward, either) in links("").iter().zip(&either) {
        assert!(forward.iter().all(|link| either.contains(link)));
    }
}

#[test]
fn a_word_may_take_the_weights_of_the_step_that_reads_it() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("p.tsv"), PAIRS).unwrap();
    let lines = run(dir.path(), &format!("attend -m {} --pairs p.tsv --format jsonl", model()), "").ok();
    let maps = read_jsonl(lines.as_bytes()).map(Result::unwrap);
    let want: Vec<String> = maps.map(|map| to_pharaoh(&map.one_step_later().spaced(), Links::Strongest)).collect();
    let got = run(dir.path(), &format!("align -q -m {} p.tsv --weights read", model()), "").ok();
    assert_eq!(got.lines().collect::<Vec<_>>(), want);
}
