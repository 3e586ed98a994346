use proptest::prelude::*;

use super::super::{Pair, PairWriter};
use super::*;

mod by_strings;

fn corpus(pairs: impl IntoIterator<Item = (String, String)>) -> Corpus {
    Corpus::from_pairs(pairs)
}

fn pairs(corpus: &Corpus) -> Vec<Pair> {
    corpus.pairs.to_vec().unwrap()
}

fn distinct(count: usize) -> Corpus {
    corpus((0..count).map(|i| (format!("s{i}"), format!("t{i}"))))
}

fn lines(corpus: &Corpus) -> Vec<u64> {
    pairs(corpus).iter().map(|pair| pair.line).collect()
}

#[test]
fn what_shares_a_sentence_is_kept_out() {
    let of = |pairs: &[(&str, &str)]| Corpus::from_pairs(pairs.iter().map(|(s, t)| (s.to_string(), t.to_string())));
    let all = of(&[("a", "x"), ("b", "y"), (" a\u{308}", "z"), ("c", "w"), ("d", "v")]);
    let (left, out) = keep_out(&all, &[&of(&[("q", "x"), ("\u{e4} ", "r")]), &of(&[("d", "s")])]).unwrap();
    assert_eq!((lines(&left), out), (vec![2, 4], 3));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_sentence_is_on_both_sides_of_the_division(
        pairs in proptest::collection::vec((0..30_u32, 0..30_u32), 2..80),
        size in 1..20_usize,
        seed: u64,
    ) {
        let whole = corpus(pairs.iter().map(|(src, tgt)| (src.to_string(), tgt.to_string())));
        let different = pairs.iter().collect::<BTreeSet<_>>().len();
        let (train, valid, report) = match hold_out(whole, seed, Some(size)) {
            Ok(divided) => divided,
            Err(DataError::TooSmall { asked, distinct }) => {
                prop_assert!(asked == size && distinct == different && different <= size);
                return Ok(());
            }
            Err(DataError::Entangled) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        };
        let sides = |corpus: &Corpus| -> (BTreeSet<String>, BTreeSet<String>) {
            self::pairs(corpus).into_iter().map(|pair| (pair.src, pair.tgt)).unzip()
        };
        let ((train_src, train_tgt), (valid_src, valid_tgt)) = (sides(&train), sides(&valid));
        prop_assert!(train_src.is_disjoint(&valid_src) && train_tgt.is_disjoint(&valid_tgt));
        let valid_pairs: BTreeSet<_> = self::pairs(&valid).into_iter().map(|pair| (pair.src, pair.tgt)).collect();
        prop_assert_eq!(valid_pairs.len(), valid.pairs.len());
        prop_assert!(!train.pairs.is_empty() && (1..=size).contains(&valid.pairs.len()));
        prop_assert_eq!((report.held_out, report.remaining), (valid.pairs.len(), train.pairs.len()));
        prop_assert_eq!(report.held_out + report.remaining + report.duplicates + report.dropped, pairs.len());
    }

    #[test]
    fn the_division_is_that_of_whole_sentences_in_memory_or_in_a_file(
        sides in proptest::collection::vec((0..40_u32, 0..40_u32), 2..120),
        asked in 1..20_usize,
        seed: u64,
    ) {
        let all: Vec<Pair> = (1..).zip(&sides).map(|(line, (src, tgt))| Pair { src: format!("s {src}"), tgt: format!("t {tgt}"), line, corpus: 0 }).collect();
        let mut writer = PairWriter::within(0);
        all.iter().for_each(|pair| writer.push(pair.as_ref()).unwrap());
        let spooled = Corpus { pairs: writer.finish().unwrap(), report: super::super::ReadReport::default() };
        let in_memory = Corpus { pairs: all.iter().cloned().collect(), ..spooled.clone() };
        let expected = by_strings::divide(&all, seed, asked);
        for corpus in [in_memory, spooled] {
            match (hold_out(corpus, seed, Some(asked)), &expected) {
                (Ok((train, valid, _)), Some(expected)) => prop_assert_eq!(&[lines(&train), lines(&valid)], expected),
                (Err(DataError::TooSmall { .. } | DataError::Entangled), None) => {}
                (other, _) => return Err(TestCaseError::fail(format!("{other:?}"))),
            }
        }
    }
}

