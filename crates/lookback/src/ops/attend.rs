//! Attention(Q, K, V): at every query, scores over the whole memory, weights, and the value they select.
//!
//! ```text
//! e[t,s] = score(query[t], s)       α[t] = softmax(e[t])       a[t] = Σ_s α[t,s]·values[s]
//! ```
//! Luong, Pham & Manning 2015, §3.1. With N heads (Vaswani et al. 2017, §3.2.2), head n has the n-th share of the columns of queries, keys and values and a softmax of
//! its own; the contexts stand side by side. A window (Luong et al. 2015, §3.2) confines s to the positions around a centre; nothing is computed of the others. Padding is masked: its weights are exactly 0. All three results are values on the tape, and gradients
//! flow into all of them.

use crate::backend::{AttentionSpec, Backend, Score, ScoreBackward, Window};
use crate::ops::Node;
use crate::params::ParamId;
use crate::tape::{Graph, IdsVar, Shape, Tape, Var};

/// How a query is compared with the positions of a source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AttentionScore {
    /// `e[s] = scale · queryᵀ keys[s]`. With keys W·h it is Luong's "general".
    Dot {
        /// K (S, B, H).
        keys: Var,
        /// What the product is multiplied by: 1, or 1/√d for heads of d columns (Vaswani et al. 2017, eq. 1).
        scale: f64,
    },
    /// `e[s] = Σ_j v_j · tanh(query_j + keys_j[s])` (Bahdanau et al. 2015, A.1.2), where the query is W_s·s and the keys are W_h·h + b.
    Additive {
        /// K (S, B, H).
        keys: Var,
        /// v (H,): each head has its share.
        v: ParamId,
    },
    /// `e[s] = query[s]` (Luong et al. 2015, eq. 8): the query, W_a·s, holds a score for every position, H ≥ S.
    Location,
}

/// The part of the source that a query looks at (Luong et al. 2015, §3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttentionWindow {
    /// All of it.
    Global,
    /// `half` positions to either side of the query's own step, at most the last position: local-m.
    Monotonic {
        /// The step of the first query.
        first: usize,
        /// D.
        half: usize,
    },
    /// `half` positions to either side of a centre; scores fall with the distance from it, e −= (s − p)²/(2σ²) with σ = D/2: local-p.
    Centred {
        /// p (T, R, 1), as [`Graph::window_centres`] gives them.
        centres: Var,
        /// D.
        half: usize,
    },
}

impl AttentionWindow {
    fn of<B: Backend>(self, tape: &Tape<B>) -> Window<'_, B::Tensor> {
        match self {
            Self::Global => Window::Global,
            Self::Monotonic { first, half } => Window::Monotonic { first, half },
            Self::Centred { centres, half } => Window::Centred { centres: tape.tensor(centres), half },
        }
    }

    /// p, where the model predicts it.
    pub fn centres(self) -> Option<Var> {
        match self {
            Self::Centred { centres, .. } => Some(centres),
            Self::Global | Self::Monotonic { .. } => None,
        }
    }
}

/// What attention reads: queries (T, R, H), values (S, B, W), the real source lengths (B,) and what the score needs, with R a multiple of B (the rows of a beam
/// share their sentence's memory).
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Q (T, R, H).
    pub query: Var,
    /// V (S, B, W).
    pub values: Var,
    /// Real source lengths (B,), each in `1..=S`: the mask.
    pub src_len: IdsVar,
    /// The score, with its keys.
    pub score: AttentionScore,
    /// Where it looks.
    pub window: AttentionWindow,
    /// N: H and W are multiples of it.
    pub heads: usize,
}

/// What attention gives. The rows of N heads follow each other: row r·N + n is head n of query row r.
#[derive(Debug, Clone, Copy)]
pub struct Attended {
    /// The scores e (T, R·N, S) that the softmax is taken of: those of a centred window are lowered by the distance from its centre. −∞ in padding and outside the window.
    pub scores: Var,
    /// The attention value a (T, R, W), also called context vector.
    pub context: Var,
    /// The attention distribution α (T, R·N, S): rows sum to 1, padding and what is outside the window exactly 0.
    pub weights: Var,
}

#[derive(Debug)]
pub(crate) struct AttendNode {
    spec: AttentionSpec,
    input: Attention,
    output: Attended,
}

impl AttendNode {
    pub(super) fn output(&self) -> Attended {
        self.output
    }
}

