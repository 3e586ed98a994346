//! Whole examinations, and cleaning.
mod cleaning;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::data::{Draws, MAX_LINE};

/// A folder with files.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let dir = TempDir::new().unwrap();
        for (name, bytes) in files {
            fs::write(dir.path().join(name), bytes).unwrap();
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn table(&self, part: Part, name: &str) -> CorpusFiles {
        CorpusFiles { part, files: PairFiles::Table(self.path(name), None) }
    }

    fn parallel(&self, src: &str, tgt: &str) -> CorpusFiles {
        CorpusFiles { part: Part::Train, files: PairFiles::Parallel(self.path(src), self.path(tgt)) }
    }

    /// `CHECK COUNT: FILE:LINE DETAIL, …` for every finding.
    fn found(&self, corpora: &[CorpusFiles], options: &Options) -> Vec<String> {
        self.told(&examine(corpora, options, &mut |_| ()).unwrap().report)
    }

    fn told(&self, report: &Report) -> Vec<String> {
        let place = |place: &Place| {
            let line = place.line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("{}{line} {}", place.file, place.detail)
        };
        let told = |finding: &Finding| {
            let places: Vec<String> = finding.examples.iter().map(place).collect();
            format!("{} {}: {}", finding.check, finding.count, places.join(", "))
                .replace(&format!("{}/", self.0.path().display()), "")
        };
        report.findings.iter().map(told).collect()
    }

    fn table_found(&self, name: &str) -> Vec<String> {
        self.found(&[self.table(Part::Train, name)], &Options::default())
    }
}

#[test]
fn everything_that_training_refuses_is_told_and_nothing_ends_the_reading() {
    let long = "x".repeat(MAX_LINE + 1);
    let bytes = [
        b"ein Haus\ta house\nnur eins\na\tb\tc\n\n\tempty\nleer\t \n \t\t\nf\xFCr\tfor\nnull\tn\0ll\n".as_slice(),
        long.as_bytes(),
        b"\tlong\nzwei\ttwo",
    ]
    .concat();
    let folder = Folder::new(&[("p.tsv", &bytes)]);
    let options = Options { examples: 9, ..Options::default() };
    let examined = examine(&[folder.table(Part::Train, "p.tsv")], &options, &mut |_| ()).unwrap();
    assert_eq!(
        folder.told(&examined.report),
        [
            "utf8 1: p.tsv:8 byte 2 of the line",
            "nul 1: p.tsv:9 byte 7 of the line",
            "too-long 1: p.tsv:10 ",
            "columns 3: p.tsv:2 1, not 2, p.tsv:3 3, not 2, p.tsv:7 3, not 2",
            "one-sided 2: p.tsv:5 no source, p.tsv:6 no target",
            "blank 1: p.tsv:4 ",
        ]
    );
    let file = &examined.report.files[0];
    assert_eq!(
        (examined.report.pairs, file.lines, file.bytes, examined.report.is_refused()),
        (2, 11, bytes.len() as u64, true)
    );
}

/// What `train` refuses is an error here, and what it takes is none.
#[test]
fn an_error_is_what_reading_for_training_refuses() {
    for text in [
        "a\tb\n",
        "a\tb\nc\n",
        "a\tb\tc\n",
        "\n",
        "a\t\n",
        " \t\u{3000}\n",
        "a\tb\0\n",
        "\u{feff}a\tb\r\n",
        "a\u{2028}\tb",
    ] {
        let folder = Folder::new(&[("p.tsv", text.as_bytes())]);
        let is_refused = crate::data::read_tsv(&folder.path("p.tsv"), None).is_err();
        let examined = examine(&[folder.table(Part::Train, "p.tsv")], &Options::default(), &mut |_| ()).unwrap();
        assert_eq!(examined.report.is_refused(), is_refused, "{text:?}");
    }
}

