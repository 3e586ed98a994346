//! What cannot be is refused with the remedy.

use super::{AttentionKind, Bridge, Config, ConfigError, Sharing, TextConfig, TextMode, TiedEmbeddings};

impl Config {
    /// Checks values against each other and their ranges.
    ///
    /// # Errors
    /// Names the key and what to do.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_sizes()?;
        self.check_text()?;
        self.check_data()?;
        self.check_attention()?;
        self.check_model()?;
        self.check_bridge()?;
        self.check_precision()?;
        self.check_ranges()?;
        self.check_optimization()?;
        self.check_validation()?;
        self.check_regularization()
    }

    fn check_sizes(&self) -> Result<(), ConfigError> {
        let m = &self.model;
        let (hidden, encoder) = (m.hidden.unwrap_or(1), m.encoder_hidden.or(m.hidden).unwrap_or(1));
        let sizes = [
            ("model.hidden", hidden),
            ("model.encoder_hidden", encoder),
            ("model.embedding", m.embedding.unwrap_or(1)),
            ("model.attention_width", m.attention_width.unwrap_or(1)),
            ("model.location_length", m.location_length.unwrap_or(1)),
            ("train.accumulate", self.train.accumulate),
            ("train.batch_tokens", self.train.batch_tokens.unwrap_or(1)),
            ("data.max_src", self.data.max_src),
            ("data.max_tgt", self.data.max_tgt),
        ];
        if let Some(&(key, size)) = sizes.iter().find(|(_, size)| !(1..=1 << 20).contains(size)) {
            return invalid(key, format!("{size} is not between 1 and {}", 1 << 20));
        }
        let limited = [
            ("model.encoder_layers", m.encoder_layers, 64),
            ("model.decoder_layers", m.decoder_layers, 64),
            ("search.beam_size", self.search.beam_size, 1024),
        ];
        if let Some(&(key, size, most)) = limited.iter().find(|(_, size, most)| !(1..=*most).contains(size)) {
            return invalid(key, format!("{size} is not between 1 and {most}"));
        }
        Ok(())
    }

    fn check_text(&self) -> Result<(), ConfigError> {
        let text = &self.text;
        if text.mode == Some(TextMode::File) {
            let file = TextConfig { mode: text.mode, sharing: text.sharing, ..TextConfig::default() };
            if *text != file {
                let message =
                    "with a given tokenizer only `text.sharing` may be set beside it; all else is as the file says";
                return invalid("text.mode", message.into());
            }
        }
        if !(0.0..=1.0).contains(&text.bpe_dropout) {
            return invalid("text.bpe_dropout", format!("{} is not between 0 and 1", text.bpe_dropout));
        }
        if text.bpe_dropout > 0.0 && text.mode.is_some_and(|mode| mode != TextMode::Bpe) {
            let message = "only `bpe` has merges to leave out; set `text.mode = \"bpe\"`, or leave it out";
            return invalid("text.bpe_dropout", message.into());
        }
        match (text.min_frequency, text.mode) {
            (Some(0), _) => invalid("text.min_frequency", "0 is not a number of times; 1 keeps everything".into()),
            (Some(_), Some(TextMode::Unigram)) => invalid(
                "text.min_frequency",
                "`unigram` keeps pieces by likelihood, not by frequency; leave it out, or set `text.mode = \"bpe\"`"
                    .into(),
            ),
            _ => Ok(()),
        }
    }

    fn check_data(&self) -> Result<(), ConfigError> {
        let data = &self.data;
        if let Some(weight) = data.corpus_weights.iter().find(|w| !(w.is_finite() && **w > 0.0 && **w <= 1000.0)) {
            return invalid(
                "data.corpus_weights",
                format!("{weight} is not above 0 and at most 1000; leave out a corpus that is not used"),
            );
        }
        if let Some(ratio) = data.max_ratio.filter(|ratio| !(ratio.is_finite() && *ratio >= 1.0)) {
            return invalid("data.max_ratio", format!("{ratio} is below 1, which no pair of sides can meet"));
        }
        if data.sample == Some(0) {
            return invalid("data.sample", "0 pairs teach nothing; leave it out for all".into());
        }
        if data.stream_buffer < 2 {
            return invalid("data.stream_buffer", format!("{} pairs are too few to hold any out", data.stream_buffer));
        }
        if data.min_length > data.max_src.min(data.max_tgt) {
            return invalid(
                "data.min_length",
                format!("{} is above `data.max_src` or `data.max_tgt`", data.min_length),
            );
        }
        Ok(())
    }

    /// What cannot combine.
    fn check_model(&self) -> Result<(), ConfigError> {
        let m = &self.model;
        let encoder = m.encoder_hidden.or(m.hidden).unwrap_or(1);
        if m.bidirectional && encoder % 2 == 1 {
            return invalid(
                "model.encoder_hidden",
                format!(
                    "{encoder} cannot be shared by two directions; make it even, or set `model.bidirectional = false`"
                ),
            );
        }
        if m.tied_embeddings == TiedEmbeddings::All && self.text.sharing == Some(Sharing::Separate) {
            return invalid(
                "model.tied_embeddings",
                "`all` needs one vocabulary for both sides; set `text.sharing = \"joint\"`, or \
                 `model.tied_embeddings = \"target\"`"
                    .into(),
            );
        }
        Ok(())
    }

    /// What the bridge cannot carry.
    fn check_bridge(&self) -> Result<(), ConfigError> {
        let m = &self.model;
        let (hidden, encoder) = (m.hidden.unwrap_or(1), m.encoder_hidden.or(m.hidden).unwrap_or(1));
        let (from, to) = (m.encoder_cell(), m.cell);
        if m.bridge == Bridge::Copy && from != to {
            return invalid(
                "model.bridge",
                format!(
                    "`copy` cannot hand the state of a {} to a {}; make the cells equal, or set `model.bridge = \"project\"`",
                    from.name(),
                    to.name()
                ),
            );
        }
        if m.bridge == Bridge::Copy && (encoder != hidden || m.encoder_layers != m.decoder_layers) {
            return invalid(
                "model.bridge",
                format!(
                    "`copy` hands {} states of {encoder} to {} decoder layers of {hidden}; make them equal, or set \
                     `model.bridge = \"project\"`",
                    m.encoder_layers, m.decoder_layers
                ),
            );
        }
        if m.bridge == Bridge::Zero && m.attention == AttentionKind::None {
            return invalid(
                "model.bridge",
                "with `zero` and no attention the decoder would know nothing of the source; set `model.attention` or \
                 another bridge"
                    .into(),
            );
        }
        if m.attention == AttentionKind::None && self.search.coverage_penalty > 0.0 {
            return invalid("search.coverage_penalty", "a model without attention covers nothing; set it to 0".into());
        }
        Ok(())
    }

    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵²")]
    fn check_ranges(&self) -> Result<(), ConfigError> {
        let shares = [
            ("train.label_smoothing", f64::from(self.train.label_smoothing)),
            ("train.beta1", self.train.beta1),
            ("train.beta2", self.train.beta2),
            ("train.ema", self.train.ema),
        ];
        if let Some((key, share)) = shares.iter().find(|(_, share)| !(0.0..1.0).contains(share)) {
            return invalid(key, format!("{share} is not at least 0 and below 1"));
        }
        let train = &self.train;
        let positive = [
            ("train.learning_rate", train.peak_rate()),
            ("train.decay", train.decay),
            ("train.epsilon", train.epsilon),
            ("train.max_minutes", train.max_minutes.unwrap_or(1.0)),
            ("train.max_updates", train.max_updates.unwrap_or(1) as f64),
            ("train.max_epochs", train.max_epochs.unwrap_or(1) as f64),
        ];
        if let Some((key, value)) = positive.iter().find(|(_, v)| !(v.is_finite() && *v > 0.0)) {
            return invalid(key, format!("{value} is not a positive number"));
        }
        let not_negative = [
            ("train.clip_norm", train.clip_norm),
            ("search.length_penalty", self.search.length_penalty),
            ("search.coverage_penalty", self.search.coverage_penalty),
            ("search.min_length_ratio", self.search.min_length_ratio),
            ("search.max_length_ratio", self.search.max_length_ratio),
        ];
        if let Some((key, value)) = not_negative.iter().find(|(_, v)| !(v.is_finite() && *v >= 0.0)) {
            return invalid(key, format!("{value} is not a finite number of at least 0"));
        }
        if self.search.max_length_extra > 1 << 20 {
            return invalid(
                "search.max_length_extra",
                format!("{} is above {}", self.search.max_length_extra, 1 << 20),
            );
        }
        Ok(())
    }
}

