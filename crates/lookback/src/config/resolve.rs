//! What a recipe leaves open is chosen from the data; what cannot be is refused with the remedy.

use super::{
    AttentionKind, Bridge, Config, ConfigError, DataConfig, Period, ScheduledSampling, Sharing, TextConfig, TextMode,
    TiedEmbeddings,
};

/// What is known of a corpus when the open values are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CorpusSize {
    /// Pairs to train on.
    pub pairs: usize,
    /// Whitespace-separated words of the source, on average per sentence.
    pub words: f64,
    /// Characters of the longer side, on average per sentence.
    pub characters: f64,
}

impl CorpusSize {
    /// The size of a corpus.
    ///
    /// # Errors
    /// If a temporary file of it cannot be read.
    #[cfg(feature = "files")]
    #[allow(clippy::cast_precision_loss, reason = "counts are far below 2⁵²")]
    pub fn of(corpus: &crate::data::Corpus) -> Result<Self, crate::data::DataError> {
        let (mut words, mut characters) = (0, 0);
        let mut pairs = corpus.pairs.reader();
        while let Some(pair) = pairs.next()? {
            words += pair.src.split_whitespace().count();
            characters += pair.src.chars().count().max(pair.tgt.chars().count());
        }
        let mean = |total: usize| total as f64 / corpus.pairs.len().max(1) as f64;
        Ok(Self { pairs: corpus.pairs.len(), words: mean(words), characters: mean(characters) })
    }
}

impl Config {
    /// Chooses what is open by the size of the corpus, and checks the whole.
    ///
    /// Sentences become subwords; items of a word or two (names, dates, pronunciations) become characters. Vocabulary and model grow with the
    /// corpus, dropout shrinks with it.
    ///
    /// # Errors
    /// If values exclude each other or are out of range.
    pub fn resolve(self, corpus: CorpusSize) -> Result<Self, ConfigError> {
        if self.data.stream_buffer != DataConfig::default().stream_buffer {
            let message = "files are read whole; leave it out, or give the pairs as a stream on standard input, `-`";
            invalid("data.stream_buffer", message.into())?;
        }
        self.chosen(corpus)
    }

    /// With what is open chosen, and the whole checked.
    fn chosen(mut self, corpus: CorpusSize) -> Result<Self, ConfigError> {
        let short = corpus.words < 2.5 || (corpus.words < 5.0 && corpus.characters < 30.0);
        let mode = *self.text.mode.get_or_insert(if short { TextMode::Char } else { TextMode::Bpe });
        let sizes = [(5_000, 1_000), (20_000, 2_000), (50_000, 4_000), (1_000_000, 8_000)];
        let vocab = sizes.iter().find(|s| corpus.pairs < s.0).map_or(16_000, |s| s.1);
        // As many words as Bahdanau et al. (2015) had; a small corpus has fewer.
        match mode {
            TextMode::File => {}
            TextMode::Word => _ = self.text.vocab_size.get_or_insert(30_000),
            _ => _ = self.text.vocab_size.get_or_insert(vocab),
        }
        let joint = matches!(mode, TextMode::Bpe | TextMode::Unigram);
        self.text.sharing.get_or_insert(if joint { Sharing::Joint } else { Sharing::Separate });
        let hidden = if mode == TextMode::Char || corpus.pairs < 25_000 { 256 } else { 512 };
        let hidden = *self.model.hidden.get_or_insert(hidden);
        let small = mode == TextMode::Char && self.model.tied_embeddings == TiedEmbeddings::None;
        self.model.embedding.get_or_insert(if small { hidden.min(128) } else { hidden });
        self.model.encoder_hidden.get_or_insert(hidden);
        self.model.encoder_cell.get_or_insert(self.model.cell);
        self.resolve_attention(hidden);
        self.resolve_optimization();
        self.model.dropout.get_or_insert(if corpus.pairs < 200_000 { 0.3 } else { 0.1 });
        self.train.batch_tokens.get_or_insert(if corpus.pairs < 10_000 { 1_000 } else { 2_000 });
        let train = &self.train;
        let counted = train.max_updates.is_some() || train.max_epochs.is_some();
        if !counted && train.max_minutes.is_none() && train.stop_after.is_none() {
            self.train.max_epochs = Some(default_epochs(corpus.pairs));
        }
        self.check()?;
        Ok(self)
    }