#[test]
fn what_hurts_is_a_warning_with_its_place() {
    let text = "eins\tone\neins\tone\nEins!\tone\nzwei\tZwei!\nu\u{308}ber\tover\na\u{2028}b\tx\nc\u{200b}\ty\nd\u{202e}\tz\n\
        e\u{1b}[0m\tu\nf\u{fffd}\tv\n\"g\tw\neins\tuno\n";
    let folder = Folder::new(&[("p.tsv", text.as_bytes())]);
    assert_eq!(
        folder.table_found("p.tsv"),
        [
            "duplicate 1: p.tsv:2 as p.tsv:1",
            "near-duplicate 1: p.tsv:3 nearly as p.tsv:1",
            "copied 1: p.tsv:4 zwei",
            "separator 1: p.tsv:6 source: U+2028, character 2",
            "control 1: p.tsv:9 source: U+001B, character 2",
            "invisible 1: p.tsv:7 source: U+200B, character 2",
            "bidi 1: p.tsv:8 source: U+202E, character 2",
            "replacement 1: p.tsv:10 source: U+FFFD, character 2",
            "many-targets 1: p.tsv:1 2 targets",
            "normalisation 1: p.tsv:5 source: character 1: u\u{308}ber",
            "quotes 1: p.tsv:11 source: \"g",
        ]
    );
}

#[test]
fn line_ends_and_byte_order_marks_are_told_of_the_file() {
    let folder = Folder::new(&[("p.tsv", "\u{feff}a\tb\r\nc\td\n".as_bytes())]);
    assert_eq!(folder.table_found("p.tsv"), ["byte-order-mark 1: p.tsv ", "carriage-return 1: p.tsv 1 of 2 lines"]);
}

#[test]
fn a_sentence_in_two_parts_is_told_on_either_side() {
    let folder = Folder::new(&[
        ("train.tsv", b"a\tx\nb\ty\nc\tz\nd\tw\nd\tw\n"),
        ("valid.tsv", b"a\tnew\nnew\tz\n"),
        ("test.tsv", b"d\tw\nold\told\nnew\tolder\n"),
    ]);
    let corpora = [(Part::Train, "train.tsv"), (Part::Valid, "valid.tsv"), (Part::Test, "test.tsv")];
    let corpora = corpora.map(|(part, name)| folder.table(part, name));
    let found = folder.found(&corpora, &Options::default());
    assert_eq!(
        found,
        [
            "duplicate 1: train.tsv:5 as train.tsv:4",
            "leaked-pair 1: test.tsv:1 as train.tsv:4",
            "leaked-source 3: valid.tsv:1 as train.tsv:1, test.tsv:1 as train.tsv:4, test.tsv:3 as valid.tsv:2",
            "leaked-target 2: valid.tsv:2 as train.tsv:3, test.tsv:1 as train.tsv:4",
            "copied 1: test.tsv:2 old",
        ]
    );
    let examined = examine(&corpora, &Options::default(), &mut |_| ()).unwrap();
    fix(&corpora, examined, &Options::default(), &folder.path("out")).unwrap();
    assert_eq!(fs::read_to_string(folder.path("out/train.tsv")).unwrap(), "b\ty\n");
    assert_eq!(fs::read_to_string(folder.path("out/valid.tsv")).unwrap(), "a\tnew\n");
    assert_eq!(fs::read(folder.path("out/test.tsv")).unwrap(), fs::read(folder.path("test.tsv")).unwrap());
}

#[test]
fn a_sentence_that_is_nearly_in_two_parts_is_told() {
    let folder = Folder::new(&[
        ("train.tsv", "Ja, gut!\tYes, fine!\nnein\tno\nNein.\tNo.\nkomm\tcome\n".as_bytes()),
        ("valid.tsv", b"nein\tno\nNEIN\tNO\n"),
        ("test.tsv", b"ja gut\tyes fine\nkomm\tcome\n"),
    ]);
    let corpora = [(Part::Train, "train.tsv"), (Part::Valid, "valid.tsv"), (Part::Test, "test.tsv")];
    let corpora = corpora.map(|(part, name)| folder.table(part, name));
    let found = folder.found(&corpora, &Options::default());
    // Of the pair that is there as it stands, too, the other one is told.
    let told = "near-leak 3: valid.tsv:1 nearly as train.tsv:3, test.tsv:1 nearly as train.tsv:1";
    assert!(found.contains(&told.to_owned()), "{found:?}");
    let mut options = Options::default();
    options.removes.insert(Check::NearLeak);
    let examined = examine(&corpora, &options, &mut |_| ()).unwrap();
    fix(&corpora, examined, &options, &folder.path("out")).unwrap_err();
    let examined = examine(&corpora[..2], &options, &mut |_| ()).unwrap();
    fix(&corpora[..2], examined, &options, &folder.path("out")).unwrap();
    assert_eq!(fs::read_to_string(folder.path("out/train.tsv")).unwrap(), "Ja, gut!\tYes, fine!\nkomm\tcome\n");
    assert_eq!(fs::read(folder.path("out/valid.tsv")).unwrap(), fs::read(folder.path("valid.tsv")).unwrap());
}

