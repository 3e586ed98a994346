//! One side's tokenizer: a vocabulary with its merges, around `tokenizers`.
use std::fmt;
use std::sync::Arc;

use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as DecoderSequence;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizers::replace::{Replace, ReplacePattern};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::normalizers::{NormalizerWrapper, Sequence as NormalizerSequence};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{Model as _, PostProcessorWrapper, TokenizerBuilder, TokenizerImpl};

use super::escape::{ESCAPE, ESCAPED_ESCAPE, ESCAPED_META, META, decode_raw, split_words, to_pieces};
use super::{SPECIALS, UNK};

/// The parts of `tokenizers` as we put them together.
pub(super) type Pipeline = TokenizerImpl<BPE, NormalizerSequence, Metaspace, PostProcessorWrapper, DecoderSequence>;

/// Turns text into ids and back, for one side. Cheap to clone, shared by any number of threads.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    pipeline: Pipeline,
    pieces: Vec<Piece>,
    merges: usize,
}

struct Piece {
    /// As it stands in the vocabulary.
    name: String,
    /// The bytes it adds to the text, escapes not yet taken back; none for a special.
    raw: Vec<u8>,
    byte: Option<u8>,
}

impl Tokenizer {
    /// Puts a tokenizer together. `pieces` are in the order of their ids and have been checked by the caller: the specials
    /// first, all 256 byte pieces, `▁`, no piece twice. The error says which merge does not fit the pieces.
    pub(super) fn new(pieces: Vec<String>, merges: Vec<(String, String)>) -> Result<Self, String> {
        let merge_count = merges.len();
        let vocab =
            (0..).zip(&pieces).map(|(id, piece)| (piece.clone(), id)).collect::<tokenizers::models::bpe::Vocab>();
        let model = BPE::builder()
            .vocab_and_merges(vocab, merges)
            .unk_token(SPECIALS[UNK as usize].to_owned())
            .byte_fallback(true)
            .build()
            .map_err(|error| error.to_string())?;
        let pipeline = pipeline(model).map_err(|error| error.to_string())?;
        let pieces = pieces.into_iter().enumerate().map(|(id, name)| Piece::new(id, name)).collect();
        Ok(Self { inner: Arc::new(Inner { pipeline, pieces, merges: merge_count }) })
    }

    /// The ids of `text`, without bos and eos. Text is brought to NFC first; no text is refused and none becomes `<unk>`.
    ///
    /// The steps are those of `tokenizer.json`, taken directly: the general pipeline keeps track of where each character
    /// came from, which we do not need and which takes most of its time.
    ///
    /// # Panics
    /// Never: every character has a piece or its bytes.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let model = self.inner.pipeline.get_model();
        let text = to_pieces(text);
        let mut ids = Vec::with_capacity(text.len() / 2);
        for word in split_words(&text) {
            let tokens = model.tokenize(word).expect("every character has a piece or its bytes");
            ids.extend(tokens.iter().map(|token| token.id));
        }
        ids
    }

    /// The text of `ids`. Specials and ids outside the vocabulary add nothing. Bytes that form no character become U+FFFD;
    /// what [`encode`](Self::encode) gave, and what search writes, has none.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut raw = Vec::with_capacity(4 * ids.len());
        for &id in ids {
            raw.extend_from_slice(self.raw_bytes(id));
        }
        decode_raw(&raw).map(|decoded| decoded.char).collect()
    }

    /// How many ids there are; they are `0..vocab_size`.
    pub fn vocab_size(&self) -> usize {
        self.inner.pieces.len()
    }

    /// How many merges the BPE holds; none in character mode.
    pub fn merge_count(&self) -> usize {
        self.inner.merges
    }

    /// The piece of `id` as it stands in the vocabulary (`▁Haus`, `<0xE4>`, `</s>`); `None` outside the vocabulary.
    pub fn piece(&self, id: u32) -> Option<&str> {
        self.inner.pieces.get(id as usize).map(|piece| piece.name.as_str())
    }

    /// The byte a byte piece stands for; `None` for every other id. Drives [`Utf8State`](super::Utf8State).
    pub fn byte_value(&self, id: u32) -> Option<u8> {
        self.inner.pieces.get(id as usize).and_then(|piece| piece.byte)
    }

    /// One label per id for tables and pictures: the piece as it stands in the vocabulary, with control characters as
    /// their pictures (`␊`); `\u{FFFD}` outside the vocabulary.
    pub fn display_pieces(&self, ids: &[u32]) -> Vec<String> {
        let picture = |c: char| match c {
            '\0'..='\x1F' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(c),
            '\x7F' => '\u{2421}',
            c => c,
        };
        ids.iter().map(|&id| self.piece(id).unwrap_or("\u{FFFD}").chars().map(picture).collect()).collect()
    }

    /// The `tokenizer.json` of this side, readable by Hugging Face's `tokenizers`. Equal tokenizers give equal bytes.
    pub fn to_json(&self) -> String {
        let mut json = self.inner.pipeline.to_string(true).expect("a tokenizer is plain data");
        json.push('\n');
        json
    }

    /// What `id` adds to the text before escapes are taken back.
    pub(crate) fn raw_bytes(&self, id: u32) -> &[u8] {
        self.inner.pieces.get(id as usize).map_or(&[], |piece| &piece.raw)
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        f.debug_struct("Tokenizer").field("vocab_size", &inner.pieces.len()).field("merges", &inner.merges).finish()
    }
}