pub(super) fn invalid(key: &'static str, message: String) -> Result<(), ConfigError> {
    Err(ConfigError::Invalid { key, message })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::CorpusSize;

    fn refused(sets: &[&str]) -> String {
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        let config = Config::from_layers(&[], &sets).expect("the keys exist");
        config.resolve(CorpusSize { pairs: 30_000, words: 9.0, characters: 50.0 }).expect_err("refused").to_string()
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_key() {
        let cases = [
            (&["model.hidden=33"][..], "model.encoder_hidden: 33"),
            (&["model.encoder_layers=2"], "model.bridge: `copy` hands 2 states of 512 to 1 decoder layers"),
            (&["model.encoder_cell=gru"], "model.bridge: `copy` cannot hand the state of a gru to a lstm"),
            (&["model.bridge=zero", "model.attention=none"], "model.bridge: with `zero` and no attention"),
            (
                &["model.tied_embeddings=all", "text.sharing=separate"],
                "model.tied_embeddings: `all` needs one vocabulary",
            ),
            (&["train.learning_rate=-1.0"], "train.learning_rate: "),
            (&["train.clip_norm=-1.0"], "train.clip_norm: "),
            (&["train.max_minutes=-1.0"], "train.max_minutes: -1"),
            (&["search.length_penalty=-1.0"], "search.length_penalty: -1"),
            (&["search.coverage_penalty=-1.0"], "search.coverage_penalty: -1"),
            (&["search.coverage_penalty=0.2", "model.attention=none"], "search.coverage_penalty: "),
            (&["search.min_length_ratio=-1.0"], "search.min_length_ratio: -1"),
            (&["model.decoder_layers=1000000"], "model.decoder_layers: 1000000 is not between 1 and 64"),
            (&["search.beam_size=0"], "search.beam_size: 0"),
            (&["text.min_frequency=0"], "text.min_frequency: 0"),
            (&["text.mode=file", "text.vocab_size=900"], "text.mode: with a given tokenizer"),
            (&["text.mode=file", "text.lowercase=true"], "text.mode: with a given tokenizer"),
            (&["text.mode=unigram", "text.bpe_dropout=0.1"], "text.bpe_dropout: only `bpe`"),
            (&["text.bpe_dropout=1.5"], "text.bpe_dropout: 1.5"),
            (&["data.corpus_weights=[1, 0]"], "data.corpus_weights: 0 is not above 0 and at most 1000"),
            (&["data.max_ratio=0.5"], "data.max_ratio: 0.5"),
            (&["data.sample=0"], "data.sample: 0"),
            (&["data.stream_buffer=100"], "data.stream_buffer: files are read whole"),
            (
                &["train.validate_sentences=9", "train.validate_metrics=loss", "train.metric=ppl"],
                "train.validate_sentences: nothing is translated",
            ),
            (&["data.min_length=200"], "data.min_length: 200 is above"),
            (&["text.mode=unigram", "text.min_frequency=2"], "text.min_frequency: `unigram`"),
        ];
        for (sets, start) in cases {
            let message = refused(sets);
            assert!(message.starts_with(start), "{message}");
        }
    }
}
