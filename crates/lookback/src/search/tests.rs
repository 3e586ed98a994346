//! Search over models with random parameters, against slower and simpler searches.

use std::collections::BTreeSet;

use super::*;
use crate::backend::Cpu;
use crate::config::{AttentionKind, Bridge, Config, ModelConfig, SearchConfig};
use crate::data::Example;
use crate::params::ParamSpec;
use crate::tape::Graph;
use crate::text::{BOS, EOS, PAD, TextMode, TokenizerSpec, Tokenizers, UNK, Utf8State};

mod constrained;
mod sampled;
mod together;

/// A small model, its tokenizer (bytes, a space and five letters), and a processor.
struct Toy {
    cpu: Cpu<f32>,
    model: Seq2Seq,
    params: Params<Cpu<f32>>,
    tgt: Tokenizer,
}

/// How far random parameters are stretched: enough for distributions with clear preferences.
const STRETCH: f32 = 12.0;

fn model_config(attention: AttentionKind, input_feeding: bool) -> ModelConfig {
    ModelConfig {
        embedding: Some(8),
        hidden: Some(16),
        encoder_hidden: Some(16),
        attention,
        input_feeding,
        bridge: Bridge::Copy,
        dropout: Some(0.3), // must not matter
        ..Config::default().model
    }
}

pub(super) fn tokenizer() -> Tokenizer {
    let spec = TokenizerSpec { mode: TextMode::Char, ..TokenizerSpec::default() };
    Tokenizers::train(&spec, ["ab ced"], []).unwrap().tgt
}

/// Parameters by seed; `bias` adds to the output's.
fn toy_with(seed: u64, threads: usize, config: &ModelConfig, bias: impl Fn(u32) -> f32) -> Toy {
    let (cpu, tgt) = (Cpu::detect(threads), tokenizer());
    let (model, specs) = Seq2Seq::new(config, tgt.vocab_size(), tgt.vocab_size());
    let value = |(place, spec): (u32, &ParamSpec)| -> Vec<f32> {
        let start = spec.initial(seed, place);
        if spec.name == "decoder.output.bias" {
            return (0u32..).zip(start).map(|(id, v)| v + bias(id)).collect();
        }
        start.into_iter().map(|v| v * STRETCH).collect()
    };
    let values: Vec<Vec<f32>> = (0..).zip(&specs).map(value).collect();
    let params = Params::from_values(&cpu, specs, &values);
    Toy { cpu, model, params, tgt }
}

/// Ends now and then.
fn toy(seed: u64) -> Toy {
    toy_with(seed, 2, &model_config(AttentionKind::Dot, seed.is_multiple_of(2)), |id| if id == EOS { 2.0 } else { 0.0 })
}

fn options(beam_size: usize, nbest: usize) -> SearchOptions {
    let config = SearchConfig { beam_size, max_length_ratio: 1.5, max_length_extra: 6, ..SearchConfig::default() };
    SearchOptions { nbest, weights: KeepWeights::Yes, ..config.into() }
}

impl Toy {
    fn sources(&self) -> Vec<Vec<u32>> {
        ["abcede", "d", "ab ab ab ab", "", "eä ce"].map(|text| self.tgt.encode(text)).to_vec()
    }

    fn search(&self, sources: &[Vec<u32>], options: &SearchOptions) -> Vec<Vec<Hypothesis>> {
        let batch = Batch::from_sources(sources);
        search(&self.cpu, &self.params, &mut Tape::new(), &self.model, &self.tgt, &batch, options).unwrap()
    }

    /// As `search`, each source with the same constraints; its number is its place.
    fn search_for(
        &self,
        sources: &[Vec<u32>],
        constraints: &Constraints,
        options: &SearchOptions,
    ) -> Result<Vec<Vec<Hypothesis>>, SearchError> {
        let batch = Batch::from_sources(sources);
        let sentence = |number| Sentence { constraints, number, candidates: None };
        let sentences: Vec<Sentence<'_>> = (0..).take(sources.len()).map(sentence).collect();
        let mut tape = Tape::new();
        let mut members = [Member { model: &self.model, params: &self.params, tape: &mut tape }];
        search_together(&self.cpu, &mut members, &self.tgt, &batch, &sentences, options)
    }

