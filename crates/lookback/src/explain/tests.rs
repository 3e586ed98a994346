//! That the numbers of an explanation satisfy the equations they stand for.

use super::*;
use crate::backend::Cpu;
use crate::config::{Config, CorpusSize};
use crate::stored::Stored;
use crate::text::{TextMode, TokenizerSpec, Tokenizers};

const TEXTS: [&str; 3] = ["ein Haus & <b>Tür</b>", "die Tür", "zwei Türen"];

/// A model with random weights.
fn translator(sets: &[&str]) -> Translator {
    let spec = TokenizerSpec { mode: TextMode::Char, ..TokenizerSpec::default() };
    let tokenizers = Tokenizers::train(&spec, TEXTS, ["a house", "the door", "two doors"]).expect("characters");
    let small = ["model.hidden=12", "model.embedding=8", "search.max_length_ratio=0.0", "search.max_length_extra=7"];
    let sets: Vec<String> = small.iter().chain(sets).map(ToString::to_string).collect();
    let config = Config::from_layers(&[], &sets).expect("the keys exist");
    let config = config.resolve(CorpusSize { pairs: 3, words: 2.0, characters: 8.0 }).expect("valid");
    let (_, specs) = Seq2Seq::new(&config.model, tokenizers.src.vocab_size(), tokenizers.tgt.vocab_size());
    let values: Vec<Vec<f32>> = (0..).zip(&specs).map(|(place, spec)| spec.initial(1, place)).collect();
    // Larger than they start, so that weights are uneven.
    let values: Vec<Stored> =
        values.into_iter().map(|v| v.into_iter().map(|v| v * 3.0).collect::<Vec<f32>>().into()).collect();
    Translator::new(config, tokenizers, &values, Cpu::detect(1))
}

fn close(what: &str, got: f64, want: f64) {
    assert!((got - want).abs() < 2e-5 * want.abs().max(1.0), "{what}: {got} for {want}");
}

const MODELS: [&[&str]; 7] = [
    &[],
    &["model.input_feeding=true", "model.attention=general", "model.heads=2"],
    &["model.decoder=bahdanau", "model.attention=concat"],
    &["model.window=local_p", "model.window_width=2"],
    &["model.window=local_m", "model.window_width=1", "model.input_feeding=true"],
    &["model.attention=location", "data.max_src=40"],
    &["model.decoder=bahdanau", "model.window=local_p", "model.window_width=3", "model.heads=3"],
];

#[test]
fn weights_are_the_softmax_of_the_scores_and_the_value_is_the_mean_they_make() {
    for sets in MODELS {
        let explained = translator(sets).explain(TEXTS[0], &SearchOptions::default(), 5).expect("explained");
        assert!(explained.steps.len() > 3, "{sets:?}");
        let heads = explained.model.heads;
        for step in &explained.steps {
            let look = step.look.as_ref().expect("attention");
            let share = look.value.len() / heads;
            for n in 0..heads {
                let exp = |e: &Option<f32>| e.map_or(0.0, |e| f64::from(e).exp());
                let total: f64 = look.scores[n].iter().map(exp).sum();
                let weights: Vec<f64> = look.scores[n].iter().map(|e| exp(e) / total).collect();
                for (&got, &want) in look.weights[n].iter().zip(&weights) {
                    close("α", f64::from(got), want);
                }
                for j in n * share..(n + 1) * share {
                    let mean: f64 =
                        weights.iter().zip(&explained.encoder_states).map(|(w, h)| w * f64::from(h[j])).sum();
                    close("a", f64::from(look.value[j]), mean);
                }
            }
        }
    }
}

#[test]
fn scores_of_dot_are_products_of_the_state_with_the_encoder_states() {
    let explained = translator(&[]).explain(TEXTS[1], &SearchOptions::default(), 5).expect("explained");
    for step in &explained.steps {
        let look = step.look.as_ref().expect("attention");
        for (e, h) in look.scores[0].iter().zip(&explained.encoder_states) {
            let product: f64 = step.state.iter().zip(h).map(|(&s, &h)| f64::from(s) * f64::from(h)).sum();
            close("e", f64::from(e.expect("no window")), product);
        }
    }
}