/// Parallel files of sentences that differ in length, some with numbers.
fn sentences(count: usize) -> [Vec<String>; 2] {
    let mut draws = Draws::new(2, 2);
    let mut sentence = || {
        let words = 2 + draws.below(15) as usize;
        let number = if draws.below(3) == 0 { draws.below(999).to_string() } else { "so".to_owned() };
        ["wort ", "word "].map(|word| format!("{}{number}.\n", word.repeat(words)))
    };
    let pairs: Vec<[String; 2]> = (0..count).map(|_| sentence()).collect();
    [0, 1].map(|side| pairs.iter().map(|pair| pair[side].clone()).collect())
}

#[test]
fn uneven_files_are_told_with_the_place_where_they_drift_apart() {
    let [src, mut tgt] = sentences(400);
    tgt.remove(200);
    let folder = Folder::new(&[("p.de", src.concat().as_bytes()), ("p.en", tgt.concat().as_bytes())]);
    let corpora = [folder.parallel("p.de", "p.en")];
    let found = folder.found(&corpora, &Options::default());
    assert_eq!(found[0], format!("line-count 1: p.de 400 lines, {} has 399", "p.en"));
    let drift = found.iter().find(|found| found.starts_with("drift")).unwrap();
    let line: usize = drift.split([':', ' ']).nth(4).unwrap().parse().unwrap();
    assert!(line.abs_diff(201) <= 5 && drift.ends_with("line n of the source fits line n-1 of the target"), "{drift}");
    let examined = examine(&corpora, &Options::default(), &mut |_| ()).unwrap();
    let error = fix(&corpora, examined, &Options::default(), &folder.path("out")).unwrap_err().to_string();
    assert!(error.contains("p.de` cannot be cleaned: its lines do not belong to those beside it"), "{error}");
    assert!(!folder.path("out").exists());
}

#[test]
fn a_file_that_was_cut_off_has_no_place_where_it_drifts() {
    let [src, mut tgt] = sentences(400);
    tgt.truncate(390);
    let folder = Folder::new(&[("p.de", src.concat().as_bytes()), ("p.en", tgt.concat().as_bytes())]);
    let found = folder.found(&[folder.parallel("p.de", "p.en")], &Options::default());
    assert!(found[0].ends_with("the sides fit, and the shorter file may just end too early"), "{found:?}");
    assert!(!found.iter().any(|found| found.starts_with("drift")), "{found:?}");
}

#[test]
fn the_place_in_a_table_counts_the_lines_that_are_no_pairs() {
    let [src, mut tgt] = sentences(600);
    tgt.remove(200);
    let broken = |i: usize| if i < 100 { "broken\n\n" } else { "" };
    let rows =
        src.iter().zip(&tgt).enumerate().map(|(i, (src, tgt))| format!("{}{}\t{tgt}", broken(i), src.trim_end()));
    let folder = Folder::new(&[("p.tsv", rows.collect::<String>().as_bytes())]);
    let found = folder.table_found("p.tsv");
    let drift = found.iter().find(|found| found.starts_with("drift")).unwrap();
    let line: usize = drift.split([':', ' ']).nth(4).unwrap().parse().unwrap();
    assert!(line.abs_diff(401) <= 5, "{drift}");
}

#[test]
fn what_cannot_be_read_to_its_end_is_told_and_the_rest_is_read() {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(&b"a\tb\n".repeat(5000)).unwrap();
    let packed = packed.finish().unwrap();
    let folder = Folder::new(&[
        ("a.tsv.gz", &packed[..packed.len() - 9]),
        ("b.tsv", b"c\n"),
        ("c.tsv.gz", b"a\tb\n"),
        ("d.tsv", b""),
    ]);
    let corpora = ["a.tsv.gz", "b.tsv", "c.tsv.gz", "d.tsv", "e.tsv"].map(|name| folder.table(Part::Train, name));
    let examined = examine(&corpora, &Options { examples: 9, ..Options::default() }, &mut |_| ()).unwrap();
    let unreadable = &examined.report.findings[0];
    let files: Vec<&str> = unreadable.examples.iter().map(|place| place.file.rsplit('/').next().unwrap()).collect();
    assert_eq!(
        (unreadable.check, unreadable.count, files),
        (Check::Unreadable, 4, vec!["a.tsv.gz", "c.tsv.gz", "d.tsv", "e.tsv"])
    );
    assert_eq!(examined.report.count(Check::Columns), 1);
}