    /// The attention weights of reading `targets`, (T, S) each.
    fn weights(&self, src: &[u32], tgt: &[u32]) -> Vec<f32> {
        let batch = Batch::new([&Example { src: src.to_vec(), tgt: tgt.to_vec(), line: 0 }]);
        let mut tape = Tape::new();
        let mut g = Graph::inference(&self.cpu, &self.params, &mut tape);
        let weights = self.model.score(&mut g, &batch).1.unwrap().mean(&mut g);
        g.download(weights)
    }

    /// The log-probability of every id and `</s>` after them, by the model run over the whole target.
    fn rescore(&self, src: &[u32], targets: &[Vec<u32>]) -> Vec<Vec<f64>> {
        let example = |tgt: &Vec<u32>| Example { src: src.to_vec(), tgt: tgt.clone(), line: 0 };
        let examples: Vec<Example> = targets.iter().map(example).collect();
        let batch = Batch::new(examples.iter());
        let mut tape = Tape::new();
        let mut g = Graph::inference(&self.cpu, &self.params, &mut tape);
        let (nll, _) = self.model.score(&mut g, &batch);
        let column = |b: usize| (0..=targets[b].len()).map(|t| -nll[t * batch.batch + b]).collect();
        (0..targets.len()).map(column).collect()
    }
}

/// Finds the best token of every step by running the model over the whole prefix again.
fn greedy(toy: &Toy, src: &[u32], limit: usize) -> Vec<u32> {
    let (mut ids, mut utf8) = (Vec::new(), Utf8State::default());
    while ids.len() < limit && ids.last() != Some(&EOS) {
        let left = limit - ids.len();
        let fits = |id: &u32| {
            let byte = toy.tgt.byte_value(*id);
            let mut after = utf8.next(byte);
            // The shortest way to the end of the character.
            let missing = (0..4).take_while(|_| {
                let open = !after.is_complete();
                let next = (0x80..=0xBF).find(|&byte| after.allows(Some(byte)));
                after = after.next(next);
                open
            });
            utf8.allows(byte) && missing.count() < left && ![PAD, UNK, BOS].contains(id)
        };
        let choices: Vec<u32> = (0..u32::try_from(toy.tgt.vocab_size()).unwrap()).filter(fits).collect();
        let prev: Vec<u32> = [BOS].into_iter().chain(ids.iter().copied()).collect();
        let mut tape = Tape::new();
        let mut g = Graph::inference(&toy.cpu, &toy.params, &mut tape);
        let batch = Batch::from_sources(&[src.to_vec()]);
        let memory = toy.model.encode(&mut g, &batch.src, &batch.src_len);
        let state = toy.model.start(&mut g, &memory);
        let decoding = toy.model.decode(&mut g, &memory, &state, &prev);
        let logits = toy.model.logits(&mut g, decoding.attentional);
        let logits = g.download(logits);
        let last = &logits[ids.len() * toy.tgt.vocab_size()..];
        let best = choices.into_iter().max_by(|&a, &b| last[a as usize].total_cmp(&last[b as usize]).then(b.cmp(&a)));
        let best = best.unwrap();
        utf8 = utf8.next(toy.tgt.byte_value(best));
        ids.push(best);
    }
    ids
}

fn text_of(toy: &Toy, ids: &[u32]) -> String {
    let text = toy.tgt.decode(ids);
    assert!(!text.contains('\u{FFFD}'), "{ids:?} is not UTF-8");
    text
}

#[test]
fn a_beam_of_one_is_greedy_search() {
    let (mut ended, mut cut) = (0, 0);
    for seed in 0..12 {
        let toy = toy(seed);
        let sources = toy.sources();
        let options = options(1, 1);
        for (src, found) in sources.iter().zip(toy.search(&sources, &options)) {
            let limit = options.length_limit(u32::try_from(src.len()).unwrap() + 1);
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].ids, greedy(&toy, src, limit), "seed {seed}");
            *if found[0].is_cut { &mut cut } else { &mut ended } += 1;
        }
    }
    assert!(ended > 5 && cut > 5, "{ended} ended, {cut} were cut: both must be met");
}

