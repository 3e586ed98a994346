//! How the decoder looks back: the score, its heads, and when it looks; what of it cannot combine is refused with the remedy.

use serde::{Deserialize, Serialize};

use super::check::invalid;
use super::{Config, ConfigError};

/// The attention score of a decoder state s and an encoder state h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionKind {
    /// sᵀh (Luong et al. 2015).
    Dot,
    /// sᵀh / √d, d the width of a head (Vaswani et al. 2017).
    ScaledDot,
    /// sᵀWh (Luong et al. 2015).
    General,
    /// vᵀtanh(W_s s + W_h h + b): additive, Bahdanau et al. 2015 and Luong's concat.
    Concat,
    /// Entry i of W_a s for position i, up to a trained length (Luong et al. 2015).
    Location,
    /// No attention: the final states are the only bridge.
    None,
}

/// The part of the source that a step looks at; every score can be combined with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// All of it.
    Global,
    /// The pieces around piece t at step t, for languages of one order (Luong et al. 2015, §3.2, local-m).
    LocalM,
    /// The pieces around a place that the state predicts, nearer ones preferred by a Gaussian (local-p).
    LocalP,
}

/// How far a window reaches to either side if nothing is said (Luong et al. 2015, §4).
const WINDOW_WIDTH: usize = 10;

/// When the decoder looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecoderOrder {
    /// After its step: s_t asks, and s̃_t = tanh(W_c [a_t; s_t] + b_c) (Luong et al. 2015).
    Luong,
    /// Before its step: s_{t-1} asks, a_t is an input of the step, and s̃_t = tanh(W_c [a_t; s_t; y_{t-1}] + b_c) (Bahdanau et al. 2015, with tanh for maxout).
    Bahdanau,
}

impl Config {
    /// Chooses what the attention leaves open; `hidden` is known.
    pub(super) fn resolve_attention(&mut self, hidden: usize) {
        match self.model.attention {
            AttentionKind::Concat => _ = self.model.attention_width.get_or_insert(hidden),
            AttentionKind::Location => _ = self.model.location_length.get_or_insert(self.data.max_src),
            _ => {}
        }
        if self.model.window != WindowKind::Global {
            self.model.window_width.get_or_insert(WINDOW_WIDTH);
        }
    }

    /// What cannot combine.
    pub(super) fn check_attention(&self) -> Result<(), ConfigError> {
        let m = &self.model;
        let (hidden, encoder) = (m.hidden.unwrap_or(1), m.encoder_hidden.or(m.hidden).unwrap_or(1));
        if matches!(m.attention, AttentionKind::Dot | AttentionKind::ScaledDot) && encoder != hidden {
            return invalid(
                "model.attention",
                format!(
                    "`{}` multiplies decoder states ({hidden}) with encoder states ({encoder}), which must have one size; set \
                     `model.encoder_hidden = {hidden}`, leave it out, or set `model.attention = \"general\"`, `\"concat\"` or `\"none\"`",
                    if m.attention == AttentionKind::Dot { "dot" } else { "scaled_dot" }
                ),
            );
        }
        self.check_own_keys()?;
        self.check_window()?;
        self.check_heads(hidden, encoder)?;
        if m.decoder == DecoderOrder::Bahdanau && m.attention == AttentionKind::None {
            return invalid(
                "model.decoder",
                "`bahdanau` makes the attention's context an input of every step, and `model.attention = \"none\"` has none; set \
                 `model.decoder = \"luong\"` or choose a score"
                    .into(),
            );
        }
        if m.decoder == DecoderOrder::Bahdanau && m.input_feeding {
            return invalid(
                "model.input_feeding",
                "with `model.decoder = \"bahdanau\"` every step already reads the context and the state that s̃ is made of; leave \
                 `input_feeding` out, or set `model.decoder = \"luong\"`"
                    .into(),
            );
        }
        Ok(())
    }

    /// Keys that belong to one score.
    fn check_own_keys(&self) -> Result<(), ConfigError> {
        let m = &self.model;
        let of_another = |key, score: &str| {
            invalid(key, format!("only `model.attention = \"{score}\"` has it; leave it out, or choose that score"))
        };
        if m.attention_width.is_some() && m.attention != AttentionKind::Concat {
            return of_another("model.attention_width", "concat");
        }
        match (m.attention, m.location_length) {
            (AttentionKind::Location, Some(length)) if self.data.max_src > length => invalid(
                "model.location_length",
                format!(
                    "`location` has weights for {length} source pieces, and `data.max_src = {}` lets longer sources in; set \
                     `data.max_src = {length}` or raise `model.location_length`",
                    self.data.max_src
                ),
            ),
            (AttentionKind::Location, _) | (_, None) => Ok(()),
            _ => of_another("model.location_length", "location"),
        }
    }

    fn check_window(&self) -> Result<(), ConfigError> {
        let m = &self.model;
        match (m.window, m.window_width) {
            (WindowKind::Global, Some(_)) => invalid(
                "model.window_width",
                "`model.window = \"global\"` looks at the whole source; leave it out, or set `model.window = \"local_m\"` or `\"local_p\"`"
                    .into(),
            ),
            (_, Some(0)) => invalid("model.window_width", "0 is too narrow; set `model.window_width = 1` or more".into()),
            (WindowKind::LocalM | WindowKind::LocalP, _) if m.attention == AttentionKind::None => invalid(
                "model.window",
                "there is no attention to confine with `model.attention = \"none\"`; leave it out, or choose a score".into(),
            ),
            _ => Ok(()),
        }
    }

