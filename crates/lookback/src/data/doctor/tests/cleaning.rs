//! What cleaning writes, and that it is the input again.
use super::*;

#[test]
fn what_is_removed_can_be_chosen() {
    let folder = Folder::new(&[("p.tsv", "a\ta\nb\tc\u{200b}\nb\tc\n\td\n".as_bytes())]);
    let cleaned = |drop: &[Check], keep: &[Check], out: &str| {
        let mut options = Options::default();
        for &check in drop {
            options.removes.insert(check);
            options.changes.remove(check);
        }
        for &check in keep {
            options.removes.remove(check);
            options.changes.remove(check);
        }
        let corpora = [folder.table(Part::Train, "p.tsv")];
        let examined = examine(&corpora, &options, &mut |_| ()).unwrap();
        fix(&corpora, examined, &options, &folder.path(out)).unwrap();
        fs::read_to_string(folder.path(out).join("p.tsv")).unwrap()
    };
    assert_eq!(cleaned(&[], &[], "x"), "a\ta\nb\tc\n");
    assert_eq!(cleaned(&[Check::Copied, Check::Invisible], &[], "y"), "b\tc\n");
    assert_eq!(cleaned(&[], &[Check::Duplicate, Check::Invisible], "z"), "a\ta\nb\tc\u{200b}\nb\tc\n");
}

#[test]
fn nothing_is_overwritten_and_names_do_not_collide() {
    let folder = Folder::new(&[("p.tsv", b"a\tb\n"), ("changes.tsv", b"a\tb\n")]);
    fs::create_dir(folder.path("dev")).unwrap();
    fs::write(folder.path("dev/p.tsv"), "c\td\n").unwrap();
    let said = |names: &[&str], out: &str| {
        let corpora: Vec<_> = names.iter().map(|name| folder.table(Part::Train, name)).collect();
        let error = check_output(&corpora, &folder.path(out)).unwrap_err().to_string();
        let examined = examine(&corpora, &Options::default(), &mut |_| ()).unwrap();
        assert_eq!(fix(&corpora, examined, &Options::default(), &folder.path(out)).unwrap_err().to_string(), error);
        error
    };
    assert!(said(&["p.tsv"], ".").ends_with("is there already; give the cleaned corpus a new folder"));
    let clash = "two files would have its name in the folder; give it another name";
    assert!(said(&["changes.tsv"], "new").contains("the list of changes will have its name"));
    assert!(said(&["p.tsv", "dev/p.tsv"], "new").ends_with(clash));
    assert!(said(&["p.tsv"], "nowhere/new").contains("nowhere/new"));
    assert!(said(&["p.tsv"], "p.tsv/new").contains("p.tsv/new"));
    let error = check_output(&[folder.table(Part::Train, "dev")], &folder.path("new")).unwrap_err().to_string();
    assert!(error.ends_with("dev` cannot be cleaned: it is no regular file, and cleaning reads it twice"));
}

#[test]
fn names_of_files_are_free() {
    let names = ["x.tmp", "x", "changes.tsv.tmp"];
    let folder = Folder::new(&names.map(|name| (name, name.as_bytes())));
    names.iter().for_each(|name| fs::write(folder.path(name), format!("ein {name}\tone {name}\n")).unwrap());
    let corpora = names.map(|name| folder.table(Part::Train, name));
    let examined = examine(&corpora, &Options::default(), &mut |_| ()).unwrap();
    let fixed = fix(&corpora, examined, &Options::default(), &folder.path("out")).unwrap();
    assert_eq!((fixed.files.len(), &fixed.files[1].path), (3, &folder.path("out/x")));
    for name in names {
        assert_eq!(fs::read(folder.path("out").join(name)).unwrap(), fs::read(folder.path(name)).unwrap(), "{name}");
    }
    assert_eq!(fs::read_dir(folder.path("out")).unwrap().count(), 4);
}