/// Every sequence the toy may say in up to `limit` ids out of `plausible`, ended ones with `</s>`.
fn all_sequences(toy: &Toy, plausible: &[u32], limit: usize) -> Vec<Vec<u32>> {
    let (mut open, mut all): (Vec<Vec<u32>>, Vec<Vec<u32>>) = (vec![vec![]], vec![]);
    for _ in 0..limit {
        let extend = |ids: &Vec<u32>| plausible.iter().map(|&id| [ids.as_slice(), &[id]].concat()).collect::<Vec<_>>();
        let (ended, rest) = open.iter().flat_map(extend).partition(|ids| ids.last() == Some(&EOS));
        all.extend::<Vec<Vec<u32>>>(ended);
        open = rest;
    }
    all.extend(open);
    let valid = |ids: &Vec<u32>| {
        let mut bytes = ids.iter().filter(|id| **id != EOS).map(|&id| toy.tgt.byte_value(id));
        let end = bytes.try_fold(Utf8State::default(), |s, byte| s.allows(byte).then(|| s.next(byte)));
        end.is_some_and(Utf8State::is_complete)
    };
    all.retain(valid);
    all
}

#[test]
fn a_beam_wide_enough_for_everything_is_exhaustive_search() {
    let tokenizer = tokenizer();
    let piece = |name: &str| (0..).find(|&id| tokenizer.piece(id) == Some(name)).unwrap();
    let plausible = [EOS, piece("a"), piece("b"), piece("<0xC3>"), piece("<0xA4>")];
    // The rest is worth nothing, but for what may never be said, which takes most of the probability.
    let bias = |id: u32| match id {
        PAD | UNK | BOS => 2.0,
        id if plausible.contains(&id) => 0.0,
        _ => -300.0,
    };
    for (seed, alpha) in [(1, 0.0), (2, 1.0), (3, 0.6), (4, 2.0)] {
        let toy = toy_with(seed, 1, &model_config(AttentionKind::Dot, seed == 3), bias);
        let src = toy.tgt.encode("abc");
        let config = SearchConfig {
            beam_size: 400, // more than can end in two steps
            length_penalty: alpha,
            max_length_ratio: 1.0,
            max_length_extra: 0,
            ..SearchConfig::default()
        };
        let mut found =
            toy.search(std::slice::from_ref(&src), &SearchOptions { nbest: 400, ..config.into() }).remove(0);
        found.retain(|h| h.ids.iter().all(|id| plausible.contains(id)));
        let all = all_sequences(&toy, &plausible, 3);
        let targets: Vec<Vec<u32>> =
            all.iter().map(|ids| ids.iter().copied().filter(|id| *id != EOS).collect()).collect();
        let scores = toy.rescore(&src, &targets);
        let mut want: Vec<(bool, f64, &[u32])> = (all.iter().zip(scores))
            .map(|(ids, scores)| {
                let log_prob: f64 = scores[..ids.len()].iter().sum();
                (ids.last() != Some(&EOS), log_prob / (ids.len() as f64).powf(alpha), ids.as_slice())
            })
            .collect();
        want.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.total_cmp(&a.1)));
        assert!(want.len() > 15, "{} sequences", want.len());
        assert_eq!(found.len(), want.len());
        for (i, (is_cut, score, ids)) in want.into_iter().enumerate() {
            let found = &found[i];
            assert_eq!(
                (found.ids.as_slice(), found.is_cut),
                (ids, is_cut),
                "seed {seed}, place {i}: {score}, {found:?}"
            );
            assert!((found.score - score).abs() < 1e-4, "seed {seed}, place {i}: {score}, {found:?}");
        }
    }
}

#[test]
fn the_log_probability_is_that_of_scoring_the_hypothesis() {
    for seed in 0..8 {
        let attention = if seed < 6 { AttentionKind::Dot } else { AttentionKind::None };
        let toy = toy_with(seed, 2, &model_config(attention, seed % 2 == 1), |id| if id == EOS { 2.0 } else { 0.0 });
        let sources = toy.sources();
        let options = options(4, 4);
        for (src, found) in sources.iter().zip(toy.search(&sources, &options)) {
            for hypothesis in found {
                let tgt: Vec<u32> = hypothesis.ids.iter().copied().filter(|id| *id != EOS).collect();
                let want: f64 = toy.rescore(src, &[tgt])[0][..hypothesis.ids.len()].iter().sum();
                assert!((hypothesis.log_prob - want).abs() < 1e-4, "seed {seed}: {want} for {hypothesis:?}");
                let score = want / hypothesis.ids.len() as f64;
                assert!((hypothesis.score - score).abs() < 1e-4, "seed {seed}: {score} for {hypothesis:?}");
            }
        }
    }
}

