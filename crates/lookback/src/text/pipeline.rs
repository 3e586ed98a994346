//! The parts of `tokenizers` as we put them together: everything around the model. Whoever reads the file does what
//! [`Tokenizer::encode`](super::Tokenizer::encode) and [`Tokenizer::decode`](super::Tokenizer::decode) do.
use serde_json::{Map, Value};
use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as DecoderSequence;
use tokenizers::decoders::wordpiece::WordPiece;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::models::wordlevel::WordLevel;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::{NormalizerWrapper, Sequence as NormalizerSequence};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::pre_tokenizers::whitespace::WhitespaceSplit;

use super::escape::{
    ESCAPE, ESCAPED_ESCAPE, ESCAPED_META, GUARDED, META, guard, guard_pattern, guarded_words, split_words, to_pieces,
    to_words,
};
use super::normalize::Normalizer;
use super::{SPECIALS, UNK};

/// How words become pieces, with what it needs beside the pieces.
#[derive(Clone, Debug)]
pub(super) enum Segmentation {
    /// Characters are merged in this order; without merges they stay.
    Bpe(Vec<(String, String)>),
    /// The most probable pieces; a log-probability for each piece.
    Unigram(Vec<f64>),
    /// A word is a piece, or unknown.
    Word,
}

/// How text is cut before the model sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Before every space, which is part of the word; the model starts from characters.
    Merged,
    /// The same, for a model that looks for whole pieces: names of specials and bytes are guarded.
    Searched,
    /// At white space, which is lost.
    Words,
}

impl Segmentation {
    /// What has a scheme, without merges and scores.
    fn bare(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Merged => Self::Bpe(Vec::new()),
            Scheme::Searched => Self::Unigram(vec![0.0; SPECIALS.len()]),
            Scheme::Words => Self::Word,
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        match self {
            Self::Bpe(_) => Scheme::Merged,
            Self::Unigram(_) => Scheme::Searched,
            Self::Word => Scheme::Words,
        }
    }

    /// The model with these pieces, in the order of their ids.
    pub(super) fn model(self, pieces: &[String]) -> Result<ModelWrapper, String> {
        let ids = (0..).zip(pieces).map(|(id, piece)| (piece.clone(), id));
        let unk = SPECIALS[UNK as usize].to_owned();
        let built = match self {
            Self::Bpe(merges) => {
                let builder = BPE::builder().vocab_and_merges(ids.collect::<tokenizers::models::bpe::Vocab>(), merges);
                builder.unk_token(unk).byte_fallback(true).build().map(ModelWrapper::BPE)
            }
            Self::Unigram(scores) => {
                let vocab = pieces.iter().cloned().zip(scores).collect();
                Unigram::from(vocab, Some(UNK as usize), true).map(ModelWrapper::Unigram)
            }
            Self::Word => WordLevel::builder().vocab(ids.collect()).unk_token(unk).build().map(ModelWrapper::WordLevel),
        };
        built.map_err(|error| error.to_string())
    }
}

impl Scheme {
    /// Calls `word` with what the model is given of normalised `text`, in order.
    pub(super) fn for_each_word(self, text: &str, word: impl FnMut(&str)) {
        match self {
            Self::Merged => split_words(&to_pieces(text)).for_each(word),
            Self::Searched => split_words(&guard(&to_pieces(text), &GUARDED)).for_each(word),
            Self::Words => to_words(text).split_whitespace().for_each(word),
        }
    }

    fn guarded(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Merged => &[],
            Self::Searched => &GUARDED,
            Self::Words => guarded_words(),
        }
    }
}

/// The whole of a `tokenizer.json`.
pub(super) fn pipeline(
    model: ModelWrapper,
    scheme: Scheme,
    normalizer: Normalizer,
) -> tokenizers::Result<tokenizers::Tokenizer> {
    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer
        .with_normalizer(Some(normalizing(scheme, normalizer)?))
        .with_pre_tokenizer(Some(match scheme {
            Scheme::Words => PreTokenizerWrapper::from(WhitespaceSplit),
            _ => PreTokenizerWrapper::from(Metaspace::new(META, PrependScheme::Never, true)),
        }))
        .with_decoder(Some(DecoderSequence::new(match scheme {
            Scheme::Words => joining_words()?,
            _ => joining_pieces(scheme)?,
        })));
    Ok(tokenizer)
}