#[test]
fn what_failed_leaves_nothing_and_can_be_done_again() {
    let folder = Folder::new(&[("p.tsv", b"a\tb\n")]);
    let corpora = [folder.table(Part::Train, "p.tsv")];
    let examined = examine(&corpora, &Options::default(), &mut |_| ()).unwrap();
    fs::write(folder.path("p.tsv"), "a\tc\n").unwrap();
    let error = fix(&corpora, examined, &Options::default(), &folder.path("out")).unwrap_err();
    assert!(matches!(error, DoctorError::Changed { .. }), "{error}");
    assert_eq!(fs::read_dir(folder.path(".")).unwrap().count(), 1, "only the file is there");
    let examined = examine(&corpora, &Options::default(), &mut |_| ()).unwrap();
    fix(&corpora, examined, &Options::default(), &folder.path("out")).unwrap();
    assert_eq!(fs::read_dir(folder.path(".")).unwrap().count(), 2);
}

#[test]
fn a_line_that_is_too_long_is_removed_whole() {
    let text = [b"a\tb\n".as_slice(), &b"x".repeat(3 * MAX_LINE), b"\nc\td\n", &b"y".repeat(2 * MAX_LINE)].concat();
    let folder = Folder::new(&[("p.tsv", &text)]);
    let corpora = [folder.table(Part::Train, "p.tsv")];
    let examined = examine(&corpora, &Options::default(), &mut |_| ()).unwrap();
    let fixed = fix(&corpora, examined, &Options::default(), &folder.path("out")).unwrap();
    assert_eq!((fixed.removed, fs::read_to_string(folder.path("out/p.tsv")).unwrap()), (2, "a\tb\nc\td\n".into()));
    assert!(fs::metadata(folder.path("out/changes.tsv")).unwrap().len() > 5 * MAX_LINE as u64);
}

/// A line of each side.
type Lines = (Vec<u8>, Vec<u8>);

/// Lines that have everything in them.
fn odd_line() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        8 => "[ab]{1,2}".prop_map(String::into_bytes),
        4 => Just(b"\t".to_vec()),
        1 => Just(b"\xFF".to_vec()),
        1 => Just(b"\0".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just("\u{feff}".as_bytes().to_vec()),
        1 => Just("u\u{308}\u{200b}\u{2028}".as_bytes().to_vec()),
    ];
    prop::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn the_cleaned_corpus_and_the_changes_are_the_input_and_clean_is_clean(
        lines in prop::collection::vec((odd_line(), odd_line()), 1..12),
        end in prop_oneof![Just("\n"), Just("")],
        as_table in any::<bool>(),
    ) {
        let side = |of: fn(&Lines) -> Vec<u8>| [lines.iter().map(of).collect::<Vec<_>>().join(&b'\n'), end.into()].concat();
        let src = side(|line| line.0.clone());
        let tgt = side(|line| line.1.clone());
        let table = side(|line| [&line.0[..], b"\t", &line.1].concat());
        prop_assume!(!src.is_empty() && !tgt.is_empty());
        let folder = Folder::new(&[("p.de", &src), ("p.en", &tgt), ("p.tsv", &table)]);
        let corpora = [if as_table { folder.table(Part::Train, "p.tsv") } else { folder.parallel("p.de", "p.en") }];
        let options = Options::default();
        let examined = examine(&corpora, &options, &mut |_| ()).unwrap();
        prop_assume!(examined.report.count(Check::LineCount) == 0 && examined.report.count(Check::Unreadable) == 0);
        // `fix` puts the input together again and fails if it is not the same.
        let pairs = examined.report.pairs;
        let fixed = match fix(&corpora, examined, &options, &folder.path("out")) {
            Err(DoctorError::NothingLeft { .. }) => return Ok(()),
            fixed => fixed.unwrap(),
        };
        let kept = fixed.files[0].lines;
        prop_assert!(kept > 0 && kept <= pairs);
        let again = if as_table {
            CorpusFiles { part: Part::Train, files: PairFiles::Table(folder.path("out/p.tsv"), None) }
        } else {
            CorpusFiles { part: Part::Train, files: PairFiles::Parallel(folder.path("out/p.de"), folder.path("out/p.en")) }
        };
        let report = examine(&[again], &options, &mut |_| ()).unwrap().report;
        prop_assert_eq!(report.pairs, kept);
        let left = report.findings.iter().map(|finding| finding.check).filter(|&check| options.removes.or(options.changes).contains(check));
        prop_assert_eq!(left.collect::<Vec<_>>(), vec![]);
    }
}
