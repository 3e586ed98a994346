//! How the decoder looks back: an attention score with its parameters. Keys are computed once per batch, queries at every step.
//!
//! ```text
//! dot         e_i = sᵀ h_i
//! scaled_dot  e_i = sᵀ h_i / √d                            d columns of a head
//! general     e_i = sᵀ W h_i
//! concat      e_i = vᵀ tanh(W_s s + W_h h_i + b)           additive
//! location    e_i = (W_a s)_i                              i up to a trained length
//! ```
//! Luong, Pham & Manning 2015, §3.1, eqs. 8 and the three scores; Vaswani et al. 2017, eq. 1; Bahdanau, Cho & Bengio 2015, A.1.2. Luong's concat, `vᵀ tanh(W [s; h])`,
//! and Bahdanau's score are one function: W is W_s and W_h side by side.
//!
//! With N heads, each has an equal share of the columns of the queries, keys and values after these products (and of v), and a softmax of its own; the
//! contexts stand side by side, so a context is as wide as an encoder state for any N:
//!
//! ```text
//! α_n = softmax_i(score(q_n, k_{i,n}))      a = [Σ_i α_{1,i} h_{i,1}; …; Σ_i α_{N,i} h_{i,N}]
//! ```
//! That is Vaswani et al.'s multi-head attention without projected values; W_c, which reads the context, stands for the output projection.
//!
//! A window may confine each step to the positions around a centre p_t, with D to either side (Luong et al. 2015, §3.2); S counts the end of the sentence, heads share p_t:
//!
//! ```text
//! local_m     p_t = min(t, S − 1)                          t from 0
//! local_p     p_t = S · sigmoid(v_pᵀ tanh(W_p s))          e_i −= (i − p_t)² / (2σ²), σ = D/2
//! ```

use crate::backend::Backend;
use crate::config::{AttentionKind, ModelConfig, WindowKind};
use crate::model::Memory;
use crate::model::layout::{Layout, Sizes};
use crate::ops::{Attended, Attention, AttentionScore, AttentionWindow};
use crate::params::{Init, ParamId};
use crate::tape::{Graph, Var};

/// Attention weights, head by head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadWeights {
    /// α (T, R·N, S): row r·N + n is head n of row r. Rows sum to 1, padding is exactly 0.
    pub each: Var,
    /// N.
    pub heads: usize,
}

impl HeadWeights {
    /// The mean over the heads (T, R, S): what is shown. With one head, its weights.
    pub fn mean<B: Backend>(self, g: &mut Graph<'_, B>) -> Var {
        if self.heads == 1 { self.each } else { g.mean_rows(self.each, self.heads) }
    }
}

/// What looking back gives.
#[derive(Debug, Clone, Copy)]
pub struct Looked {
    /// e, a and α.
    pub attended: Attended,
    /// p (T, R, 1), where the model predicts it.
    pub centres: Option<Var>,
    /// N.
    pub heads: usize,
}

impl Looked {
    /// α, head by head.
    #[must_use]
    pub fn weights(&self) -> HeadWeights {
        HeadWeights { each: self.attended.weights, heads: self.heads }
    }
}

/// A score and a window, with their parameters.
#[derive(Debug, Clone, Copy)]
pub(super) struct AttentionLayer {
    score: Score,
    window: Window,
    heads: usize,
}

#[derive(Debug, Clone, Copy)]
enum Window {
    Global,
    Monotonic {
        half: usize,
    },
    Predicted {
        half: usize,
        /// W_p (H, H).
        hidden: ParamId,
        /// v_p (1, H).
        v: ParamId,
    },
}

#[derive(Debug, Clone, Copy)]
enum Score {
    /// The states are the keys.
    Dot { scale: f64 },
    General {
        /// W (H, D).
        keys: ParamId,
    },
    Concat {
        /// W_s (A, H).
        query: ParamId,
        /// W_h (A, D) and b (A,).
        keys: (ParamId, ParamId),
        /// v (A,).
        v: ParamId,
    },
    Location {
        /// W_a (L, H).
        positions: ParamId,
        /// L, the end counted.
        length: usize,
    },
}

/// A matrix of the attention.
fn matrix(layout: &mut Layout, name: &str, rows: usize, cols: usize, per_step: bool) -> ParamId {
    layout.matrix(format!("decoder.attention.{name}.weight"), rows, cols, rows, per_step)
}