#[test]
fn the_attentional_state_joins_value_and_state_and_without_the_value_the_state_alone() {
    let translator = translator(&[]);
    let explained = translator.explain(TEXTS[1], &SearchOptions::default(), 5).expect("explained");
    let (w, b) = translator.with_first(|_, g| {
        use crate::backend::Backend as _;
        let of = |name: &str| {
            let id = g.params.find(name).expect("a parameter");
            g.backend.weight_values(g.params.weight(id))
        };
        (of("decoder.attentional.weight"), of("decoder.attentional.bias"))
    });
    let tanh = |joined: &[f32], row: usize| -> f64 {
        let products = w[row * joined.len()..].iter().zip(joined).map(|(&w, &x)| f64::from(w) * f64::from(x));
        (products.sum::<f64>() + f64::from(b[row])).tanh()
    };
    for step in &explained.steps {
        let look = step.look.as_ref().expect("attention");
        let blind = step.blind.as_ref().expect("attention");
        let (joined, alone) = ([&look.value[..], &step.state].concat(), [&[0.0; 12][..], &step.state].concat());
        for row in 0..12 {
            close("s̃", f64::from(step.attentional[row]), tanh(&joined, row));
            close("s̃ without a", f64::from(blind.attentional[row]), tanh(&alone, row));
        }
        assert_ne!(step.words, blind.words, "what it looked up matters");
    }
}

#[test]
fn the_probabilities_of_the_steps_are_those_of_the_translation() {
    for sets in MODELS {
        let translator = translator(sets);
        let explained = translator.explain(TEXTS[2], &SearchOptions::default(), 400).expect("explained");
        let given = translator.translate_with(&[TEXTS[2]], &SearchOptions::default()).expect("translated");
        close("log-probability", explained.log_prob, given[0][0].hypothesis.log_prob);
        assert_eq!(explained.translation, given[0][0].text);
        for step in &explained.steps {
            close("the sum over all pieces", step.words.iter().map(|word| word.probability).sum(), 1.0);
            assert!(step.words.windows(2).all(|pair| pair[0].probability >= pair[1].probability));
            assert!(step.words.iter().any(|word| word.probability.to_bits() == step.probability.to_bits()));
        }
    }
}

#[test]
fn without_attention_there_is_nothing_to_look_at_and_a_blank_line_has_no_steps() {
    let none = translator(&["model.attention=none"]);
    let explained = none.explain(TEXTS[1], &SearchOptions::default(), 5).expect("explained");
    assert!(explained.steps.iter().all(|step| step.look.is_none() && step.blind.is_none()));
    assert!(step(&explained, &explained.steps[0]).contains("s̃ = tanh(W_c s + b_c)"));
    let blank = none.explain("  ", &SearchOptions::default(), 5).expect("explained");
    assert_eq!((blank.steps.len(), blank.translation.as_str()), (0, ""));
}

#[test]
fn text_and_page_hold_the_numbers_and_no_markup_of_the_sentence() {
    let explained = translator(&["model.window=local_p", "model.window_width=2"])
        .explain(TEXTS[0], &SearchOptions::default(), 5)
        .expect("explained");
    let first = &explained.steps[0];
    let look = first.look.as_ref().expect("attention");
    let (text, page) = (step(&explained, first), to_page(&explained));
    let alpha = format!("{:.4}", look.weights[0].iter().copied().fold(0.0, f32::max));
    let p = format!("{:.2}", look.centre.expect("predicted"));
    for number in [&alpha, &p, "outside"] {
        assert!(text.contains(number) && page.contains(number), "{number} in\n{text}");
    }
    assert!(!page.contains("<b>") && page.contains("&lt;b&gt;"));
    assert!(!page.contains("http://") && !page.contains("https://") && page.contains("default-src 'none'"));
    assert!(text.lines().all(|line| line == line.trim_end() && line.chars().count() <= 80), "{text}");
}