#[test]
fn unrelated_pairs_cost_nothing_and_the_seed_decides() {
    let divide = |seed| hold_out(distinct(100), seed, Some(10)).unwrap();
    let (train, valid, report) = divide(1);
    assert_eq!((valid.pairs.len(), train.pairs.len(), report.dropped, report.duplicates), (10, 90, 0, 0));
    assert_eq!(lines(&valid), lines(&divide(1).1));
    assert_ne!(lines(&valid), lines(&divide(2).1));
    assert!(lines(&valid).is_sorted() && lines(&train).is_sorted());
}

#[test]
fn the_default_is_five_percent_up_to_a_thousand() {
    let held = |count| hold_out(distinct(count), 0, None).unwrap().2.held_out;
    assert_eq!([2, 19, 100, 1000, 30_000].map(held), [1, 1, 5, 50, 1000]);
}

#[test]
fn sentences_are_compared_in_nfc_without_white_space_around() {
    // Three spellings of one pair, and one other pair: either all three leave the training pairs or none does.
    let pairs = [("ä", "x"), (" a\u{308}", "x "), ("ä", "x"), ("b", "y")];
    for seed in 0..20 {
        let whole = corpus(pairs.map(|(src, tgt)| (src.to_owned(), tgt.to_owned())));
        let (train, _, report) = hold_out(whole, seed, Some(1)).unwrap();
        match lines(&train)[..] {
            [4] => assert_eq!(report.duplicates, 2),
            [1, 2, 3] => assert_eq!(report.duplicates, 0),
            _ => panic!("{:?}", lines(&train)),
        }
    }
}

#[test]
fn relatives_are_dropped_only_where_there_is_no_other_way() {
    // A chain s0-t0-s1-t1-…: one component, larger than a tenth of any hold-out.
    let chain = |count: usize| corpus((0..count).map(|i| (format!("s{}", i.div_ceil(2)), format!("t{}", i / 2))));
    let (train, valid, report) = hold_out(chain(200), 5, Some(10)).unwrap();
    assert_eq!(report.held_out, valid.pairs.len());
    assert!(report.held_out >= 4, "{report:?}");
    assert!(report.dropped <= 10 && train.pairs.len() >= 180, "{report:?}");
    // With free pairs beside the chain the hold-out comes from those.
    let mixed = corpus(pairs(&chain(200)).into_iter().chain(pairs(&distinct(50))).enumerate().map(|(i, pair)| {
        let mark = if i < 200 { "chain " } else { "" };
        (format!("{mark}{}", pair.src), format!("{mark}{}", pair.tgt))
    }));
    let (_, valid, report) = hold_out(mixed, 5, Some(10)).unwrap();
    assert_eq!((report.held_out, report.dropped), (10, 0));
    assert!(pairs(&valid).iter().all(|pair| !pair.src.starts_with("chain")));
}

#[test]
fn too_few_pairs_are_refused() {
    let said = |pairs: Corpus, size| hold_out(pairs, 0, size).unwrap_err().to_string();
    let remedy = "give a validation file or more data";
    assert_eq!(said(distinct(1), None), format!("cannot hold 1 pair(s) out of 1 different one(s); {remedy}"));
    assert_eq!(said(distinct(5), Some(5)), format!("cannot hold 5 pair(s) out of 5 different one(s); {remedy}"));
    assert_eq!(said(distinct(5), Some(0)), format!("cannot hold 0 pair(s) out of 5 different one(s); {remedy}"));
    let same = corpus(vec![("a".to_owned(), "b".to_owned()); 9]);
    assert_eq!(said(same, None), format!("cannot hold 1 pair(s) out of 1 different one(s); {remedy}"));
    let one_source = corpus((0..9).map(|i| ("a".to_owned(), i.to_string())));
    assert!(said(one_source, None).starts_with("no pair can be held out"));
}
