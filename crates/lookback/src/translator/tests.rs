//! Translators of models with random parameters.

use super::*;
use crate::backend::{Isa, Products};
use crate::checkpoint::Checkpoint;
use crate::config::{AttentionKind, CorpusSize, SearchConfig};
use crate::search::KeepWeights;
use crate::stored::{Storage, Stored};
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
    checkpoint.save(dir.path()).unwrap();
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
            assert_eq!(*found, [blank(0)]);
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
                assert_eq!((pair.log_prob, pair.tokens), (forced.log_prob(), map.tgt().tokens.len()));
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
        let alone = translator.score_pairs(&pairs[i..=i]).unwrap().remove(0);
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
fn weights_of_8_bits_translate_and_have_the_same_bits_everywhere() {
    let converted = checkpoint(AttentionKind::Dot, 1).convert(Storage::Int8).unwrap();
    let options = SearchOptions { nbest: 3, weights: KeepWeights::Yes, ..SearchOptions::default() };
    let run = |threads| {
        let translator = Translator::from_checkpoint(converted.clone(), Cpu::detect(threads));
        translator.translate_with(&SOURCES, &options).unwrap()
    };
    let one = run(1);
    assert_eq!(one, run(3));
    // What is found is what scoring says of it, as in single precision.
    let translator = Translator::from_checkpoint(converted.clone(), Cpu::detect(1));
    for (source, found) in SOURCES.iter().zip(&one).filter(|(source, _)| !source.trim().is_empty()) {
        for t in found {
            let pieces = translator.tokenizers().tgt.encode(&t.text);
            if t.hypothesis.ids == [pieces, vec![EOS]].concat() {
                let again = translator.score_pairs(&[(source, t.text.as_str())]).unwrap();
                assert!((again[0].log_prob - t.hypothesis.log_prob).abs() < 1e-4, "{source}");
            }
        }
    }
}

#[test]
fn weights_of_bfloat16_translate_as_full_ones_do_whose_products_are_rounded() {
    let full = checkpoint(AttentionKind::Dot, 1);
    let converted = full.clone().convert(Storage::Bf16).unwrap();
    let options = SearchOptions { nbest: 3, weights: KeepWeights::Yes, ..SearchOptions::default() };
    let run = |checkpoint: &Checkpoint, cpu| {
        Translator::from_checkpoint(checkpoint.clone(), cpu).translate_with(&SOURCES, &options).unwrap()
    };
    for isa in Isa::available() {
        let rounding = Cpu::with_threads(1, isa).with_products(Products::Bf16);
        let want = run(&full, rounding);
        assert_eq!(run(&converted, Cpu::with_threads(1, isa)), want, "{}", isa.name());
        assert_eq!(run(&converted, Cpu::with_threads(3, isa)), want, "{} on three threads", isa.name());
    }
    assert_ne!(run(&converted, Cpu::detect(1)), run(&full, Cpu::detect(1)), "full products are others");
}

#[test]
#[should_panic(expected = "weights stored as bf16 cannot be trained")]
fn weights_of_bfloat16_are_not_trained() {
    record(Storage::Bf16);
}

#[test]
#[should_panic(expected = "weights stored as int8 cannot be trained")]
fn weights_of_8_bits_are_not_trained() {
    record(Storage::Int8);
}

/// Begins to train a model that is stored so.
fn record(storage: Storage) {
    let Checkpoint { model, specs, values, .. } = checkpoint(AttentionKind::Dot, 1).convert(storage).unwrap();
    let cpu = Cpu::<f32>::detect(1);
    let params = Params::from_stored(&cpu, specs, &values);
    let (mut tape, mut gradients) = (Tape::new(), crate::params::Gradients::zeros(&cpu, &params));
    let recording = crate::tape::Recording::Deterministic;
    let mut g = crate::tape::Graph::training(&cpu, &params, &mut tape, &mut gradients, recording);
    model.loss(&mut g, &Batch::from_sources(&[vec![5]]), 0.0);
}