#[test]
fn other_sentences_their_order_and_padding_change_nothing() {
    for seed in 0..6 {
        let toy = toy(seed);
        let sources = toy.sources();
        for beam_size in [1, 4] {
            let options = options(beam_size, beam_size);
            let together = toy.search(&sources, &options);
            let reversed: Vec<Vec<u32>> = sources.iter().rev().cloned().collect();
            let mut backwards = toy.search(&reversed, &options);
            backwards.reverse();
            let alone: Vec<Vec<Hypothesis>> =
                sources.iter().map(|src| toy.search(std::slice::from_ref(src), &options).remove(0)).collect();
            for other in [backwards, alone] {
                for (a, b) in together.iter().flatten().zip(other.iter().flatten()) {
                    assert_eq!((&a.ids, a.is_cut), (&b.ids, b.is_cut), "seed {seed}, beam {beam_size}");
                    assert!((a.log_prob - b.log_prob).abs() < 1e-4, "seed {seed}: {a:?}, {b:?}");
                    let (a, b) = (a.weights.as_ref().unwrap(), b.weights.as_ref().unwrap());
                    lookback_testkit::assert_close("weights", a, b, 1e-4, 1e-6);
                }
            }
        }
    }
}

#[test]
fn nothing_but_text_is_ever_said() {
    let mut bytes = 0;
    for seed in 0..20 {
        // What may not be said is what the model likes most.
        let toy = toy_with(seed, 2, &model_config(AttentionKind::Dot, false), |id| match id {
            PAD | UNK | BOS => 4.0,
            EOS => 1.5,
            id if id < 260 => 2.0,
            _ => 0.0,
        });
        for (ratio, extra) in [(1.5, 6), (0.0, 1), (0.0, 2), (0.0, 3), (0.0, 0)] {
            let mut options = options(3, 3);
            (options.config.max_length_ratio, options.config.max_length_extra) = (ratio, extra);
            for hypothesis in toy.search(&toy.sources(), &options).iter().flatten() {
                assert!(!hypothesis.ids.iter().any(|id| [PAD, UNK, BOS].contains(id)), "{hypothesis:?}");
                text_of(&toy, &hypothesis.ids);
                bytes += hypothesis.ids.iter().filter(|id| toy.tgt.byte_value(**id).is_some_and(|b| b > 0x7F)).count();
            }
        }
    }
    assert!(bytes > 1000, "bytes of longer characters were said {bytes} times");
}

#[test]
fn no_ngram_comes_twice() {
    let mut repeated_without = 0;
    for seed in 0..6 {
        let toy = toy(seed);
        for n in [0, 2, 3] {
            let mut options = options(3, 3);
            (options.config.no_repeat_ngram_size, options.config.max_length_extra) = (n, 40);
            for hypothesis in toy.search(&toy.sources(), &options).iter().flatten() {
                let windows: Vec<&[u32]> = hypothesis.ids.windows(n.max(2)).collect();
                let different: BTreeSet<&[u32]> = windows.iter().copied().collect();
                if n == 0 {
                    repeated_without += windows.len() - different.len();
                } else {
                    assert_eq!(windows.len(), different.len(), "seed {seed}, n {n}: {:?}", hypothesis.ids);
                }
            }
        }
    }
    assert!(repeated_without > 50, "without the ban there are repetitions: {repeated_without}");
}

#[test]
fn a_character_is_finished_though_its_bytes_are_repetitions() {
    let tokenizer = tokenizer();
    // Only ä can be said, and with n = 1 only once; what is left is the end.
    let piece = |name: &str| (0..).find(|&id| tokenizer.piece(id) == Some(name)).unwrap();
    let plausible = [piece("<0xC3>"), piece("<0xC4>"), piece("<0xA4>")];
    let toy = toy_with(1, 1, &model_config(AttentionKind::Dot, false), |id| match id {
        id if plausible.contains(&id) => 200.0,
        id if (4..260).contains(&id) => -200.0,
        _ => -500.0,
    });
    let mut options = options(1, 1);
    options.config.no_repeat_ngram_size = 1;
    let found = toy.search(&[toy.tgt.encode("abcede")], &options).remove(0).remove(0);
    assert_eq!(text_of(&toy, &found.ids[..4]).chars().count(), 2, "{found:?}");
    text_of(&toy, &found.ids);
}