#[test]
fn a_place_to_sort_that_is_not_there_is_an_error() {
    let pairs: String = (0..200).map(|i| format!("ein {i}\tone {i}\n")).collect();
    let folder = Folder::new(&[("p", pairs.as_bytes())]);
    let options = Options { memory: 64, temporary: Some(folder.path("nowhere")), ..Options::default() };
    let corpora = [folder.table(Part::Train, "p")];
    let error = examine(&corpora, &options, &mut |_| ()).expect_err("there is no such folder");
    assert!(matches!(&error, DoctorError::Temporary { .. }), "{error}");
}

#[test]
fn the_memory_given_changes_nothing_that_is_found() {
    let mut draws = Draws::new(8, 8);
    let mut text = String::new();
    for _ in 0..5000 {
        text += &format!("Satz {}\tsentence {}\n", draws.below(3000), draws.below(4));
    }
    let tested: String =
        text.lines().take(600).filter(|line| line.ends_with('0')).map(|line| format!("{line}\n")).collect();
    let folder = Folder::new(&[("train.tsv", text.as_bytes()), ("test.tsv", tested.as_bytes())]);
    let corpora = [folder.table(Part::Train, "train.tsv"), folder.table(Part::Test, "test.tsv")];
    let run = |memory, out: &str| {
        let options = Options { memory, ..Options::default() };
        let examined = examine(&corpora, &options, &mut |_| ()).unwrap();
        let report = examined.report.clone();
        let fixed = fix(&corpora, examined, &options, &folder.path(out)).unwrap();
        (report, fixed.removed, fs::read(folder.path(out).join("train.tsv")).unwrap())
    };
    let (report, removed, cleaned) = run(MEMORY, "a");
    assert!(report.count(Check::Duplicate) > 500 && report.count(Check::ManyTargets) > 500 && removed > 1000);
    // 16 KiB hold some 100 records of each kind.
    assert!(run(16 << 10, "b") == (report, removed, cleaned));
}

#[test]
fn files_that_are_no_lines_of_utf8_are_beyond_repair() {
    let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let narrow = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    for (bytes, hint) in [
        (wide("\u{feff}ein\tone\nzwei\ttwo\n"), "iconv -f UTF-16LE -t UTF-8"),
        (narrow("\u{feff}ein\tone\nzwei\ttwo\n"), "iconv -f UTF-16BE -t UTF-8"),
        (wide("ein Haus\ta house\nzwei\ttwo\n"), "iconv -f UTF-16LE -t UTF-8"),
        (narrow("ein Haus\ta house\nzwei\ttwo\n"), "iconv -f UTF-16BE -t UTF-8"),
        (b"ein\tone\rzwei\ttwo\r".to_vec(), "tr '\\r' '\\n'"),
        ("ein\tone\r".repeat(200_000).into_bytes(), "tr '\\r' '\\n'"),
    ] {
        let folder = Folder::new(&[("p.tsv", &bytes)]);
        let corpora = [folder.table(Part::Train, "p.tsv")];
        let examined = examine(&corpora, &Options::default(), &mut |_| ()).unwrap();
        let found = folder.told(&examined.report);
        assert!(
            found.len() == 1 && found[0].starts_with("unreadable 1: p.tsv") && found[0].contains(hint),
            "{found:?}"
        );
        let error = fix(&corpora, examined, &Options::default(), &folder.path("out")).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
        let error = crate::data::read_tsv(&folder.path("p.tsv"), None).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
        // Beside a file that is as it should be.
        let folder = Folder::new(&[("p", &bytes), ("q", b"a\nb\n")]);
        let found = folder.found(&[folder.parallel("p", "q")], &Options::default());
        assert!(found.len() == 1 && found[0].contains(hint), "{found:?}");
    }
}
