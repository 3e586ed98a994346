//! Attention(Q, K, V): at every query, scores over the whole memory, weights, and the value they select.
//!
//! ```text
//! e[t,s] = query[t]ᵀ keys[s]       α[t] = softmax(e[t])       a[t] = Σ_s α[t,s]·values[s]
//! ```
//! Luong, Pham & Manning 2015, §3.1, "dot". Padding is masked: its weights are exactly 0. All three results are values on the tape, and gradients flow into all of them.

use crate::backend::{AttentionSpec, Backend};
use crate::ops::Node;
use crate::tape::{Graph, IdsVar, Shape, Var};

/// What attention reads: queries (T, R, H), keys (S, B, H), values (S, B, W) and the real source lengths (B,), with R a multiple of B (the rows of a beam share
/// their sentence's memory).
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Q (T, R, H).
    pub query: Var,
    /// K (S, B, H).
    pub keys: Var,
    /// V (S, B, W).
    pub values: Var,
    /// Real source lengths (B,), each in `1..=S`: the mask.
    pub src_len: IdsVar,
}

/// What attention gives.
#[derive(Debug, Clone, Copy)]
pub struct Attended {
    /// The scores e (T, R, S), −∞ in padding.
    pub scores: Var,
    /// The attention value a (T, R, W), also called context vector.
    pub context: Var,
    /// The attention distribution α (T, R, S): rows sum to 1, padding exactly 0.
    pub weights: Var,
}

#[derive(Debug)]
pub(crate) struct AttendNode {
    spec: AttentionSpec,
    input: Attention,
    output: Attended,
}

impl<B: Backend> Graph<'_, B> {
    /// Dot-product attention.
    ///
    /// # Panics
    /// If the shapes disagree. A configuration in which they would is refused before ([`Config::check`](crate::config::Config::check)), with the remedies.
    pub fn attend(&mut self, input: Attention) -> Attended {
        let [query, keys, values] = [input.query, input.keys, input.values].map(|v| self.shape(v));
        assert_eq!(query.width, keys.width, "dot attention: queries and keys have one width");
        assert_eq!((keys.steps, keys.batch), (values.steps, values.batch), "attention: a value for every key");
        assert_eq!(query.batch % keys.batch, 0, "attention: whole groups of query rows");
        let spec = AttentionSpec {
            queries: query.steps,
            src_max: keys.steps,
            batch: keys.batch,
            group: query.batch / keys.batch,
            key_width: keys.width,
            value_width: values.width,
        };
        let context_shape = Shape { width: values.width, ..query };
        let weights_shape = Shape { width: keys.steps, ..query };
        let mut context = self.alloc(context_shape.len());
        let (mut weights, mut scores) = (self.alloc(weights_shape.len()), self.alloc(weights_shape.len()));
        self.backend.attend(
            spec,
            &mut context,
            &mut weights,
            &mut scores,
            self.tensor(input.query),
            self.tensor(input.keys),
            self.tensor(input.values),
            self.ids_of(input.src_len),
        );
        let output = Attended {
            scores: self.push(scores, weights_shape),
            weights: self.push(weights, weights_shape),
            context: self.push(context, context_shape),
        };
        self.record(Node::Attend(AttendNode { spec, input, output }));
        output
    }
}

pub(super) fn backward<B: Backend>(graph: &mut Graph<'_, B>, node: AttendNode) {
    let AttendNode { spec, input, output } = node;
    if ![output.context, output.weights, output.scores].into_iter().any(|v| graph.has_gradient(v)) {
        return;
    }
    let mut dweights = graph.take_gradient(output.weights);
    if let Some(dcontext) = graph.take_output_gradient(output.context) {
        let lengths = input.src_len;
        let backend = graph.backend;
        backend.attend_backward_weights(
            spec,
            &mut dweights,
            &dcontext,
            graph.tensor(input.values),
            graph.ids_of(lengths),
        );
        let mut dvalues = graph.take_gradient(input.values);
        let weights = graph.tensor(output.weights);
        backend.attend_backward_values(spec, &mut dvalues, weights, &dcontext, graph.ids_of(lengths));
        graph.put_gradient(input.values, dvalues);
        graph.release(dcontext);
    }
    let dscores = graph.take_output_gradient(output.scores);
    // Keys and values may be one value, so the gradient of the values is put back before that of the keys is taken.
    let mut dquery = graph.take_gradient(input.query);
    let mut dkeys = graph.take_gradient(input.keys);
    graph.backend.attend_backward_scores(
        spec,
        &mut dquery,
        &mut dkeys,
        &mut dweights,
        dscores.as_ref(),
        graph.tensor(output.weights),
        graph.tensor(input.query),
        graph.tensor(input.keys),
        graph.ids_of(input.src_len),
    );
    graph.put_gradient(input.query, dquery);
    graph.put_gradient(input.keys, dkeys);
    graph.release(dweights);
    dscores.into_iter().for_each(|dscores| graph.release(dscores));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Cpu;
    use crate::ops::checks::{check_gradients, golden_with_ids, wave};
    use crate::params::Params;
    use crate::tape::Tape;
    use lookback_testkit::{Golden, assert_close_f64};

    #[test]
    fn gradients_agree_with_differences_for_shared_and_for_separate_keys_and_values() {
        let inputs = [
            (wave(2 * 3 * 5, 0.3), Shape::new(2, 3, 5)),
            (wave(4 * 3 * 5, 0.7), Shape::new(4, 3, 5)),
            (wave(4 * 3 * 2, 1.1), Shape::new(4, 3, 2)),
        ];
        for values in [1, 2] {
            check_gradients(&inputs[..=values], vec![], |g, x, _| {
                let src_len = g.ids(&[4, 1, 3]);
                let out = g.attend(Attention { query: x[0], keys: x[1], values: x[values], src_len });
                vec![out.context, out.weights]
            });
        }
    }

    #[test]
    fn gradients_flow_from_the_scores_too() {
        let inputs = [(wave(2 * 3 * 5, 0.3), Shape::new(2, 3, 5)), (wave(4 * 3 * 5, 0.7), Shape::new(4, 3, 5))];
        check_gradients(&inputs, vec![], |g, x, _| {
            let src_len = g.ids(&[4, 4, 4]); // without padding, whose scores are −∞
            let out = g.attend(Attention { query: x[0], keys: x[1], values: x[1], src_len });
            vec![out.scores, out.context]
        });
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
        let out = g.attend(Attention { query, keys, values: keys, src_len });
        let shape = g.shape(out.scores);
        let (got, want) = (g.download(out.scores), golden.f64("scores"));
        for (row, (got, want)) in got.chunks(shape.width).zip(want.chunks(shape.width)).enumerate() {
            let len = lengths[row % shape.batch] as usize;
            assert_close_f64("scores", &got[..len], &want[..len], 1e-7, 1e-7);
            assert!(got[len..].iter().all(|&e| e == f64::NEG_INFINITY));
        }
    }

    #[test]
    fn it_agrees_with_pytorch() {
        for (name, inputs) in [("attend_dot", &["query", "keys"][..]), ("attend_dot_kv", &["query", "keys", "values"])]
        {
            golden_with_ids(name, "src_len", inputs, &[], &["context:r", "weights:r2"], |g, x, _, lengths| {
                let src_len = g.ids(lengths);
                let out = g.attend(Attention { query: x[0], keys: x[1], values: x[inputs.len() - 1], src_len });
                vec![out.context, out.weights]
            });
        }
    }
}
