//! Coverage, length limits and constraints, against trying everything.

use super::*;

/// Says `</s>`, a, b and a space, and nothing else.
fn narrow(seed: u64) -> (Toy, Vec<u32>) {
    let tokenizer = tokenizer();
    let piece = |name: &str| (0..).find(|&id| tokenizer.piece(id) == Some(name)).unwrap();
    let plausible = vec![EOS, piece("a"), piece("b"), piece("▁")];
    let config = model_config(AttentionKind::Dot, seed.is_multiple_of(2));
    let toy = toy_with(seed, 1, &config, |id| if plausible.contains(&id) { 0.0 } else { f32::NEG_INFINITY });
    (toy, plausible)
}

/// Keeps everything up to `limit` ids.
fn everything(limit: usize, alpha: f64, beta: f64) -> SearchOptions {
    let config = SearchConfig {
        beam_size: 600,
        length_penalty: alpha,
        coverage_penalty: beta,
        max_length_ratio: 0.0,
        max_length_extra: limit,
        ..SearchConfig::default()
    };
    SearchOptions { nbest: 600, ..config.into() }
}

/// Whether it was cut, how much it lacks, minus its score, its ids.
type Ranked = (bool, usize, f64, Vec<u32>);

/// All sequences up to `limit` ids that are `allowed`, ranked by the definition; `lacks` counts what their text does not say.
fn ranked(
    (toy, plausible): &(Toy, Vec<u32>),
    src: &[u32],
    (limit, alpha, beta): (usize, f64, f64),
    allowed: impl Fn(&str) -> bool,
    lacks: impl Fn(&str) -> usize,
) -> Vec<Ranked> {
    let mut all = all_sequences(toy, plausible, limit);
    all.retain(|ids| allowed(&toy.tgt.decode(ids)));
    let rank = |ids: Vec<u32>| {
        let (is_cut, tgt) =
            (ids.last() != Some(&EOS), ids.iter().copied().filter(|id| *id != EOS).collect::<Vec<u32>>());
        let log_prob: f64 = toy.rescore(src, std::slice::from_ref(&tgt))[0][..ids.len()].iter().sum();
        let columns = src.len() + 1;
        let weights = toy.weights(src, &tgt);
        let looked = |column| (0..ids.len()).map(|t| f64::from(weights[t * columns + column])).sum::<f64>();
        let coverage: f64 = (0..columns).map(|column| looked(column).min(1.0).ln()).sum();
        let score = log_prob / (ids.len() as f64).powf(alpha) + beta * coverage;
        (is_cut, lacks(&toy.tgt.decode(&ids)), -score, ids)
    };
    let mut all: Vec<Ranked> = all.into_iter().map(rank).collect();
    // What could not be ended because something is lacking is no candidate.
    all.retain(|(is_cut, lacks, ..)| *is_cut || *lacks == 0);
    all.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
    all
}

/// Whether search finds exactly these, in this order.
#[track_caller]
fn compare(
    (toy, _): &(Toy, Vec<u32>),
    src: &[u32],
    constraints: &Constraints,
    options: &SearchOptions,
    want: &[Ranked],
) {
    let found = toy.search_for(&[src.to_vec()], constraints, options).unwrap().remove(0);
    assert!(want.len() > 3, "{} sequences", want.len());
    assert_eq!(found.len(), want.len());
    for (i, ((is_cut, lacks, score, ids), found)) in want.iter().zip(&found).enumerate() {
        assert_eq!(
            (&found.ids, found.is_cut, found.unmet.len()),
            (ids, *is_cut, *lacks),
            "place {i}: {score}, {found:?}"
        );
        assert!((found.score + score).abs() < 1e-4, "place {i}: {score}, {found:?}");
    }
}

fn words<'a>(text: &'a str, word: &'a str) -> usize {
    text.split(' ').filter(|found| *found == word).count()
}