    fn check_heads(&self, hidden: usize, encoder: usize) -> Result<(), ConfigError> {
        let m = &self.model;
        let heads = m.heads;
        if heads == 0 {
            return invalid("model.heads", "there is at least one".into());
        }
        if heads > 1 && matches!(m.attention, AttentionKind::Location | AttentionKind::None) {
            return invalid(
                "model.heads",
                format!(
                    "heads share the columns of queries and keys, which `model.attention = \"{}\"` does not have; leave it out, or choose \
                     another score",
                    if m.attention == AttentionKind::None { "none" } else { "location" }
                ),
            );
        }
        let (query_key, query) = match m.attention {
            AttentionKind::Concat => ("model.attention_width", m.attention_width.unwrap_or(hidden)),
            _ => ("model.hidden", hidden),
        };
        let uneven =
            [(query_key, query), ("model.encoder_hidden", encoder)].into_iter().find(|w| !w.1.is_multiple_of(heads));
        match uneven {
            Some((key, width)) if heads > 1 => invalid(
                "model.heads",
                format!("{heads} heads cannot share `{key} = {width}` equally; make it a multiple"),
            ),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::CorpusSize;
    use super::*;

    fn resolved(sets: &[&str]) -> Result<Config, ConfigError> {
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        let config = Config::from_layers(&[], &sets).expect("the keys exist");
        config.resolve(CorpusSize { pairs: 30_000, words: 9.0, characters: 50.0 })
    }

    #[test]
    fn open_widths_and_lengths_are_those_of_the_model_and_the_data() {
        let concat = resolved(&["model.attention=concat", "model.hidden=64"]).expect("valid").model;
        assert_eq!((concat.attention_width, concat.location_length), (Some(64), None));
        let location = resolved(&["model.attention=location", "data.max_src=40"]).expect("valid").model;
        assert_eq!((location.attention_width, location.location_length), (None, Some(40)));
        assert_eq!(resolved(&[]).expect("valid").model.attention_width, None);
        for (sets, want) in [
            (&["model.window=local_m"][..], Some(10)),
            (&["model.window=local_p", "model.window_width=3"], Some(3)),
            (&[], None),
        ] {
            assert_eq!(resolved(sets).expect("valid").model.window_width, want);
        }
    }

    #[test]
    fn unequal_sizes_need_a_score_that_projects() {
        let sizes = ["model.hidden=512", "model.encoder_hidden=256", "model.bridge=project"];
        for score in ["dot", "scaled_dot"] {
            let set = format!("model.attention={score}");
            let message = resolved(&[&sizes[..], &[&set]].concat()).expect_err("refused").to_string();
            for part in [&format!("`{score}`"), "`model.encoder_hidden = 512`", "\"general\"", "\"concat\"", "\"none\""]
            {
                assert!(message.contains(part), "{message}");
            }
        }
        for score in ["general", "concat", "location"] {
            let set = format!("model.attention={score}");
            resolved(&[&sizes[..], &[&set]].concat()).expect(score);
        }
    }

    #[test]
    fn what_cannot_combine_is_refused_by_its_key() {
        let cases = [
            (&["model.attention_width=8"][..], "model.attention_width: only `model.attention = \"concat\"`"),
            (&["model.location_length=8"], "model.location_length: only `model.attention = \"location\"`"),
            (&["model.attention=concat", "model.attention_width=0"], "model.attention_width: 0 is not between 1 and"),
            (
                &["model.attention=location", "model.location_length=40"],
                "model.location_length: `location` has weights for 40",
            ),
            (&["model.window_width=8"], "model.window_width: `model.window = \"global\"` looks at the whole"),
            (&["model.window=local_p", "model.window_width=0"], "model.window_width: 0 is too narrow"),
            (&["model.window=local_m", "model.attention=none"], "model.window: there is no attention"),
            (&["model.heads=0"], "model.heads: there is at least one"),
            (&["model.heads=2", "model.attention=location"], "model.heads: heads share"),
            (&["model.heads=2", "model.attention=none"], "model.heads: heads share"),
            (&["model.heads=3", "model.hidden=64"], "model.heads: 3 heads cannot share `model.hidden = 64`"),
            (
                &["model.heads=4", "model.attention=concat", "model.attention_width=6"],
                "model.heads: 4 heads cannot share `model.attention_width = 6`",
            ),
            (
                &[
                    "model.heads=3",
                    "model.hidden=33",
                    "model.attention=general",
                    "model.encoder_hidden=64",
                    "model.bridge=project",
                ],
                "model.heads: 3 heads cannot share `model.encoder_hidden = 64`",
            ),
            (&["model.decoder=bahdanau", "model.attention=none"], "model.decoder: `bahdanau` makes"),
            (&["model.decoder=bahdanau", "model.input_feeding=true"], "model.input_feeding: with"),
        ];
        for (sets, start) in cases {
            let message = resolved(sets).expect_err("refused").to_string();
            assert!(message.starts_with(start), "{message}");
        }
    }
}
