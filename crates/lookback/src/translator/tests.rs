//! Translators of models with random parameters.

use super::*;
use crate::config::{AttentionKind, CorpusSize, SearchConfig};
use crate::text::{TextMode, TokenizerSpec};

const SOURCES: [&str; 6] = ["ein Haus", "", "ein großer Baum am Haus", " \t", "Baum", "😀 Haus"];

fn checkpoint(attention: AttentionKind, seed: u64) -> Checkpoint {
    let spec = TokenizerSpec { mode: TextMode::Char, ..TokenizerSpec::default() };
    let tokenizers = Tokenizers::train(&spec, ["ein großer Baum am Haus"], ["a tall tree by the house"]).unwrap();
    let mut config = Config::default();
    (config.model.hidden, config.model.embedding, config.model.attention) = (Some(16), Some(8), attention);
    config.search = SearchConfig { beam_size: 3, max_length_ratio: 1.0, max_length_extra: 4, ..config.search };
    let config = config.resolve(CorpusSize { pairs: 1, words: 5.0, characters: 24.0 }).unwrap();
    let (_, specs) = Seq2Seq::new(&config.model, tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
    // Stretched, so that some tokens are much more probable than others.
    let values = (0..).zip(&specs).map(|(place, spec)| spec.initial(seed, place).iter().map(|v| v * 12.0).collect());
    let values = values.collect();
    Checkpoint::new(config, tokenizers, values)
}

fn translator() -> Translator {
    Translator::from_checkpoint(checkpoint(AttentionKind::Dot, 1), Cpu::detect(2))
}

fn three_best(translator: &Translator) -> SearchOptions {
    SearchOptions { nbest: 3, weights: KeepWeights::Yes, ..translator.search_options() }
}

#[test]
fn translations_keep_the_order_of_the_input() {
    let translator = translator();
    let together = translator.translate(&SOURCES).unwrap();
    let alone: Vec<String> = SOURCES.iter().map(|source| translator.translate(&[source]).unwrap().remove(0)).collect();
    assert_eq!(together, alone);
    assert!(together.iter().enumerate().all(|(i, text)| text.is_empty() == [1, 3].contains(&i)), "{together:?}");
    assert!(translator.translate(&[]).unwrap().is_empty());
}

#[test]
fn a_saved_and_loaded_model_translates_alike() {
    let dir = tempfile::tempdir().unwrap();
    let checkpoint = checkpoint(AttentionKind::Dot, 1);
    Checkpoint::save_config(dir.path(), &checkpoint.config, &checkpoint.tokenizers).unwrap();
    Checkpoint::save_weights(dir.path(), &checkpoint.specs, &checkpoint.values).unwrap();
    let memory = Translator::from_checkpoint(checkpoint, Cpu::detect(1));
    let options = three_best(&memory);
    let want = memory.translate_with(&SOURCES, &options).unwrap();
    assert_eq!(Translator::load(dir.path()).unwrap().translate_with(&SOURCES, &options).unwrap(), want);
    assert_eq!(Translator::load_with(dir.path(), 4).unwrap().translate_with(&SOURCES, &options).unwrap(), want);
    let error = Translator::load(dir.path().join("absent")).unwrap_err();
    assert!(error.to_string().contains("absent"), "{error}");
}

#[test]
fn the_best_translations_come_with_what_they_were_found_by() {
    let translator = translator();
    let found = translator.translate_with(&SOURCES, &three_best(&translator)).unwrap();
    for (source, found) in SOURCES.iter().zip(&found) {
        if source.trim().is_empty() {
            assert_eq!(*found, [blank()]);
            continue;
        }
        assert_eq!(found.len(), 3);
        for Translation { text, src_ids, hypothesis } in found {
            assert_eq!(*src_ids, [translator.tokenizers().src.encode(source), vec![EOS]].concat());
            assert_eq!(*text, translator.tokenizers().tgt.decode(&hypothesis.ids));
            assert_eq!(hypothesis.weights.as_ref().unwrap().len(), src_ids.len() * hypothesis.ids.len());
        }
    }
    let best: Vec<String> = found.into_iter().map(|found| found[0].text.clone()).collect();
    assert_eq!(best, translator.translate(&SOURCES).unwrap());
}

#[test]
fn threads_of_the_caller_get_the_same_translations() {
    let translator = translator();
    let options = three_best(&translator);
    let want = translator.translate_with(&SOURCES, &options).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..4 {
                    assert_eq!(translator.translate_with(&SOURCES, &options).unwrap(), want);
                }
            });
        }
    });
    assert!(translator.tapes.lock().unwrap().len() <= 3, "no more tapes than calls at a time");
}

