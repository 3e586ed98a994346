//! Several models.

use super::*;

fn search_all(toys: &[&Toy], options: &SearchOptions) -> Vec<Vec<Hypothesis>> {
    let first = toys[0];
    let batch = Batch::from_sources(&first.sources());
    let constraints = Constraints::default();
    let sentences = vec![Sentence { constraints: &constraints, number: 0, candidates: None }; batch.batch];
    let mut tapes: Vec<Tape<Cpu<f32>>> = toys.iter().map(|_| Tape::new()).collect();
    let member = |(toy, tape)| {
        let toy: &&Toy = toy;
        Member { model: &toy.model, params: &toy.params, tape }
    };
    let mut members: Vec<Member<'_, _>> = toys.iter().zip(&mut tapes).map(member).collect();
    search_together(&first.cpu, &mut members, &first.tgt, &batch, &sentences, options).unwrap()
}

#[test]
fn a_model_with_itself_is_the_model() {
    for seed in 0..4 {
        let toy = toy(seed);
        for options in [options(4, 4), SearchOptions { sampling: Some(Sampling::default()), ..options(1, 1) }] {
            assert_eq!(
                search_all(&[&toy, &toy], &options),
                search_all(&[&toy], &options),
                "doubling and halving is exact"
            );
        }
    }
}

#[test]
fn several_models_say_the_mean_of_their_log_probabilities_and_of_their_weights() {
    let bias = |id: u32| if id == EOS { 2.0 } else { 0.0 };
    let with = |seed, attention, feeding| toy_with(seed, 2, &model_config(attention, feeding), bias);
    let toys =
        [with(1, AttentionKind::Dot, false), with(2, AttentionKind::None, false), with(3, AttentionKind::Dot, true)];
    let found = search_all(&toys.each_ref(), &options(4, 4));
    for (src, found) in toys[0].sources().iter().zip(&found) {
        for hypothesis in found {
            let tgt: Vec<u32> = hypothesis.ids.iter().copied().filter(|id| *id != EOS).collect();
            let len = hypothesis.ids.len();
            let log_prob = |toy: &Toy| toy.rescore(src, std::slice::from_ref(&tgt))[0][..len].iter().sum::<f64>();
            let want = toys.iter().map(log_prob).sum::<f64>() / 3.0;
            assert!((hypothesis.log_prob - want).abs() < 1e-4, "{want} for {hypothesis:?}");
            let (first, third) = (toys[0].weights(src, &tgt), toys[2].weights(src, &tgt));
            let mean: Vec<f32> = first.iter().zip(&third).map(|(a, b)| (a + b) / 2.0).collect();
            let weights = hypothesis.weights.as_ref().unwrap();
            lookback_testkit::assert_close("weights", weights, &mean[..weights.len()], 1e-4, 1e-6);
        }
    }
    assert_ne!(found, search_all(&[&toys[0]], &options(4, 4)));
}
