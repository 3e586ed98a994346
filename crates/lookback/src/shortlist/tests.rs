//! What is learnt, kept, refused, and what a search makes of it.

use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::backend::Cpu;
use crate::checkpoint::Checkpoint;
use crate::config::{Config, CorpusSize, SearchConfig};
use crate::model::Seq2Seq;
use crate::search::{Constraints, SearchError, SearchOptions};
use crate::stored::Storage;
use crate::text::{BOS, EOS, PAD, TextMode, TokenizerSpec, UNK};
use crate::{Request, TranslateError, Translator};

/// A model with random parameters, one piece per character.
fn checkpoint() -> Checkpoint {
    checkpoint_of(tokenizers(TextMode::Char, |text| text.to_owned()))
}

fn checkpoint_of(tokenizers: Tokenizers) -> Checkpoint {
    let mut config = Config::default();
    (config.model.hidden, config.model.embedding) = (Some(16), Some(8));
    config.search = SearchConfig { beam_size: 3, max_length_ratio: 1.0, max_length_extra: 6, ..config.search };
    let config = config.resolve(CorpusSize { pairs: 1, words: 5.0, characters: 24.0 }).unwrap();
    let (_, specs) = Seq2Seq::new(&config.model, tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
    // Stretched, so that some tokens are much more probable than others.
    let values = (0..).zip(&specs).map(|(place, spec)| spec.initial(3, place).iter().map(|v| v * 9.0).collect());
    Checkpoint::new(config, tokenizers, values.collect())
}

const SOURCES: [&str; 4] = ["ein Haus", "", "am Baum", "großer Baum am Haus"];

/// Trained on one changed pair.
fn tokenizers(mode: TextMode, change: impl Fn(&str) -> String) -> Tokenizers {
    let spec = TokenizerSpec { mode, ..TokenizerSpec::default() };
    let [src, tgt] = ["ein großer Baum am Haus", "a tall tree by the house"].map(change);
    Tokenizers::train(&spec, [src.as_str()], [tgt.as_str()]).unwrap()
}

fn full(tokenizers: &Tokenizers) -> Shortlist {
    let counts = vec![0; tokenizers.src.vocab_size()];
    Shortlist::new(counts, Vec::new(), (0u32..).take(tokenizers.tgt.vocab_size()).collect())
}

#[test]
fn pieces_that_translate_each_other_are_found_and_the_most_frequent_are_everywhere() {
    // 10 always stands with 20, 11 with 21, 12 with 22; 30 is everywhere.
    let mut learner = Learner::new(40, 40);
    for (src, tgt) in [([10, 11], [20, 21, 30]), ([11, 12], [22, 21, 30]), ([12, 10], [22, 20, 30])] {
        learner.add(&src, &tgt);
    }
    assert_eq!(learner.pairs(), 3);
    let shortlist = learner.learn(Settings { best: 1, frequent: 1 });
    assert_eq!(shortlist.frequent, [30], "three times, the others twice");
    for (src, tgt) in [(10, 20), (11, 21), (12, 22)] {
        assert_eq!(shortlist.candidates(&[src]), [tgt, 30]);
    }
    assert_eq!(shortlist.candidates(&[12, 10, 12]), [20, 22, 30]);
    assert_eq!(shortlist.candidates(&[5, 99]), [30], "never seen, or no piece at all");
    assert_eq!(shortlist.size(), (4, 4), "the end, which explains what no piece does, has one, too");
}

#[test]
fn specials_of_the_target_are_no_candidates() {
    let mut learner = Learner::new(40, 40);
    learner.add(&[10, UNK], &[UNK, 20, PAD, BOS, EOS, UNK]);
    learner.add(&[11], &[UNK]);
    let shortlist = learner.learn(Settings::default());
    assert_eq!(shortlist.frequent, [20]);
    for (src, own) in [(10, &[20][..]), (UNK, &[20]), (11, &[])] {
        assert_eq!(Shortlist { frequent: Vec::new(), ..shortlist.clone() }.candidates(&[src]), own);
    }
}

#[test]
fn a_piece_that_a_source_repeats_takes_memory_once() {
    let shortlist = Shortlist::new(vec![0, 100], (0..100).collect(), Vec::new());
    let found = shortlist.candidates(&[1; 10_000]);
    assert_eq!(found, (0..100).collect::<Vec<u32>>());
    assert!(found.capacity() < 1000, "{}", found.capacity());
}

#[test]
fn other_tokenizers_of_the_same_sizes_are_refused() {
    let [these, others, source] = [("x", "x"), ("t", "q"), ("B", "Q")]
        .map(|(from, to)| tokenizers(TextMode::Char, |text| text.replace(from, to)));
    let dir = TempDir::new().unwrap();
    full(&these).save(dir.path(), &these).unwrap();
    assert_eq!(Shortlist::load(dir.path(), &these).unwrap(), full(&these));
    for other in [others, source] {
        let sizes = |of: &Tokenizers| (of.src.vocab_size(), of.tgt.vocab_size());
        assert_eq!(sizes(&these), sizes(&other));
        let said = Shortlist::load(dir.path(), &other).unwrap_err().to_string();
        assert!(said.contains("other tokenizers") && said.contains("lookback shortlist -m DIR PAIRS"), "{said}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_not_missing() {
    let dir = TempDir::new().unwrap();
    fs::create_dir(dir.path().join(SHORTLIST_FILE)).unwrap();
    let tokenizers = checkpoint().tokenizers;
    assert!(matches!(Shortlist::load(dir.path(), &tokenizers), Err(CheckpointError::Read { .. })));
    // A file is no folder to look into: not the same as one without a shortlist.
    let file = dir.path().join("m");
    fs::write(&file, "").unwrap();
    assert!(matches!(Shortlist::load(&file, &tokenizers), Err(CheckpointError::Read { .. })));
}

/// Of a vocabulary of words, which has no bytes.
#[test]
fn where_nothing_on_the_list_may_follow_a_translation_ends_or_the_error_says_so() {
    let checkpoint = checkpoint_of(tokenizers(TextMode::Word, str::to_owned));
    let tgt = checkpoint.tokenizers.tgt.clone();
    let tree = tgt.encode("tree");
    assert_eq!(tree.len(), 1);
    let config = SearchConfig { min_length_ratio: 1.0, no_repeat_ngram_size: 1, ..checkpoint.config.search.clone() };
    let options = SearchOptions::from(config);
    let found = |frequent: &[u32], must: &[&str]| {
        let counts = vec![0; checkpoint.tokenizers.src.vocab_size()];
        let shortlist = Shortlist::new(counts, Vec::new(), frequent.to_vec());
        let must = must.iter().map(|&text| text.to_owned()).collect();
        let constraints = Constraints { must, ..Constraints::default() };
        let request = Request { text: "ein Haus am Baum".into(), constraints, number: 0 };
        let translator = Translator::from_checkpoint(checkpoint.clone(), Cpu::detect(1)).with_shortlist(shortlist);
        translator.translate_requests(&[request], &options).map(|mut found| found.remove(0).remove(0).hypothesis.ids)
    };
    assert_eq!(found(&[], &[]).unwrap(), [EOS], "shorter than asked for, because nothing else may be said");
    assert_eq!(found(&[PAD, UNK], &[]).unwrap(), [EOS]);
    assert_eq!(found(&tree, &[]).unwrap(), [tree[0], EOS], "not twice");
    let error = found(&[], &["tree tree"]).unwrap_err();
    let is_it = matches!(error, TranslateError::Search(SearchError::Exhausted { sentence: 0, step: 1 }));
    assert!(is_it && error.to_string().contains("shortlist"), "{error}");
}

proptest! {
    #[test]
    fn a_shortlist_is_read_as_it_was_written(
        lists in prop::collection::vec(prop::collection::vec(0u32..280, 0..5), 1..20),
        frequent in prop::collection::vec(0u32..280, 0..9),
    ) {
        let tokenizers = checkpoint().tokenizers;
        let most = u32::try_from(tokenizers.tgt.vocab_size()).unwrap();
        let within = |ids: Vec<u32>| {
            let mut seen = BTreeSet::new();
            ids.into_iter().map(|id| id % most).filter(|&id| seen.insert(id)).collect::<Vec<_>>()
        };
        let (lists, frequent) = (lists.into_iter().map(within).collect::<Vec<_>>(), within(frequent));
        let mut counts = vec![0u32; tokenizers.src.vocab_size()];
        counts.iter_mut().zip(&lists).for_each(|(count, list)| *count = list.len().try_into().unwrap());
        let shortlist = Shortlist::new(counts, lists.concat(), frequent);
        let dir = TempDir::new().unwrap();
        shortlist.save(dir.path(), &tokenizers).unwrap();
        prop_assert_eq!(Shortlist::load(dir.path(), &tokenizers).unwrap(), shortlist);
    }
}

#[test]
fn a_file_that_is_not_of_these_vocabularies_is_refused_by_tensor() {
    let tokenizers = checkpoint().tokenizers;
    let (src, tgt) = (tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
    let said = |counts: Vec<u32>, candidates: &[u32], frequent: &[u32]| {
        let dir = TempDir::new().unwrap();
        Shortlist::new(counts, candidates.to_vec(), frequent.to_vec()).save(dir.path(), &tokenizers).unwrap();
        Shortlist::load(dir.path(), &tokenizers).unwrap_err().to_string()
    };
    let with = |first: u32| {
        let mut counts = vec![0; src];
        counts[0] = first;
        counts
    };
    assert!(said(vec![0; 3], &[], &[5]).contains("`counts` has 3 pieces"));
    assert!(said(with(2), &[7], &[5]).contains("`counts` add up to 2, `candidates` are 1"));
    let outside = u32::try_from(tgt).unwrap();
    assert!(said(with(2), &[7, outside], &[5]).contains(&format!("`candidates` holds {outside} at 1")));
    assert!(said(with(0), &[], &[outside]).contains(&format!("`frequent` holds {outside} at 0")));
    let many = outside + 1;
    assert!(said(with(many), &vec![7; many as usize], &[]).contains(&format!("`counts` holds {many} at 0")));
    let mut two = with(2);
    two[3] = 2;
    assert!(said(two.clone(), &[7, 8, 8, 8], &[]).contains("`candidates` holds 8 at 3 for the second time"));
    assert!(said(two, &[7, 8, 8, 7], &[5, 6, 8, 5]).contains("`frequent` holds 5 at 3 for the second time"));
    assert!(said(with(0), &[], &vec![9; many as usize]).contains("`frequent` holds 9 at 1 for the second time"));
    let dir = TempDir::new().unwrap();
    let missing = Shortlist::load(dir.path(), &tokenizers).unwrap_err().to_string();
    assert!(missing.contains("has no shortlist") && missing.contains("lookback shortlist"), "{missing}");
    fs::write(dir.path().join(SHORTLIST_FILE), b"nothing").unwrap();
    assert!(Shortlist::load(dir.path(), &tokenizers).unwrap_err().to_string().contains("7 bytes are no safetensors"));
}

#[test]
fn a_list_of_all_pieces_changes_no_bit_in_any_storage() {
    for storage in [Storage::F32, Storage::Bf16, Storage::Int8] {
        let checkpoint = if storage == Storage::F32 { checkpoint() } else { checkpoint().convert(storage).unwrap() };
        let options = SearchOptions { nbest: 3, ..checkpoint.config.search.clone().into() };
        let all = full(&checkpoint.tokenizers);
        let plain = Translator::from_checkpoint(checkpoint.clone(), Cpu::detect(2));
        let listed = Translator::from_checkpoint(checkpoint, Cpu::detect(2)).with_shortlist(all);
        let [plain, listed] = [plain, listed].map(|t| t.translate_with(&SOURCES, &options).unwrap());
        assert_eq!(plain, listed, "{storage:?}");
    }
}

#[test]
fn translations_are_written_with_candidates_ends_and_bytes_whatever_else_is_in_the_batch() {
    let checkpoint = checkpoint();
    let (src, tgt) = (checkpoint.tokenizers.src.clone(), checkpoint.tokenizers.tgt.clone());
    // Every piece of the source may become itself alone.
    let counts = vec![1; src.vocab_size()];
    let shortlist = Shortlist::new(counts, (0u32..).take(src.vocab_size()).collect(), tgt.encode("t"));
    let options: SearchOptions = SearchOptions { nbest: 2, ..checkpoint.config.search.clone().into() };
    let translator = Translator::from_checkpoint(checkpoint, Cpu::detect(2)).with_shortlist(shortlist.clone());
    let together = translator.translate_with(&SOURCES, &options).unwrap();
    for (source, found) in SOURCES.iter().zip(&together) {
        let candidates = shortlist.candidates(&src.encode(source));
        for id in found.iter().flat_map(|t| &t.hypothesis.ids) {
            assert!(candidates.contains(id) || *id == EOS || tgt.byte_value(*id).is_some(), "{source}: {id}");
        }
        assert_eq!(*found, translator.translate_with(&[source], &options).unwrap()[0], "{source} alone");
    }
}

#[test]
fn what_must_be_said_is_among_the_candidates() {
    let checkpoint = checkpoint();
    let counts = vec![0; checkpoint.tokenizers.src.vocab_size()];
    let shortlist = Shortlist::new(counts, Vec::new(), checkpoint.tokenizers.tgt.encode("t"));
    let options: SearchOptions =
        SearchConfig { beam_size: 8, max_length_extra: 30, ..checkpoint.config.search.clone() }.into();
    let translator = Translator::from_checkpoint(checkpoint, Cpu::detect(1)).with_shortlist(shortlist);
    let request = |prefix: &str, must: &[&str]| {
        let must = must.iter().map(|&text| text.to_owned()).collect();
        let constraints = Constraints { prefix: prefix.into(), must, ..Constraints::default() };
        Request { text: "ein Haus".into(), constraints, number: 0 }
    };
    let requests = [request("a tall tr", &[]), request("", &["house"])];
    let found = translator.translate_requests(&requests, &options).unwrap();
    assert!(found[0][0].text.starts_with("a tall tr"), "{:?}", found[0][0]);
    assert!(found[1][0].text.contains("house") && found[1][0].hypothesis.unmet.is_empty(), "{:?}", found[1][0]);
}