    /// As [`resolve`](Self::resolve), for a stream of which `buffer` is the size of the first buffer. A stream is read once, so what counts epochs
    /// is refused; validation without a period comes after every buffer.
    ///
    /// # Errors
    /// As there, and for what belongs to epochs or several corpora.
    pub fn resolve_stream(mut self, buffer: CorpusSize) -> Result<Self, ConfigError> {
        let refuse = |key, what: &str| invalid(key, format!("{what}, and a stream is read once; leave it out"));
        if self.train.max_epochs.is_some_and(|epochs| epochs != 1) {
            refuse("train.max_epochs", "it counts passes over the data")?;
        }
        if let Some(Period::Epochs(_)) = self.train.stop_after {
            refuse("train.stop_after", "it counts passes over the data")?;
        }
        if self.data.sample.is_some() {
            refuse("data.sample", "it is drawn anew from all pairs in each epoch")?;
        }
        if !self.data.corpus_weights.is_empty() {
            refuse("data.corpus_weights", "they are for several corpora")?;
        }
        let (updates, minutes) = (self.train.max_updates, self.train.max_minutes);
        if self.train.schedule.needs_end() && updates.is_none() && minutes.is_none() && self.train.stop_after.is_none()
        {
            let message = format!(
                "`{}` depends on where the run ends, and where a stream ends is not known; set `train.max_updates`, or another schedule",
                self.train.schedule.name()
            );
            invalid("train.schedule", message)?;
        }
        if self.train.scheduled_sampling == ScheduledSampling::Linear && updates.is_none() && minutes.is_none() {
            let message = "`linear` depends on where the run ends, and where a stream ends is not known; set `train.max_updates`, or \
                           `train.scheduled_sampling = \"inverse_sigmoid\"`";
            invalid("train.scheduled_sampling", message.into())?;
        }
        self.train.max_epochs = Some(1);
        self.chosen(buffer)
    }

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

/// Passes over the data if no limit is given: a small corpus is seen so often that the rate gets through its warm-up; patience ends it sooner.
fn default_epochs(pairs: usize) -> u64 {
    match pairs {
        25_000.. => 20,
        _ => (120_000 / pairs.max(1) as u64).clamp(60, 6_000),
    }
}

pub(super) fn invalid(key: &'static str, message: String) -> Result<(), ConfigError> {
    Err(ConfigError::Invalid { key, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(pairs: usize) -> CorpusSize {
        CorpusSize { pairs, words: 9.0, characters: 50.0 }
    }

    fn refused(sets: &[&str]) -> String {
        let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
        let config = Config::from_layers(&[], &sets).expect("the keys exist");
        config.resolve(sentences(30_000)).expect_err("refused").to_string()
    }

    #[test]
    fn sentences_get_subwords_and_dates_get_characters() {
        let of = |corpus| Config::default().resolve(corpus).expect("defaults are valid");
        assert_eq!(of(sentences(30_000)).text.mode, Some(TextMode::Bpe));
        let dates = CorpusSize { pairs: 30_000, words: 3.0, characters: 17.0 };
        assert_eq!(of(dates).text.mode, Some(TextMode::Char));
        assert_eq!(of(sentences(30_000)).train.max_epochs, Some(20));
    }

    #[test]
    fn a_small_corpus_is_seen_until_the_warm_up_is_over() {
        let epochs = |pairs| Config::default().resolve(sentences(pairs)).expect("valid").train.max_epochs;
        assert_eq!([3, 200, 2_000, 24_999].map(epochs), [6_000, 600, 60, 60].map(Some));
    }

    #[test]
    fn what_counts_epochs_is_refused_for_a_stream() {
        let of = |sets: &[&str]| {
            let sets: Vec<String> = sets.iter().map(ToString::to_string).collect();
            Config::from_layers(&[], &sets).expect("the keys exist").resolve_stream(sentences(30_000))
        };
        let refused = |set: &str| of(&[set]).expect_err("refused").to_string();
        for key in ["train.max_epochs", "data.sample"] {
            let said = refused(&format!("{key}=3"));
            assert!(
                said.starts_with(&format!("{key}: ")) && said.ends_with("a stream is read once; leave it out"),
                "{said}"
            );
        }
        assert!(refused("data.corpus_weights=[1.0]").starts_with("data.corpus_weights: "));
        assert!(refused("train.schedule=linear").starts_with("train.schedule: `linear`"));
        assert!(of(&["train.schedule=linear", "train.max_updates=9"]).is_ok());
        assert!(of(&["train.schedule=linear", "train.stop_after=1Mt"]).is_ok());
        assert!(refused("train.stop_after=2e").starts_with("train.stop_after: it counts passes"));
        assert!(refused("data.stream_buffer=1").starts_with("data.stream_buffer: 1 pairs are too few"));
        assert!(of(&["data.stream_buffer=100"]).is_ok());
        assert_eq!(of(&[]).expect("defaults are valid").train.max_epochs, Some(1));
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