#[test]
fn numbers_that_are_not_finite_name_the_line_as_it_was_given() {
    let mut checkpoint = checkpoint(AttentionKind::Dot, 1);
    let table = checkpoint.specs.iter().position(|spec| spec.name == "encoder.embedding.weight").unwrap();
    let at = checkpoint.tokenizers.src.encode("B")[0] as usize;
    let Stored::F32(values) = &mut checkpoint.values[table] else { panic!("not converted") };
    values[at * 8] = f32::NAN;
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

#[test]
fn a_request_brings_its_own_constraints_and_a_blank_one_is_not_searched() {
    let translator = translator();
    let constraints = Constraints { must: vec!["tree".into()], ..Constraints::default() };
    let request = |text: &str, prefix: &str| Request {
        text: text.into(),
        constraints: Constraints { prefix: prefix.into(), ..constraints.clone() },
        number: 0,
    };
    let config = SearchConfig { beam_size: 12, max_length_extra: 20, ..translator.search_options().config };
    let options = SearchOptions { nbest: 3, ..config.into() };
    let requests = [request("ein Haus", ""), request(" ", "a"), request("Baum", "the h")];
    let found = translator.translate_requests(&requests, &options).unwrap();
    for (request, found) in requests.iter().zip(&found) {
        if request.text.trim().is_empty() {
            assert_eq!(*found, [blank(1)]);
            continue;
        }
        assert!(found[0].text.starts_with(&request.constraints.prefix), "{found:?}");
        assert!(found[0].text.contains("tree") && found[0].hypothesis.unmet.is_empty(), "{found:?}");
    }
    let wrong = Request {
        text: "Haus".into(),
        constraints: Constraints { must_not: vec!["tree".into()], ..constraints },
        number: 0,
    };
    let error = translator.translate_requests(&[Request::default(), wrong], &options).unwrap_err();
    assert!(error.to_string().starts_with("sentence 1: `tree` is asked for"), "{error}");
}

#[test]
fn samples_do_not_depend_on_how_lines_are_batched() {
    let translator = translator();
    let sampling = Some(crate::search::Sampling { seed: 3, ..Default::default() });
    let options = SearchOptions { nbest: 2, sampling, ..translator.search_options() };
    let request = |(number, text): (u64, &&str)| Request { text: (*text).into(), number, ..Request::default() };
    let requests: Vec<Request> = (0..).zip(&SOURCES).map(request).collect();
    let text = |found: Vec<Vec<Translation>>| found.into_iter().flatten().map(|t| t.text).collect::<Vec<_>>();
    let together = text(translator.translate_requests(&requests, &options).unwrap());
    let alone =
        requests.iter().flat_map(|r| text(translator.translate_requests(std::slice::from_ref(r), &options).unwrap()));
    assert_eq!(together, alone.collect::<Vec<_>>());
}

#[test]
fn an_ensemble_scores_what_it_finds_and_a_model_with_itself_is_the_model() {
    let load = |attention, seed| Translator::from_checkpoint(checkpoint(attention, seed), Cpu::detect(1));
    let (one, two) = (translator(), translator().join(translator()).unwrap());
    let options = three_best(&one);
    assert_eq!(two.models(), 2);
    assert_eq!(one.translate_with(&SOURCES, &options).unwrap(), two.translate_with(&SOURCES, &options).unwrap());
    let (mixed, other) = (translator().join(load(AttentionKind::None, 2)).unwrap(), load(AttentionKind::None, 2));
    let mut compared = 0;
    for (source, found) in SOURCES.iter().zip(mixed.translate_with(&SOURCES, &options).unwrap()) {
        for Translation { text, hypothesis, .. } in found {
            let spelt = mixed.tokenizers().tgt.encode(&text);
            // Other pieces may spell the same text.
            if spelt.is_empty() || spelt != hypothesis.ids[..hypothesis.ids.len() - usize::from(!hypothesis.is_cut)] {
                continue;
            }
            compared += 1;
            let given = &[(*source, text.as_str())];
            let score = |translator: &Translator| translator.score_pairs(given).unwrap().remove(0);
            let (all, first, second) = (score(&mixed), score(&one), score(&other));
            let log_prob: f64 = all.per_token[..hypothesis.ids.len()].iter().sum();
            assert!((log_prob - hypothesis.log_prob).abs() < 1e-4, "{log_prob}: {hypothesis:?}");
            let mean = first.per_token.iter().zip(&second.per_token).map(|(a, b)| (a + b) / 2.0);
            assert!(all.per_token.iter().zip(mean).all(|(a, b)| (a - b).abs() < 1e-9));
            assert!((all.per_token.iter().sum::<f64>() - all.log_prob).abs() < 1e-9);
            let map = mixed.attend_pairs(given).unwrap().remove(0);
            let weights = hypothesis.weights.unwrap();
            lookback_testkit::assert_close("weights", &map.weights()[..weights.len()], &weights, 1e-4, 1e-6);
        }
    }
    assert!(compared > 0, "no hypothesis could be compared");
}

#[test]
fn models_of_different_vocabularies_do_not_translate_together() {
    let with = |src: &str, tgt: &str| {
        let spec =
            TokenizerSpec { mode: TextMode::Char, sharing: crate::text::Sharing::Separate, ..TokenizerSpec::default() };
        let tokenizers = Tokenizers::train(&spec, [src], [tgt]).unwrap();
        let config = checkpoint(AttentionKind::Dot, 1).config;
        let (_, specs) = Seq2Seq::new(&config.model, tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
        let values = (0..).zip(&specs).map(|(place, spec)| spec.initial(1, place)).collect();
        Translator::from_checkpoint(Checkpoint::new(config, tokenizers, values), Cpu::detect(1))
    };
    let said = |other: Translator| with("abc", "xyz").join(other).unwrap_err().to_string();
    assert!(with("abc", "xyz").join(with("abc", "xyz")).is_ok());
    let message = said(with("abd", "xyz"));
    assert!(message.starts_with("model 2: source piece 262 is `d`, in model 1 it is `c`"), "{message}");
    let message = said(with("abc", "xyz한"));
    assert!(message.starts_with("model 2: its target vocabulary has 265 pieces, that of model 1 has 264"), "{message}");
    let dirs: [&str; 0] = [];
    assert!(matches!(Translator::load_ensemble(&dirs, &Cpu::detect(1)), Err(EnsembleError::Empty)));
}

#[test]
fn a_source_beyond_the_positions_of_location_is_an_error_that_names_line_length_and_remedy() {
    let mut config = checkpoint(AttentionKind::Dot, 1).config;
    config.model.attention = AttentionKind::Location;
    config.data.max_src = 10;
    let config = config.resolve(CorpusSize { pairs: 1, words: 5.0, characters: 24.0 }).unwrap();
    let tokenizers = checkpoint(AttentionKind::Dot, 1).tokenizers;
    let (_, specs) = Seq2Seq::new(&config.model, tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
    let values = (0..).zip(&specs).map(|(place, spec)| spec.initial(1, place)).collect();
    let translator = Translator::from_checkpoint(Checkpoint::new(config, tokenizers, values), Cpu::detect(1));
    assert_eq!(translator.translate(&["Haus am Ha", "Baum"]).unwrap().len(), 2); // ten pieces
    let told = |message: String| {
        for part in ["sentence 1: 11 pieces", "the 10 that", "`model.location_length`", "split", "`data.max_src`"] {
            assert!(message.contains(part), "{part} in {message}");
        }
    };
    told(translator.translate(&["Baum", "Haus am Hau"]).unwrap_err().to_string());
    told(translator.score_pairs(&[("Baum", "tree"), ("Haus am Hau", "house")]).unwrap_err().to_string());
}

#[test]
fn maps_of_several_heads_are_their_mean() {
    let mut config = checkpoint(AttentionKind::Dot, 1).config;
    config.model.heads = 4;
    let Checkpoint { tokenizers, values, .. } = checkpoint(AttentionKind::Dot, 1);
    let translator = Translator::new(config, tokenizers, &values, Cpu::detect(1));
    let options = SearchOptions { nbest: 1, ..translator.search_options() };
    for map in translator.attend(&["ein Haus"], &options).unwrap().concat() {
        for row in map.weights().chunks(9) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }
}

#[test]
fn a_source_longer_than_memory_allows_is_refused_with_its_place() {
    let translator = translator();
    let long = "a".repeat(LONGEST_SOURCE + 1);
    let said = translator.translate(&["ein Haus", &long]).unwrap_err().to_string();
    assert_eq!(said, "sentence 1: 5001 pieces are more than the 5000 that are read as one sentence; split it");
    let said = translator.score_pairs(&[(&long, "a house")]).unwrap_err().to_string();
    assert!(said.starts_with("sentence 0: 5001 pieces"), "{said}");
}