impl Piece {
    fn new(id: usize, name: String) -> Self {
        let byte = parse_byte(&name);
        let raw = match byte {
            _ if id < SPECIALS.len() => Vec::new(),
            Some(byte) => vec![byte],
            None => name.replace(META, " ").into_bytes(),
        };
        Self { name, raw, byte }
    }
}

/// The name of a byte piece.
pub(super) fn byte_piece(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}

/// The byte of a byte piece's name.
pub(super) fn parse_byte(name: &str) -> Option<u8> {
    let digits = name.strip_prefix("<0x")?.strip_suffix('>')?;
    let byte = u8::from_str_radix(digits, 16).ok()?;
    (byte_piece(byte) == name).then_some(byte)
}

/// Whether a piece is a special or a byte piece, which no merge may spell.
pub(super) fn is_reserved(name: &str) -> bool {
    SPECIALS.contains(&name) || parse_byte(name).is_some()
}

/// Everything around the model. Whoever reads the file does what [`Tokenizer::encode`] and [`Tokenizer::decode`] do.
fn pipeline(model: BPE) -> tokenizers::Result<Pipeline> {
    let normalizer = NormalizerSequence::new(vec![
        NormalizerWrapper::NFC(NFC),
        NormalizerWrapper::Replace(Replace::new(ESCAPE.to_string(), ESCAPED_ESCAPE)?),
        NormalizerWrapper::Replace(Replace::new(META.to_string(), ESCAPED_META)?),
    ]);
    let specials = ReplacePattern::Regex(format!(r"\A(?:{})\z", SPECIALS.join("|")));
    let decoder = DecoderSequence::new(vec![
        DecoderWrapper::Replace(Replace::new(specials, "")?),
        // Before the bytes, so that a ▁ spelt in bytes stays one.
        DecoderWrapper::Replace(Replace::new(META.to_string(), " ")?),
        DecoderWrapper::ByteFallback(ByteFallback::new()),
        DecoderWrapper::Fuse(Fuse::new()),
        DecoderWrapper::Replace(Replace::new(ESCAPED_META, META.to_string())?),
        DecoderWrapper::Replace(Replace::new(ESCAPED_ESCAPE, ESCAPE.to_string())?),
    ]);
    TokenizerBuilder::new()
        .with_model(model)
        .with_normalizer(Some(normalizer))
        .with_pre_tokenizer(Some(Metaspace::new(META, PrependScheme::Never, true)))
        .with_post_processor(None)
        .with_decoder(Some(decoder))
        .build()
}