#[test]
fn what_was_not_looked_at_counts_against_a_hypothesis_but_not_in_its_log_probability() {
    for (seed, alpha, beta) in [(1, 0.0, 0.5), (2, 1.0, 0.2), (3, 1.0, 3.0)] {
        let toy = narrow(seed);
        let src = toy.0.tgt.encode("abc");
        let want = ranked(&toy, &src, (3, alpha, beta), |_| true, |_| 0);
        compare(&toy, &src, &Constraints::default(), &everything(3, alpha, beta), &want);
        let plain = ranked(&toy, &src, (3, alpha, 0.0), |_| true, |_| 0);
        assert!(seed != 3 || want.iter().zip(&plain).any(|(a, b)| a.3 != b.3), "a strong penalty changes the order");
        let found =
            toy.0.search_for(std::slice::from_ref(&src), &Constraints::default(), &everything(3, alpha, beta)).unwrap();
        for hypothesis in &found[0] {
            let tgt: Vec<u32> = hypothesis.ids.iter().copied().filter(|id| *id != EOS).collect();
            let log_prob: f64 = toy.0.rescore(&src, &[tgt])[0][..hypothesis.ids.len()].iter().sum();
            assert!((hypothesis.log_prob - log_prob).abs() < 1e-4 && hypothesis.weights.is_none(), "{hypothesis:?}");
        }
    }
}

#[test]
fn without_attention_nothing_can_be_covered() {
    let toy = toy_with(1, 1, &model_config(AttentionKind::None, false), |_| 0.0);
    let error = toy.search_for(&[vec![]], &Constraints::default(), &everything(3, 0.0, 0.1)).unwrap_err();
    assert!(matches!(error, SearchError::Option { key: "coverage_penalty", .. }), "{error}");
}

#[test]
fn what_must_be_said_is_found_as_by_trying_everything() {
    for (seed, limit, must) in [(1, 5, &["ab"][..]), (2, 5, &["a", "b"]), (3, 4, &["ba", "b"]), (4, 3, &["a b"])] {
        let toy = narrow(seed);
        let src = toy.0.tgt.encode("abc");
        let constraints =
            Constraints { must: must.iter().map(ToString::to_string).collect(), ..Constraints::default() };
        let lacks = |text: &str| {
            let padded = format!(" {text} ");
            must.iter().filter(|word| !padded.contains(&format!(" {word} "))).count()
        };
        let want = ranked(&toy, &src, (limit, 1.0, 0.0), |_| true, lacks);
        compare(&toy, &src, &constraints, &everything(limit, 1.0, 0.0), &want);
    }
}

#[test]
fn what_must_not_be_said_is_left_out_as_by_trying_everything() {
    for (seed, must_not) in [(1, "ab"), (2, "a"), (3, "b a")] {
        let toy = narrow(seed);
        let src = toy.0.tgt.encode("abc");
        let constraints = Constraints { must_not: vec![must_not.into()], ..Constraints::default() };
        // Pieces are characters, so the piece that ends the phrase also begins every longer word.
        let allowed = |text: &str| !format!(" {text}").contains(&format!(" {must_not}"));
        let want = ranked(&toy, &src, (4, 1.0, 0.0), allowed, |_| 0);
        compare(&toy, &src, &constraints, &everything(4, 1.0, 0.0), &want);
    }
}

#[test]
fn a_prefix_begins_the_best_translations_that_begin_so() {
    for (seed, prefix) in [(1, "a"), (2, "b a"), (3, "ab "), (4, " ")] {
        let toy = narrow(seed);
        let src = toy.0.tgt.encode("abc");
        let constraints = Constraints { prefix: prefix.into(), ..Constraints::default() };
        let want = ranked(&toy, &src, (5, 1.0, 0.0), |text| text.starts_with(prefix), |_| 0);
        compare(&toy, &src, &constraints, &everything(5, 1.0, 0.0), &want);
    }
}

