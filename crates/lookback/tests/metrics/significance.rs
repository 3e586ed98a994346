//! Paired tests beside what sacreBLEU computed with the same seeds (`fixtures/gen/significance.py`).

use std::collections::BTreeMap;

use lookback::eval::{Compared, EvalError, PairedTest, Pool, Sampling, Statistics, bootstrap_interval, compare};
use lookback_testkit::assert_close_f64;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::settings::AnyMetric;

#[derive(Deserialize)]
struct Fixture {
    sacrebleu: String,
    corpora: BTreeMap<String, Corpus>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Corpus {
    refs: Vec<Vec<String>>,
    systems: Vec<Vec<String>>,
}

#[derive(Deserialize)]
struct Case {
    corpus: String,
    metric: String,
    options: Map<String, Value>,
    tests: Vec<Test>,
}

#[derive(Deserialize)]
struct Test {
    test: String,
    samples: usize,
    seed: u64,
    signature: String,
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    score: f64,
    mean: Option<f64>,
    ci: Option<f64>,
    p_value: Option<f64>,
}

fn fixture() -> Fixture {
    crate::fixture("significance")
}

fn collect(any: &AnyMetric, corpus: &Corpus) -> Vec<Statistics> {
    let pool = Pool::new(1);
    let count = |hyps: &Vec<String>| Statistics::collect(any.metric(), hyps, &corpus.refs, &pool).unwrap();
    corpus.systems.iter().map(count).collect()
}

#[test]
fn p_values_and_intervals_are_sacrebleus_with_the_same_seed() {
    let Fixture { sacrebleu, corpora, cases } = fixture();
    let pool = Pool::new(2);
    for Case { corpus, metric, options, tests } in &cases {
        let any = AnyMetric::read(metric, options).unwrap();
        let systems = collect(&any, &corpora[corpus]);
        for Test { test, samples, seed, signature, lines } in tests {
            let what = format!("{corpus}, {metric} {options:?}, {test} {samples} {seed}");
            let test = if test == "bs" { PairedTest::Bootstrap } else { PairedTest::Randomization };
            let sampling = Sampling { samples: *samples, seed: *seed };
            let got = compare(any.metric(), &systems, test, sampling, &pool).unwrap();
            assert_eq!(got.len(), lines.len());
            for (Compared { score, interval, p_value }, want) in got.iter().zip(lines) {
                assert_close_f64(&what, &[*score], &[want.score], 1e-12, 1e-300);
                // A p-value is a count over a number: the same division, the same bits.
                assert_eq!(*p_value, want.p_value, "{what}");
                let interval = interval.map(|interval| [interval.mean, interval.half_width]);
                assert_eq!(interval.is_some(), want.mean.is_some(), "{what}");
                if let Some(interval) = interval {
                    assert_close_f64(&what, &interval, &[want.mean.unwrap(), want.ci.unwrap()], 1e-12, 1e-12);
                }
            }
            let ours = format!("lookback-{}", env!("CARGO_PKG_VERSION"));
            let named = test.signature(any.metric(), systems[0].references(), sampling);
            assert_eq!(named.replace(&ours, &sacrebleu), *signature, "{what}");
        }
    }
}

#[test]
fn one_system_has_the_interval_it_has_in_a_comparison() {
    let Fixture { corpora, .. } = fixture();
    let any = AnyMetric::read("TER", &Map::new()).unwrap();
    let systems = collect(&any, &corpora["three references"]);
    let (sampling, pool) = (Sampling { samples: 100, seed: 5 }, Pool::new(1));
    let both = compare(any.metric(), &systems, PairedTest::Bootstrap, sampling, &pool).unwrap();
    let alone = bootstrap_interval(any.metric(), &systems[1], sampling, &pool).unwrap();
    assert_eq!(both[1].interval, Some(alone));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let Fixture { corpora, .. } = fixture();
    let any = AnyMetric::read("CHRF", &Map::new()).unwrap();
    let systems = collect(&any, &corpora["plain"]);
    for test in [PairedTest::Bootstrap, PairedTest::Randomization] {
        let sampling = Sampling { samples: 333, seed: 1 };
        let run = |threads| compare(any.metric(), &systems, test, sampling, &Pool::new(threads)).unwrap();
        assert_eq!(run(1), run(3));
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let any = AnyMetric::read("BLEU", &Map::new()).unwrap();
    let pool = Pool::new(1);
    let all = Statistics::collect(any.metric(), &["a", "b"], &[["a"], ["c"]], &pool).unwrap();
    let run = |systems: &[Statistics], samples| {
        let sampling = Sampling { samples, seed: 1 };
        compare(any.metric(), systems, PairedTest::Bootstrap, sampling, &pool).unwrap_err()
    };
    assert_eq!(run(&[], 10), EvalError::NothingToCompare);
    assert_eq!(run(std::slice::from_ref(&all), 10), EvalError::NothingToCompare);
    assert_eq!(run(&[all.clone(), all.clone()], 0), EvalError::NoSample);
    assert_eq!(run(&[all.select(&[]), all.select(&[])], 10), EvalError::Empty);
    let message = run(&[all.clone(), all.select(&[1])], 10).to_string();
    assert!(message.starts_with("the baseline has 2 sentences, another system 1"), "{message}");
}
