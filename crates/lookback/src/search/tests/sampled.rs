//! Drawn translations.

use super::*;

fn drawn(seed: u64, nbest: usize) -> SearchOptions {
    let sampling = Sampling { seed, ..Sampling::default() };
    SearchOptions { nbest, sampling: Some(sampling), ..options(1, 1) }
}

fn ids(found: &[Vec<Hypothesis>]) -> Vec<Vec<&[u32]>> {
    found.iter().map(|found| found.iter().map(|h| h.ids.as_slice()).collect()).collect()
}

#[test]
fn samples_depend_on_the_seed_and_the_number_of_their_sentence_alone() {
    let toy = toy(2);
    let sources = toy.sources();
    let free = Constraints::default();
    let together = toy.search_for(&sources, &free, &drawn(7, 5)).unwrap();
    assert!(together.iter().all(|found| found.len() == 5));
    assert_eq!(toy.search_for(&sources, &free, &drawn(7, 5)).unwrap(), together);
    assert_ne!(ids(&toy.search_for(&sources, &free, &drawn(8, 5)).unwrap()), ids(&together));
    for (number, src) in sources.iter().enumerate() {
        let batch = Batch::from_sources(std::slice::from_ref(src));
        let sentence = Sentence { constraints: &free, number: number as u64, candidates: None };
        let mut tape = Tape::new();
        let mut members = [Member { model: &toy.model, params: &toy.params, tape: &mut tape }];
        let alone = search_together(&toy.cpu, &mut members, &toy.tgt, &batch, &[sentence], &drawn(7, 5)).unwrap();
        assert_eq!(ids(&alone), ids(&together[number..=number]), "sentence {number}");
    }
    let two = toy.search_for(&sources, &free, &drawn(7, 2)).unwrap();
    let first: Vec<Vec<Hypothesis>> = together.iter().map(|found| found[..2].to_vec()).collect();
    assert_eq!(ids(&two), ids(&first), "the first samples of more");
}

#[test]
fn the_log_probability_of_a_sample_is_the_models_whatever_the_temperature() {
    let toy = toy(3);
    let sources = toy.sources();
    let sampling = Sampling { seed: 1, temperature: 0.6, top_k: Some(20), top_p: 0.9 };
    let options = SearchOptions { sampling: Some(sampling), ..drawn(1, 4) };
    for (src, found) in sources.iter().zip(toy.search(&sources, &options)) {
        for hypothesis in found {
            text_of(&toy, &hypothesis.ids);
            let tgt: Vec<u32> = hypothesis.ids.iter().copied().filter(|id| *id != EOS).collect();
            let want: f64 = toy.rescore(src, &[tgt])[0][..hypothesis.ids.len()].iter().sum();
            assert!((hypothesis.log_prob - want).abs() < 1e-4, "{want} for {hypothesis:?}");
            let columns = src.len() + 1;
            assert_eq!(hypothesis.weights.map(|w| w.len()), Some(columns * hypothesis.ids.len()));
        }
    }
}

#[test]
fn drawing_from_the_most_probable_alone_is_greedy_search() {
    let toy = toy(4);
    let sources = toy.sources();
    for sampling in
        [Sampling { top_k: Some(1), ..Sampling::default() }, Sampling { top_p: 1e-9, ..Sampling::default() }]
    {
        let found = toy.search(&sources, &SearchOptions { sampling: Some(sampling), ..drawn(0, 1) });
        assert_eq!(ids(&found), ids(&toy.search(&sources, &options(1, 1))));
    }
}

#[test]
fn samples_obey_prefix_and_what_must_not_be_said_but_words_need_a_beam() {
    let toy = toy(5);
    let constraints = Constraints { prefix: "ab".into(), must_not: vec!["c".into()], ..Constraints::default() };
    for hypothesis in toy.search_for(&toy.sources(), &constraints, &drawn(3, 20)).unwrap().iter().flatten() {
        let text = text_of(&toy, &hypothesis.ids);
        assert!(text.starts_with("ab") && !toy.tgt.words(&hypothesis.ids).iter().any(|w| w.text == "c"), "{text:?}");
    }
    let constraints = Constraints { must: vec!["c".into()], ..Constraints::default() };
    let error = toy.search_for(&[vec![]], &constraints, &drawn(3, 1)).unwrap_err();
    assert!(matches!(error, SearchError::Option { key: "sampling", .. }), "{error}");
}