#[test]
fn what_meets_the_limit_is_marked_as_cut_and_ranks_below_what_ended() {
    let (mut cut, mut mixed) = (0, 0);
    for seed in 0..12 {
        let toy = toy(seed);
        let sources = toy.sources();
        let options = options(4, 4);
        for (src, found) in sources.iter().zip(toy.search(&sources, &options)) {
            let limit = options.length_limit(u32::try_from(src.len()).unwrap() + 1);
            assert!(!found.is_empty());
            for hypothesis in &found {
                assert_eq!(hypothesis.is_cut, hypothesis.ids.last() != Some(&EOS));
                assert!(hypothesis.ids.len() <= limit && (!hypothesis.is_cut || hypothesis.ids.len() == limit));
                assert!(hypothesis.ids.iter().filter(|id| **id == EOS).count() <= 1);
            }
            let places: Vec<(bool, f64)> = found.iter().map(|h| (h.is_cut, -h.score)).collect();
            assert!(places.is_sorted(), "seed {seed}: {places:?}");
            let different: BTreeSet<&[u32]> = found.iter().map(|h| h.ids.as_slice()).collect();
            assert_eq!(different.len(), found.len(), "seed {seed}: all are different");
            let cut_here = found.iter().filter(|h| h.is_cut).count();
            cut += cut_here;
            mixed += usize::from(cut_here > 0 && cut_here < found.len());
        }
    }
    assert!(cut > 5 && mixed > 0, "{cut} were cut, {mixed} sentences had both");
}

#[test]
fn fewer_hypotheses_are_the_first_of_more() {
    let toy = toy(3);
    let sources = toy.sources();
    let all = toy.search(&sources, &options(5, 5));
    let two = toy.search(&sources, &options(5, 2));
    let first: Vec<Vec<Hypothesis>> = all.into_iter().map(|found| found.into_iter().take(2).collect()).collect();
    assert_eq!(two, first);
}

#[test]
fn every_token_has_a_distribution_over_the_real_source() {
    let toy = toy(4);
    let sources = toy.sources();
    for (src, found) in sources.iter().zip(toy.search(&sources, &options(3, 3))) {
        let columns = src.len() + 1;
        for hypothesis in found {
            let tgt: Vec<u32> = hypothesis.ids.iter().copied().filter(|id| *id != EOS).collect();
            let weights = hypothesis.weights.unwrap();
            assert_eq!(weights.len(), hypothesis.ids.len() * columns);
            for row in weights.chunks(columns) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{row:?}");
            }
            // They are those of reading the same translation.
            let want = toy.weights(src, &tgt);
            lookback_testkit::assert_close("weights", &weights, &want[..weights.len()], 1e-4, 1e-6);
        }
    }
}

#[test]
fn there_are_no_weights_without_attention_or_unasked() {
    let plain = toy_with(1, 1, &model_config(AttentionKind::None, false), |_| 0.0);
    assert!(plain.search(&plain.sources(), &options(2, 2)).iter().flatten().all(|h| h.weights.is_none()));
    let toy = toy(1);
    let unasked = SearchOptions { weights: KeepWeights::No, ..options(2, 2) };
    let (without, with) = (toy.search(&toy.sources(), &unasked), toy.search(&toy.sources(), &options(2, 2)));
    for (without, with) in without.iter().flatten().zip(with.iter().flatten()) {
        assert!(without.weights.is_none());
        assert_eq!(*without, Hypothesis { weights: None, ..with.clone() });
    }
}

#[test]
fn threads_change_no_bit() {
    let found = |threads| {
        let toy = toy_with(2, threads, &model_config(AttentionKind::Dot, true), |id| if id == EOS { 2.0 } else { 0.0 });
        toy.search(&toy.sources(), &options(4, 4))
    };
    let one = found(1);
    assert!(one == found(2) && one == found(4));
}