impl<B: Backend> Graph<'_, B> {
    /// Attention over a memory.
    ///
    /// # Panics
    /// If the shapes disagree. A configuration in which they would is refused before ([`Config::check`](crate::config::Config::check)), with the remedies; a source
    /// longer than `location` knows is refused by search and translation.
    pub fn attend(&mut self, input: Attention) -> Attended {
        let spec = self.attention_spec(&input);
        let (query, heads) = (self.shape(input.query), input.heads);
        let context_shape = Shape { width: spec.value_width, ..query };
        let weights_shape = Shape::new(query.steps, query.batch * heads, spec.src_max);
        let mut context = self.alloc(context_shape.len());
        let (mut weights, mut scores) = (self.alloc(weights_shape.len()), self.alloc(weights_shape.len()));
        let score = match input.score {
            AttentionScore::Dot { keys, scale } => Score::Dot { keys: self.tensor(keys), scale },
            AttentionScore::Additive { keys, v } => {
                Score::Additive { keys: self.tensor(keys), v: self.params.weight(v) }
            }
            AttentionScore::Location => Score::Location,
        };
        self.backend.attend(
            spec,
            score,
            input.window.of(self.tape()),
            &mut context,
            &mut weights,
            &mut scores,
            self.tensor(input.query),
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

    fn attention_spec(&self, input: &Attention) -> AttentionSpec {
        let [query, values] = [input.query, input.values].map(|v| self.shape(v));
        match input.score {
            AttentionScore::Dot { keys, .. } | AttentionScore::Additive { keys, .. } => {
                let keys = self.shape(keys);
                assert_eq!(query.width, keys.width, "attention: queries and keys have one width");
                assert_eq!((keys.steps, keys.batch), (values.steps, values.batch), "attention: a value for every key");
            }
            AttentionScore::Location => assert!(query.width >= values.steps, "attention: a score for every position"),
        }
        assert_eq!(query.batch % values.batch, 0, "attention: whole groups of query rows");
        AttentionSpec {
            queries: query.steps,
            src_max: values.steps,
            batch: values.batch,
            group: query.batch / values.batch,
            heads: input.heads,
            query_width: query.width,
            value_width: values.width,
        }
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
            input.window.of(graph.tape()),
            &mut dweights,
            &dcontext,
            graph.tensor(input.values),
            graph.ids_of(lengths),
        );
        let mut dvalues = graph.take_gradient(input.values);
        let (window, weights) = (input.window.of(graph.tape()), graph.tensor(output.weights));
        backend.attend_backward_values(spec, window, &mut dvalues, weights, &dcontext, graph.ids_of(lengths));
        graph.put_gradient(input.values, dvalues);
        graph.release(dcontext);
    }
    let dscores = graph.take_output_gradient(output.scores);
    backward_scores(graph, spec, &input, output.weights, &mut dweights, dscores.as_ref());
    graph.release(dweights);
    dscores.into_iter().for_each(|dscores| graph.release(dscores));
}

/// Through softmax and score. Keys and values may be one value, so the gradient of the values is put back before that of the keys is taken.
fn backward_scores<B: Backend>(
    graph: &mut Graph<'_, B>,
    spec: AttentionSpec,
    input: &Attention,
    weights: Var,
    dweights: &mut B::Tensor,
    dscores: Option<&B::Tensor>,
) {
    let mut dquery = graph.take_gradient(input.query);
    let keys = match input.score {
        AttentionScore::Dot { keys, .. } | AttentionScore::Additive { keys, .. } => Some(keys),
        AttentionScore::Location => None,
    };
    let mut dkeys = keys.map(|keys| graph.take_gradient(keys));
    let centres = input.window.centres();
    let mut dcentres = centres.map(|centres| graph.take_gradient(centres));
    let (backend, params, tape, gradients) = graph.split();
    let score = match (input.score, &mut dkeys) {
        (AttentionScore::Dot { keys, scale }, Some(dkeys)) => {
            ScoreBackward::Dot { keys: tape.tensor(keys), scale, dkeys }
        }
        (AttentionScore::Additive { keys, v }, Some(dkeys)) => {
            let (keys, v, dv) = (tape.tensor(keys), params.weight(v), gradients.dense_sum(backend, v));
            ScoreBackward::Additive { keys, v, dkeys, dv }
        }
        _ => ScoreBackward::Location,
    };
    let (query, src_len) = (tape.tensor(input.query), tape.ids(input.src_len));
    let (window, weights) = (input.window.of(tape), tape.tensor(weights));
    backend.attend_backward_scores(
        spec,
        score,
        window,
        &mut dquery,
        dweights,
        dcentres.as_mut(),
        dscores,
        weights,
        query,
        src_len,
    );
    graph.put_gradient(input.query, dquery);
    if let (Some(centres), Some(dcentres)) = (centres, dcentres) {
        graph.put_gradient(centres, dcentres);
    }
    if let (Some(keys), Some(dkeys)) = (keys, dkeys) {
        graph.put_gradient(keys, dkeys);
    }
}

#[cfg(test)]
mod tests;
