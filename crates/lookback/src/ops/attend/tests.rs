//! Attention with every score: gradients by differences, PyTorch, masks, and what a permutation of the source does.

use super::*;
use crate::backend::Cpu;
use crate::ops::checks::{check_gradients, golden_with_ids, vector, wave};
use crate::params::Params;
use crate::tape::Tape;
use lookback_testkit::{Golden, assert_close_f64};

/// Every score by the name of its golden, with its heads.
const SCORES: [(&str, usize); 7] =
    [("dot", 1), ("dot", 2), ("scaled_dot", 1), ("scaled_dot", 2), ("additive", 1), ("additive", 2), ("location", 1)];

/// The score called `name` for queries of `width`; `v` is the vector of the additive one.
fn score(name: &str, heads: usize, width: usize, keys: Var, v: Option<ParamId>) -> AttentionScore {
    #[allow(clippy::cast_precision_loss, reason = "a width is small")]
    let root = ((width / heads) as f64).sqrt();
    match (name, v) {
        ("dot", _) => AttentionScore::Dot { keys, scale: 1.0 },
        ("scaled_dot", _) => AttentionScore::Dot { keys, scale: 1.0 / root },
        ("additive", Some(v)) => AttentionScore::Additive { keys, v },
        _ => AttentionScore::Location,
    }
}

#[test]
fn gradients_agree_with_differences_for_every_score_and_flow_from_all_outputs() {
    let inputs = [
        (wave(2 * 3 * 6, 0.3), Shape::new(2, 3, 6)),
        (wave(4 * 3 * 6, 0.7), Shape::new(4, 3, 6)),
        (wave(4 * 3 * 2, 1.1), Shape::new(4, 3, 2)),
    ];
    for (name, heads) in SCORES {
        let params = || vec![(vector("v", 6), wave(6, 0.9))];
        check_gradients(&inputs, params(), |g, x, p| {
            let src_len = g.ids(&[4, 1, 3]);
            let score = score(name, heads, 6, x[1], Some(p[0]));
            let out = g.attend(Attention {
                query: x[0],
                values: x[2],
                src_len,
                score,
                window: AttentionWindow::Global,
                heads,
            });
            vec![out.context, out.weights]
        });
        check_gradients(&inputs, params(), |g, x, p| {
            let src_len = g.ids(&[4, 4, 4]); // without padding, whose scores are −∞
            let score = score(name, heads, 6, x[1], Some(p[0]));
            let out = g.attend(Attention {
                query: x[0],
                values: x[2],
                src_len,
                score,
                window: AttentionWindow::Global,
                heads,
            });
            vec![out.scores, out.context]
        });
    }
}

#[test]
fn gradients_agree_with_differences_when_keys_are_the_values() {
    let inputs = [(wave(2 * 3 * 6, 0.3), Shape::new(2, 3, 6)), (wave(4 * 3 * 6, 0.7), Shape::new(4, 3, 6))];
    for heads in [1, 3] {
        check_gradients(&inputs, vec![], |g, x, _| {
            let src_len = g.ids(&[4, 1, 3]);
            let score = AttentionScore::Dot { keys: x[1], scale: 1.0 };
            let out = g.attend(Attention {
                query: x[0],
                values: x[1],
                src_len,
                score,
                window: AttentionWindow::Global,
                heads,
            });
            vec![out.context, out.weights]
        });
    }
}

#[test]
fn scores_agree_with_pytorch_and_padding_is_minus_infinity() {
    let golden = Golden::read("attend_dot");
    let cpu = Cpu::<f64>::detect(1);
    let (params, mut tape) = (Params::init(&cpu, vec![], 0), Tape::new());
    let mut g = Graph::inference(&cpu, &params, &mut tape);
    let [query, keys] = ["query", "keys"].map(|name| {
        let shape = golden.shape(name);
        g.input(&golden.f64(name), Shape::new(shape[0], shape[1], shape[2]))
    });
    let lengths = golden.ids("src_len");
    let src_len = g.ids(&lengths);
    let score = AttentionScore::Dot { keys, scale: 1.0 };
    let out = g.attend(Attention { query, values: keys, src_len, score, window: AttentionWindow::Global, heads: 1 });
    let shape = g.shape(out.scores);
    let (got, want) = (g.download(out.scores), golden.f64("scores"));
    for (row, (got, want)) in got.chunks(shape.width).zip(want.chunks(shape.width)).enumerate() {
        let len = lengths[row % shape.batch] as usize;
        assert_close_f64("scores", &got[..len], &want[..len], 1e-7, 1e-7);
        assert!(got[len..].iter().all(|&e| e == f64::NEG_INFINITY));
    }
}

#[test]
fn dot_agrees_with_pytorch_with_shared_and_separate_values() {
    for (name, inputs) in [("attend_dot", &["query", "keys"][..]), ("attend_dot_kv", &["query", "keys", "values"])] {
        golden_with_ids(name, "src_len", inputs, &[], &["context:r", "weights:r2"], |g, x, _, lengths| {
            let src_len = g.ids(lengths);
            let score = AttentionScore::Dot { keys: x[1], scale: 1.0 };
            let out = g.attend(Attention {
                query: x[0],
                values: x[inputs.len() - 1],
                src_len,
                score,
                window: AttentionWindow::Global,
                heads: 1,
            });
            vec![out.context, out.weights]
        });
    }
}

