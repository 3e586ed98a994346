//! BLEU, chrF and TER beside what sacreBLEU computed (`fixtures/gen/metrics.py`).

use lookback::eval::{Bleu, Pool, Statistics, Tokenizer, tokenize_13a};
use lookback_testkit::assert_close_f64;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::settings::AnyMetric;

#[derive(Deserialize)]
struct Fixture {
    sacrebleu: String,
    corpora: Vec<Corpus>,
    tokens: std::collections::BTreeMap<String, Vec<Vec<Vec<String>>>>,
    settings: Vec<Settings>,
}

#[derive(Deserialize)]
struct Corpus {
    name: String,
    hyps: Vec<String>,
    refs: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct Settings {
    metric: String,
    options: Map<String, Value>,
    corpora: Vec<Scored>,
    sentences: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Scored {
    score: f64,
    line: String,
    precisions: Option<Vec<f64>>,
    bp: Option<f64>,
    lengths: Option<[usize; 2]>,
    edits: Option<f64>,
    ref_length: Option<f64>,
}

fn fixture() -> Fixture {
    crate::fixture("metrics")
}

/// The last bits of `ln`, `exp` and of Python's `sum` differ between systems and versions; anything more is a mistake.
const REL: f64 = 1e-12;

fn assert_same(what: &str, got: f64, want: f64) {
    assert_close_f64(what, &[got], &[want], REL, 1e-300);
}

#[test]
fn every_digit_and_line_is_sacrebleus() {
    let Fixture { sacrebleu, corpora, settings, .. } = fixture();
    let pool = Pool::new(2);
    let mut compared = 0;
    for Settings { metric, options, corpora: scored, .. } in &settings {
        let any = AnyMetric::read(metric, options).unwrap();
        for (corpus, want) in corpora.iter().zip(scored) {
            let what = format!("{metric} {options:?}, {}", corpus.name);
            let statistics = Statistics::collect(any.metric(), &corpus.hyps, &corpus.refs, &pool).unwrap();
            let sums = statistics.sums();
            assert_same(&what, any.metric().score(&sums), want.score);
            let line = any.line(&sums, statistics.references());
            let ours = format!("lookback-{}", env!("CARGO_PKG_VERSION"));
            assert_eq!(line.replace(&ours, &sacrebleu), want.line, "{what}");
            match &any {
                AnyMetric::Bleu(bleu) => {
                    let got = bleu.bleu(&sums, statistics.references());
                    assert_close_f64(&what, &got.precisions, want.precisions.as_ref().unwrap(), REL, 1e-300);
                    assert_same(&what, got.brevity_penalty, want.bp.unwrap());
                    assert_eq!([got.hyp_len, got.ref_len], want.lengths.unwrap(), "{what}");
                }
                AnyMetric::Ter(_) => {
                    assert_close_f64(&what, &sums, &[want.edits.unwrap(), want.ref_length.unwrap()], REL, 0.0);
                }
                AnyMetric::Chrf(_) => {}
            }
            compared += 1;
        }
    }
    assert!(compared > 1000, "{compared}");
}

#[test]
fn every_sentence_alone_is_sacrebleus() {
    let Fixture { corpora, settings, .. } = fixture();
    let mut compared = 0;
    for Settings { metric, options, sentences, .. } in &settings {
        let any = AnyMetric::read(metric, options).unwrap();
        for (corpus, sentences) in corpora.iter().zip(sentences) {
            for ((hyp, refs), &want) in corpus.hyps.iter().zip(&corpus.refs).zip(sentences) {
                let refs: Vec<&str> = refs.iter().map(String::as_str).collect();
                assert_same(&format!("{metric} {options:?}: {hyp:?}"), any.metric().sentence_score(hyp, &refs), want);
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}

#[test]
fn tokens_are_sacrebleus() {
    let Fixture { corpora, tokens, .. } = fixture();
    assert_eq!(tokens.len(), Tokenizer::ALL.len());
    for (name, tokens) in &tokens {
        let tokenizer: Tokenizer = name.parse().unwrap();
        for (corpus, tokens) in corpora.iter().zip(tokens) {
            for (hyp, want) in corpus.hyps.iter().zip(tokens) {
                assert_eq!(&tokenizer.tokens(hyp), want, "{name}: {hyp:?}");
                if tokenizer == Tokenizer::Western {
                    assert_eq!(&tokenize_13a(hyp), want, "{hyp:?}");
                }
            }
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let Fixture { corpora, .. } = fixture();
    let hyps: Vec<&String> = corpora.iter().flat_map(|corpus| &corpus.hyps).collect();
    let refs: Vec<&Vec<String>> = corpora.iter().flat_map(|corpus| &corpus.refs).collect();
    for name in ["BLEU", "CHRF", "TER"] {
        let any = AnyMetric::read(name, &Map::new()).unwrap();
        let count = |threads| Statistics::collect(any.metric(), &hyps, &refs, &Pool::new(threads)).unwrap();
        assert_eq!(count(1), count(3), "{name}");
    }
}

#[test]
fn the_defaults_are_sacrebleus_too() {
    for corpus in fixture().corpora {
        let any = AnyMetric::read("BLEU", &Map::new()).unwrap();
        let statistics = Statistics::collect(any.metric(), &corpus.hyps, &corpus.refs, &Pool::new(1)).unwrap();
        let line = any.line(&statistics.sums(), statistics.references());
        let bleu = Bleu::corpus_multi(&corpus.hyps, &corpus.refs).unwrap();
        assert_eq!(format!("BLEU|{} = {:.2} {}", bleu.signature(), bleu.score, bleu.verbose_score()), line);
    }
}