impl AttentionLayer {
    /// The layer of a configuration; none for `attention = "none"`. `per_step` says that queries come one step at a time.
    pub(super) fn new(layout: &mut Layout, config: &ModelConfig, sizes: Sizes, per_step: bool) -> Option<Self> {
        let Sizes { hidden, encoder, .. } = sizes;
        let resolved = "the configuration was resolved";
        let score = match config.attention {
            AttentionKind::None => return None,
            AttentionKind::Dot => Score::Dot { scale: 1.0 },
            #[allow(clippy::cast_precision_loss, reason = "a width is far below 2⁵²")]
            AttentionKind::ScaledDot => Score::Dot { scale: 1.0 / ((hidden / config.heads) as f64).sqrt() },
            AttentionKind::General => Score::General { keys: matrix(layout, "keys", hidden, encoder, false) },
            AttentionKind::Concat => {
                let width = config.attention_width.expect(resolved);
                let query = matrix(layout, "query", width, hidden, per_step);
                let keys = matrix(layout, "keys", width, encoder, false);
                let bias = layout.vector("decoder.attention.keys.bias".into(), width, Init::Constant(0.0));
                // As a matrix of one row: the fan-in is a head's share.
                #[allow(clippy::cast_precision_loss, reason = "a width is far below 2²⁴")]
                let limit = (6.0 / (width / config.heads + 1) as f32).sqrt();
                let v = layout.vector("decoder.attention.v".into(), width, Init::Uniform(limit));
                Score::Concat { query, keys: (keys, bias), v }
            }
            AttentionKind::Location => {
                let length = config.location_length.expect(resolved) + 1;
                Score::Location { positions: matrix(layout, "positions", length, hidden, per_step), length }
            }
        };
        let half = config.window_width.unwrap_or(0);
        let window = match config.window {
            WindowKind::Global => Window::Global,
            WindowKind::LocalM => Window::Monotonic { half },
            WindowKind::LocalP => {
                let hidden = matrix(layout, "window", hidden, hidden, per_step);
                let v = layout.matrix("decoder.attention.window.v".into(), 1, sizes.hidden, 1, per_step);
                Window::Predicted { half, hidden, v }
            }
        };
        Some(Self { score, window, heads: config.heads })
    }

    /// The most source positions it knows, the end counted; none if there is no limit.
    pub(super) fn max_positions(&self) -> Option<usize> {
        match self.score {
            Score::Location { length, .. } => Some(length),
            _ => None,
        }
    }

    /// The keys of a memory `states` (S, B, D), where they are not the states themselves.
    pub(super) fn prepare<B: Backend>(&self, g: &mut Graph<'_, B>, states: Var) -> Option<Var> {
        match self.score {
            Score::Dot { .. } | Score::Location { .. } => None,
            Score::General { keys } => Some(g.linear(states, keys, None)),
            Score::Concat { keys: (keys, bias), .. } => Some(g.linear(states, keys, Some(bias))),
        }
    }

    /// Looks back at a memory with the states `s` (T, R, H), of the steps from `first` on.
    pub(super) fn look<B: Backend>(&self, g: &mut Graph<'_, B>, s: Var, memory: &Memory, first: usize) -> Looked {
        let keys = memory.keys.unwrap_or(memory.states);
        let (query, score) = match self.score {
            Score::Dot { scale } => (s, AttentionScore::Dot { keys, scale }),
            Score::General { .. } => (s, AttentionScore::Dot { keys, scale: 1.0 }),
            Score::Concat { query, v, .. } => (g.linear(s, query, None), AttentionScore::Additive { keys, v }),
            Score::Location { positions, .. } => (g.linear(s, positions, None), AttentionScore::Location),
        };
        let (values, src_len, heads) = (memory.states, memory.src_len, self.heads);
        let window = match self.window {
            Window::Global => AttentionWindow::Global,
            Window::Monotonic { half } => AttentionWindow::Monotonic { first, half },
            Window::Predicted { half, hidden, v } => {
                let z = g.linear(s, hidden, None);
                let z = g.tanh(z);
                let z = g.linear(z, v, None);
                AttentionWindow::Centred { centres: g.window_centres(z, src_len), half }
            }
        };
        let attended = g.attend(Attention { query, values, src_len, score, window, heads });
        Looked { attended, centres: window.centres(), heads }
    }
}