#[test]
fn everything_can_be_asked_for_at_once() {
    let toy = narrow(5);
    let src = toy.0.tgt.encode("abc");
    let constraints = Constraints { prefix: "a".into(), must: vec!["b".into()], must_not: vec!["ab".into()] };
    let allowed = |text: &str| text.starts_with('a') && !format!(" {text}").contains(" ab");
    let lacks = |text: &str| usize::from(words(text, "b") == 0);
    let want = ranked(&toy, &src, (5, 1.0, 0.4), allowed, lacks);
    compare(&toy, &src, &constraints, &everything(5, 1.0, 0.4), &want);
}

#[test]
fn words_are_said_whatever_the_model_likes_and_the_rest_reports_itself() {
    let (mut met, mut cut) = (0, 0);
    for seed in 0..10 {
        // Bytes could be letters of other words.
        let config = model_config(AttentionKind::Dot, seed % 2 == 0);
        let toy = toy_with(seed, 2, &config, |id| match id {
            EOS => 2.0,
            id if (4..260).contains(&id) => -50.0,
            _ => 0.0,
        });
        let constraints = Constraints { must: vec!["cab".into(), "d".into()], ..Constraints::default() };
        let mut options = options(8, 4);
        options.config.max_length_extra = 12;
        let sources = toy.sources();
        for (src, found) in sources.iter().zip(toy.search_for(&sources, &constraints, &options).unwrap()) {
            for hypothesis in &found {
                let text = text_of(&toy, &hypothesis.ids);
                let unmet: Vec<usize> = (0..2).filter(|&i| words(&text, ["cab", "d"][i]) == 0).collect();
                assert_eq!(hypothesis.unmet, unmet, "{text:?}");
                assert!(unmet.is_empty() || hypothesis.is_cut, "{hypothesis:?}");
                *if unmet.is_empty() { &mut met } else { &mut cut } += 1;
                let tgt: Vec<u32> = hypothesis.ids.iter().copied().filter(|id| *id != EOS).collect();
                let want: f64 = toy.rescore(src, &[tgt])[0][..hypothesis.ids.len()].iter().sum();
                assert!((hypothesis.log_prob - want).abs() < 1e-4, "{hypothesis:?}");
            }
            assert!(found[0].unmet.is_empty(), "seed {seed}: {found:?}");
        }
        options.config.max_length_ratio = 0.0;
        options.config.max_length_extra = 2;
        let short = toy.search_for(&sources, &constraints, &options).unwrap();
        assert!(short.iter().flatten().all(|h| h.is_cut && h.unmet.contains(&0)), "there is no room for three letters");
    }
    assert!(met > 50, "{met} said all, {cut} did not");
}

#[test]
fn a_translation_is_not_shorter_than_asked_for() {
    for seed in 0..6 {
        let toy = toy(seed);
        let sources = toy.sources();
        let mut options = options(3, 3);
        options.config.min_length_ratio = 1.2;
        for (src, found) in sources.iter().zip(toy.search(&sources, &options)) {
            let least = (1.2 * src.len() as f64) as usize;
            assert!(found.iter().all(|h| h.is_cut || h.ids.len() > least), "{least}: {found:?}");
        }
    }
}

#[test]
fn constraints_that_contradict_themselves_are_refused_with_their_sentence() {
    let toy = toy(1);
    let refused = |prefix: &str, must: &[&str], must_not: &[&str]| {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect();
        let constraints = Constraints { prefix: prefix.into(), must: owned(must), must_not: owned(must_not) };
        toy.search_for(&[vec![]], &constraints, &options(2, 1)).map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(refused("", &["b a"], &["ba", "bac"]), Ok(()));
    let said = "sentence 0: `b a d` is asked for, but it holds `a`, which must not be said";
    assert_eq!(refused("", &["b a d"], &["c", "a"]), Err(said.into()));
    assert_eq!(
        refused("ab c", &[], &["c"]),
        Err("sentence 0: `ab c` is asked for, but it holds `c`, which must not be said".into())
    );
    assert!(refused("", &[" "], &[]).unwrap_err().contains("an empty phrase"));
    let many: Vec<String> = (0..65).map(|i| format!("w{i}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(refused("", &many, &[]).unwrap_err().contains("65 phrases"));
}