#[test]
fn every_score_agrees_with_pytorch() {
    for (name, heads) in SCORES {
        let golden = format!("score_{name}_{heads}h");
        let inputs = if name == "location" { &["query", "values"][..] } else { &["query", "values", "keys"] };
        let params = if name == "additive" { &["v"][..] } else { &[] };
        golden_with_ids(&golden, "src_len", inputs, params, &["context:r", "weights:r2"], |g, x, p, lengths| {
            let src_len = g.ids(lengths);
            let width = g.shape(x[0]).width;
            let score = score(name, heads, width, *x.last().expect("inputs"), p.first().copied());
            let out = g.attend(Attention {
                query: x[0],
                values: x[1],
                src_len,
                score,
                window: AttentionWindow::Global,
                heads,
            });
            vec![out.context, out.weights]
        });
    }
}

#[test]
fn gradients_agree_with_differences_through_every_window_and_its_centre() {
    // Centres far enough from where a border of the window passes a position, which has no gradient.
    let centres = (vec![1.3, 0.4, 2.6, 2.2, 0.7, 0.9], Shape::new(2, 3, 1));
    let inputs = [
        (wave(2 * 3 * 6, 0.3), Shape::new(2, 3, 6)),
        (wave(4 * 3 * 6, 0.7), Shape::new(4, 3, 6)),
        (wave(4 * 3 * 2, 1.1), Shape::new(4, 3, 2)),
        centres,
    ];
    for (name, heads) in SCORES {
        for half in [1, 2] {
            for is_centred in [false, true] {
                check_gradients(&inputs, vec![(vector("v", 6), wave(6, 0.9))], |g, x, p| {
                    let src_len = g.ids(&[4, 1, 3]);
                    let score = score(name, heads, 6, x[1], Some(p[0]));
                    let window = if is_centred {
                        AttentionWindow::Centred { centres: x[3], half }
                    } else {
                        AttentionWindow::Monotonic { first: 1, half }
                    };
                    let out = g.attend(Attention { query: x[0], values: x[2], src_len, score, window, heads });
                    vec![out.context, out.weights]
                });
            }
        }
    }
}

#[test]
fn gradients_flow_from_the_scores_of_a_window_to_its_centre() {
    let inputs = [
        (wave(2 * 6, 0.3), Shape::new(2, 1, 6)),
        (wave(4 * 6, 0.7), Shape::new(4, 1, 6)),
        (vec![1.3, 2.2], Shape::new(2, 1, 1)),
    ];
    // So wide that no score is −∞.
    check_gradients(&inputs, vec![], |g, x, _| {
        let (src_len, score) = (g.ids(&[4]), AttentionScore::Dot { keys: x[1], scale: 1.0 });
        let window = AttentionWindow::Centred { centres: x[2], half: 9 };
        let out = g.attend(Attention { query: x[0], values: x[1], src_len, score, window, heads: 1 });
        vec![out.scores, out.context]
    });
}

#[test]
fn every_score_agrees_with_pytorch_through_every_window() {
    for (name, heads) in SCORES {
        for kind in ["local_m", "local_p"] {
            let golden = format!("window_{kind}_{name}_{heads}h");
            let mut inputs = vec!["query", "values"];
            inputs.extend((name != "location").then_some("keys"));
            inputs.extend((kind == "local_p").then_some("z"));
            let params = if name == "additive" { &["v"][..] } else { &[] };
            golden_with_ids(&golden, "src_len", &inputs, params, &["context:r", "weights:r2"], |g, x, p, lengths| {
                let src_len = g.ids(lengths);
                let width = g.shape(x[0]).width;
                let score = score(name, heads, width, x[x.len().min(3) - 1], p.first().copied());
                let window = if kind == "local_p" {
                    let centres = g.window_centres(*x.last().expect("inputs"), src_len);
                    AttentionWindow::Centred { centres, half: 2 }
                } else {
                    AttentionWindow::Monotonic { first: 0, half: 1 }
                };
                let out = g.attend(Attention { query: x[0], values: x[1], src_len, score, window, heads });
                vec![out.context, out.weights]
            });
        }
    }
}

#[test]
fn permuting_the_source_permutes_the_weights_but_of_location() {
    let order = [2, 0, 3, 1];
    for (name, heads) in SCORES {
        let cpu = Cpu::<f64>::detect(1);
        let mut params = Params::init(&cpu, vec![vector("v", 6)], 0);
        params.set_exact(&cpu, &[wave(6, 0.9)]);
        let run = |permuted: bool| {
            let mut tape = Tape::new();
            let mut g = Graph::inference(&cpu, &params, &mut tape);
            let memory = |g: &mut Graph<'_, Cpu<f64>>, values: &[f64], width: usize| {
                let place = |s: usize| if permuted { order[s] } else { s };
                let rows: Vec<f64> = (0..4).flat_map(|s| values[place(s) * width..][..width].to_vec()).collect();
                g.input(&rows, Shape::new(4, 1, width))
            };
            let query = g.input(&wave(2 * 6, 0.3), Shape::new(2, 1, 6));
            let (keys, values) = (memory(&mut g, &wave(24, 0.7), 6), memory(&mut g, &wave(8, 1.1), 2));
            let src_len = g.ids(&[4]);
            let score = score(name, heads, 6, keys, params.find("v"));
            let out = g.attend(Attention { query, values, src_len, score, window: AttentionWindow::Global, heads });
            (g.download(out.weights), g.download(out.context))
        };
        let ((plain, context), (permuted, same)) = (run(false), run(true));
        for (plain, permuted) in plain.chunks(4).zip(permuted.chunks(4)) {
            let want = if name == "location" { plain.to_vec() } else { order.map(|s| plain[s]).to_vec() };
            assert_close_f64(name, permuted, &want, 1e-12, 0.0);
        }
        if name != "location" {
            assert_close_f64(name, &same, &context, 1e-12, 1e-12);
        }
    }
}
