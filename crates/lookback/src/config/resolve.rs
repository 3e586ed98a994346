//! What a recipe leaves open is chosen from the data.

use super::check::invalid;
use super::{Config, ConfigError, DataConfig, Period, ScheduledSampling, Sharing, TextMode, TiedEmbeddings};

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

    /// Fails if no corpus could make this configuration whole, to be told before one is read.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), or [`resolve_stream`](Self::resolve_stream) for a stream.
    pub fn check_for_any_corpus(&self, is_stream: bool) -> Result<(), ConfigError> {
        // Every choice is made for one of these.
        let sizes = [1_000, 20_000, 100_000, 1_000_000].into_iter().flat_map(|pairs| {
            [(1.0, 8.0), (20.0, 100.0)].map(|(words, characters)| CorpusSize { pairs, words, characters })
        });
        let of = |size| {
            let config = self.clone();
            if is_stream { config.resolve_stream(size) } else { config.resolve(size) }
        };
        let mut first = None;
        for size in sizes {
            match of(size) {
                Ok(_) => return Ok(()),
                Err(error) => _ = first.get_or_insert(error),
            }
        }
        first.map_or(Ok(()), Err)
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
}

/// Passes over the data if no limit is given: a small corpus is seen so often that the rate gets through its warm-up; patience ends it sooner.
fn default_epochs(pairs: usize) -> u64 {
    match pairs {
        25_000.. => 20,
        _ => (120_000 / pairs.max(1) as u64).clamp(60, 6_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(pairs: usize) -> CorpusSize {
        CorpusSize { pairs, words: 9.0, characters: 50.0 }
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
}