#[test]
fn maps_have_a_row_per_target_piece_and_a_column_per_source_piece() {
    let translator = translator();
    let options = SearchOptions { nbest: 3, ..translator.search_options() };
    let maps = translator.attend(&SOURCES, &options).unwrap();
    let found = translator.translate_with(&SOURCES, &three_best(&translator)).unwrap();
    for (line, (maps, found)) in maps.iter().zip(&found).enumerate() {
        assert_eq!(maps.len(), if SOURCES[line].trim().is_empty() { 0 } else { 3 });
        for (rank, (map, found)) in maps.iter().zip(found).enumerate() {
            assert_eq!((map.id(), map.rank(), map.reference()), (line, Some(rank), None));
            assert_eq!((map.src().text.as_str(), &map.tgt().text), (SOURCES[line], &found.text));
            assert_eq!(map.src().tokens.last().map(String::as_str), Some("</s>"));
            assert_eq!(map.tgt().tokens.len(), found.hypothesis.ids.len());
            assert_eq!(map.tgt().tokens.last().is_some_and(|token| token == "</s>"), !found.hypothesis.is_cut);
            assert_eq!(Some(map.weights()), found.hypothesis.weights.as_deref());
            assert!((map.log_prob() - found.hypothesis.log_prob).abs() < 1e-12);
        }
    }
    let words = maps[0][0].merged();
    assert_eq!(words.src().tokens.iter().map(|w| w.trim_matches('▁')).collect::<Vec<_>>(), ["ein", "", "Haus", "</s>"]);
}

#[test]
fn a_translation_given_back_has_the_map_and_the_score_it_was_found_with() {
    let translator = translator();
    let options = three_best(&translator);
    let mut compared = 0;
    for (source, maps) in SOURCES.iter().zip(translator.attend(&SOURCES, &options).unwrap()) {
        for map in maps.iter().filter(|map| map.tgt().tokens.last().is_some_and(|token| token == "</s>")) {
            // Other pieces may spell the same text.
            let (given, score) = (&[(*source, map.tgt().text.as_str())], map.log_prob());
            let forced = translator.attend_pairs(given).unwrap().remove(0);
            if forced.tgt().tokens == map.tgt().tokens {
                compared += 1;
                lookback_testkit::assert_close("weights", forced.weights(), map.weights(), 1e-4, 1e-6);
                assert!((forced.log_prob() - score).abs() < 1e-4 && forced.rank().is_none());
                let pair = translator.score_pairs(given).unwrap().remove(0);
                assert_eq!(pair, PairScore { log_prob: forced.log_prob(), tokens: map.tgt().tokens.len() });
            }
        }
    }
    assert!(compared > 0, "no hypothesis could be compared");
}

#[test]
fn pairs_keep_the_order_of_the_input() {
    let translator = translator();
    let pairs: Vec<(&str, &str)> = SOURCES.into_iter().zip(["a house", "x", "", "tree", "a tall tree", "ñ"]).collect();
    let (maps, scores) = (translator.attend_pairs(&pairs).unwrap(), translator.score_pairs(&pairs).unwrap());
    for (i, (map, score)) in maps.iter().zip(&scores).enumerate() {
        assert_eq!((map.id(), map.src().text.as_str(), map.tgt().text.as_str()), (i, pairs[i].0, pairs[i].1));
        let alone = translator.score_pairs(&pairs[i..=i]).unwrap()[0];
        assert!((alone.log_prob - score.log_prob).abs() < 1e-4 && alone.tokens == score.tokens);
        assert_eq!(score.tokens, map.tgt().tokens.len());
    }
    assert!(translator.score_pairs(&[]).unwrap().is_empty());
}

#[test]
fn a_model_without_attention_says_so() {
    let translator = Translator::from_checkpoint(checkpoint(AttentionKind::None, 2), Cpu::detect(1));
    let options = translator.search_options();
    assert!(matches!(translator.attend(&SOURCES, &options), Err(TranslateError::NoAttention)));
    let error = translator.attend_pairs(&[("a", "b")]).unwrap_err();
    assert!(error.to_string().contains("model.attention"), "{error}");
    assert_eq!(translator.translate(&SOURCES).unwrap().len(), SOURCES.len());
    assert!(translator.score_pairs(&[("a", "b")]).unwrap()[0].log_prob < 0.0);
}

#[test]
fn numbers_that_are_not_finite_name_the_line_as_it_was_given() {
    let mut checkpoint = checkpoint(AttentionKind::Dot, 1);
    let table = checkpoint.specs.iter().position(|spec| spec.name == "encoder.embedding.weight").unwrap();
    let at = checkpoint.tokenizers.src.encode("B")[0] as usize;
    checkpoint.values[table][at * 8] = f32::NAN;
    let translator = Translator::from_checkpoint(checkpoint, Cpu::detect(1));
    let error = translator.translate(&["ein", "", "ein Haus", "Baum"]).unwrap_err();
    assert!(matches!(error, TranslateError::Search(SearchError::NotFinite { sentence: 3, step: 0 })), "{error}");
    let error = translator.score_pairs(&[("ein Haus", "a"), ("Baum", "a")]).unwrap_err();
    assert!(matches!(error, TranslateError::NotFinite { pair: 1 }), "{error}");
}

#[test]
fn batches_hold_neighbours_in_length_within_both_limits() {
    let lengths: Vec<usize> = (0..500).map(|i| 1 + (i * 37) % 400).chain([9_000]).collect();
    let batches = batches(0..lengths.len(), |i| lengths[i]);
    let mut seen: Vec<usize> = batches.concat();
    assert!(batches[0] == [500], "too long for a batch, so alone");
    assert!(seen.windows(2).all(|pair| lengths[pair[0]] >= lengths[pair[1]]));
    for batch in &batches[1..] {
        assert!(batch.len() <= BATCH_SENTENCES && batch.len() * lengths[batch[0]] <= BATCH_POSITIONS);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..lengths.len()).collect::<Vec<_>>());
}