#[test]
fn equal_hypotheses_stand_in_order_of_their_ids() {
    // All parameters 0: every token is as probable as any other.
    let (cpu, tgt) = (Cpu::<f32>::detect(1), tokenizer());
    let (model, specs) = Seq2Seq::new(&model_config(AttentionKind::Dot, false), tgt.vocab_size(), tgt.vocab_size());
    let values: Vec<Vec<f32>> = specs.iter().map(|spec| vec![0.0; spec.len()]).collect();
    let toy = Toy { params: Params::from_values(&cpu, specs, &values), cpu, model, tgt };
    let mut options = options(4, 4);
    (options.config.max_length_ratio, options.config.max_length_extra) = (0.0, 2);
    let found = toy.search(&[vec![]], &options).remove(0);
    // After the first step </s>, 4, 5 and 6 are left; then the first four of what follows 4, and what was cut stands last.
    let ids: Vec<Vec<u32>> = found.into_iter().map(|h| h.ids).collect();
    assert_eq!(ids, [vec![EOS], vec![4, EOS], vec![4, 4], vec![4, 5]]);
}

#[test]
fn the_tape_neither_grows_nor_matters() {
    let toy = toy(5);
    let batch = Batch::from_sources(&toy.sources());
    let mut tape = Tape::new();
    let mut run = || {
        search(&toy.cpu, &toy.params, &mut tape, &toy.model, &toy.tgt, &batch, &options(4, 4))
            .map(|found| (found, tape.allocations()))
    };
    let (first, _) = run().unwrap();
    let (_, after_two) = run().unwrap();
    assert_eq!(run().unwrap(), (first, after_two));
}

#[test]
fn a_model_without_numbers_is_an_error_that_says_where() {
    for beam_size in [1, 3] {
        // NaN in the embedding of `c`, which only the second source contains; the first step after it fails.
        let toy = toy(1);
        let at = toy.tgt.encode("c")[0] as usize;
        let specs = toy.params.specs().to_vec();
        let mut values = toy.params.values(&toy.cpu);
        let table = specs.iter().position(|spec| spec.name == "encoder.embedding.weight").unwrap();
        values[table][at * 8] = f32::NAN;
        let params = Params::from_values(&toy.cpu, specs, &values);
        let batch = Batch::from_sources(&["ab", "bc", "d"].map(|text| toy.tgt.encode(text)));
        let options = options(beam_size, 1);
        let error = search(&toy.cpu, &params, &mut Tape::new(), &toy.model, &toy.tgt, &batch, &options).unwrap_err();
        assert_eq!(error, SearchError::NotFinite { sentence: 1, step: 0 });
        assert!(error.to_string().starts_with("sentence 1, step 0: "), "{error}");
    }
}

#[test]
fn options_out_of_range_are_refused_by_name() {
    let toy = toy(1);
    let batch = Batch::from_sources(&[vec![]]);
    let config = SearchConfig::default;
    let drawn = |sampling| SearchOptions { sampling: Some(sampling), ..SearchOptions::default() };
    let cases = [
        (SearchOptions { nbest: 0, ..SearchOptions::default() }, "nbest"),
        (SearchOptions { nbest: 6, ..SearchOptions::default() }, "nbest"),
        (SearchConfig { beam_size: 0, ..config() }.into(), "beam_size"),
        (SearchConfig { length_penalty: -0.1, ..config() }.into(), "length_penalty"),
        (SearchConfig { length_penalty: f64::NAN, ..config() }.into(), "length_penalty"),
        (SearchConfig { max_length_ratio: f64::INFINITY, ..config() }.into(), "max_length_ratio"),
        (SearchConfig { coverage_penalty: -1.0, ..config() }.into(), "coverage_penalty"),
        (SearchConfig { min_length_ratio: f64::NAN, ..config() }.into(), "min_length_ratio"),
        (SearchConfig { min_length_ratio: 3.0, ..config() }.into(), "min_length_ratio"),
        (drawn(Sampling { temperature: 0.0, ..Sampling::default() }), "temperature"),
        (drawn(Sampling { top_k: Some(0), ..Sampling::default() }), "top_k"),
        (drawn(Sampling { top_p: 1.1, ..Sampling::default() }), "top_p"),
        (SearchOptions { nbest: 2000, ..drawn(Sampling::default()) }, "nbest"),
    ];
    for (options, key) in cases {
        let error =
            search(&toy.cpu, &toy.params, &mut Tape::new(), &toy.model, &toy.tgt, &batch, &options).unwrap_err();
        assert!(matches!(error, SearchError::Option { key: found, .. } if found == key), "{error}");
    }
}