/// A `tokenizer.json` that has the specials alone: what stands around pieces, merges and scores is the same in all.
pub(super) fn settings(scheme: Scheme, normalizer: Normalizer) -> Result<Map<String, Value>, String> {
    let model = Segmentation::bare(scheme).model(&SPECIALS.map(str::to_owned))?;
    let written = pipeline(model, scheme, normalizer).and_then(|whole| whole.to_string(false));
    serde_json::from_str(&written.map_err(|error| error.to_string())?).map_err(|error| error.to_string())
}

/// Which normaliser a file names under `normalizer`, if it is one of ours.
pub(super) fn normalizer_of(scheme: Scheme, json: &Value) -> Option<Normalizer> {
    Normalizer::all().find(|&normalizer| {
        let ours = normalizing(scheme, normalizer).ok().and_then(|ours| serde_json::to_value(ours).ok());
        ours.as_ref() == Some(json)
    })
}

fn normalizing(scheme: Scheme, normalizer: Normalizer) -> tokenizers::Result<NormalizerSequence> {
    let mut steps = normalizer.steps();
    let mut replace = |from: &str, to: &str| {
        steps.push(NormalizerWrapper::Replace(Replace::new(from, to)?));
        tokenizers::Result::Ok(())
    };
    replace(&ESCAPE.to_string(), ESCAPED_ESCAPE)?;
    if scheme != Scheme::Words {
        replace(&META.to_string(), ESCAPED_META)?;
    }
    for (name, guarded) in scheme.guarded() {
        replace(name, guarded)?;
    }
    Ok(NormalizerSequence::new(steps))
}

fn replace(pattern: impl Into<ReplacePattern>, content: &str) -> tokenizers::Result<DecoderWrapper> {
    Ok(DecoderWrapper::Replace(Replace::new(pattern, content)?))
}

fn regex(pattern: &str) -> ReplacePattern {
    ReplacePattern::Regex(pattern.to_owned())
}

fn joining_pieces(scheme: Scheme) -> tokenizers::Result<Vec<DecoderWrapper>> {
    let mut steps = vec![
        replace(regex(&format!(r"\A(?:{})\z", SPECIALS.join("|"))), "")?,
        // Before the bytes, so that a ▁ spelt in bytes stays one.
        replace(META.to_string(), " ")?,
        DecoderWrapper::ByteFallback(ByteFallback::new()),
        DecoderWrapper::Fuse(Fuse::new()),
        replace(ESCAPED_META, &META.to_string())?,
    ];
    if scheme == Scheme::Searched {
        steps.push(replace(regex(&guard_pattern()), "")?);
    }
    steps.push(replace(ESCAPED_ESCAPE, &ESCAPE.to_string())?);
    Ok(steps)
}

/// Joins words with spaces. A special but `<unk>` becomes a mark that no text holds and that the joining drops with its space.
fn joining_words() -> tokenizers::Result<Vec<DecoderWrapper>> {
    let mark = format!("{ESCAPE}{ESCAPE}");
    let dropped: Vec<&str> = SPECIALS.into_iter().filter(|name| *name != SPECIALS[UNK as usize]).collect();
    Ok(vec![
        replace(regex(&format!(r"\A(?:{})\z", dropped.join("|"))), &mark)?,
        DecoderWrapper::WordPiece(WordPiece::new(mark.clone(), false)),
        DecoderWrapper::Fuse(Fuse::new()),
        replace(regex(&format!(r"\A{mark} ?")), "")?,
        replace(regex(&guard_pattern()), "")?,
        replace(ESCAPED_ESCAPE, &ESCAPE.to_string())?,
    ])
}
