//! One side's tokenizer: a vocabulary with its merges, around `tokenizers`.
use std::fmt;
use std::sync::{Arc, OnceLock};

use tokenizers::{Model as _, ModelWrapper};

use super::dropout::MergeTable;
use super::escape::{META, decode_raw};
use super::foreign::Foreign;
use super::normalize::Normalizer;
use super::picture::control_picture;
use super::pipeline::{Scheme, Segmentation, pipeline};
use super::{SPECIALS, UNK};

/// Turns text into ids and back, for one side. Cheap to clone, shared by any number of threads.
#[derive(Clone)]
pub struct Tokenizer {
    inner: Arc<Inner>,
}

struct Inner {
    way: Way,
    pieces: Vec<Piece>,
}

/// How text becomes ids.
enum Way {
    Own(Box<Own>),
    Foreign(Box<Foreign>),
}

struct Own {
    model: ModelWrapper,
    scheme: Scheme,
    normalizer: Normalizer,
    merges: Vec<(String, String)>,
    /// The merges by ids, made when first needed.
    table: OnceLock<Option<MergeTable>>,
}

pub(super) struct Piece {
    /// As it stands in the vocabulary.
    pub(super) name: String,
    /// The bytes it adds to the text, escapes not yet taken back; none for a special.
    pub(super) raw: Vec<u8>,
    /// The byte it stands for, if it is the piece of a byte.
    pub(super) byte: Option<u8>,
}

impl Tokenizer {
    /// Puts a tokenizer together. `pieces` are in the order of their ids and have been checked by the caller: the specials
    /// first; no piece twice; unless pieces are words, all 256 byte pieces and `▁`. The error says what does not fit.
    pub(super) fn new(pieces: Vec<String>, segmentation: Segmentation, normalizer: Normalizer) -> Result<Self, String> {
        let merges = if let Segmentation::Bpe(merges) = &segmentation { merges.clone() } else { Vec::new() };
        let scheme = segmentation.scheme();
        let model = segmentation.model(&pieces)?;
        let pieces = (0..).zip(pieces).map(|(id, name)| Piece::new(id, name, scheme)).collect();
        let way = Way::Own(Box::new(Own { model, scheme, normalizer, merges, table: OnceLock::new() }));
        Ok(Self { inner: Arc::new(Inner { way, pieces }) })
    }

    /// A tokenizer made elsewhere, with its pieces in the order of our ids.
    pub(super) fn from_foreign(foreign: Foreign, pieces: Vec<Piece>) -> Self {
        Self { inner: Arc::new(Inner { way: Way::Foreign(Box::new(foreign)), pieces }) }
    }

    /// The ids of `text`, without bos and eos. Text is [normalised](Self::normalize) first; no text is refused. Of our own
    /// vocabularies only those of words make any text `<unk>`; one [made elsewhere](Self::from_json) may, or may lose some.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        match &self.inner.way {
            Way::Own(own) => own.encode(text),
            Way::Foreign(foreign) => foreign.encode(text),
        }
    }

    /// `text` as the vocabulary sees it: in its normalization form, in small letters if it is so configured.
    ///
    /// For our own vocabularies but those of words, `decode(encode(text))` is `normalize(text)`.
    pub fn normalize(&self, text: &str) -> String {
        match &self.inner.way {
            Way::Own(own) => own.normalizer.apply(text).into_owned(),
            Way::Foreign(foreign) => foreign.normalize(text),
        }
    }

    /// Whether pieces are whole words: white space between them is not kept, and rare words become `<unk>`.
    pub fn is_word_level(&self) -> bool {
        match &self.inner.way {
            Way::Own(own) => own.scheme == Scheme::Words,
            Way::Foreign(foreign) => foreign.is_word_level(),
        }
    }

    /// The text of `ids`; words are joined by one space. Specials (but `<unk>` among words) and ids outside the vocabulary
    /// add nothing. Bytes that form no character become U+FFFD; what [`encode`](Self::encode) gave, and what search writes,
    /// has none.
    pub fn decode(&self, ids: &[u32]) -> String {
        if let Way::Foreign(foreign) = &self.inner.way {
            return foreign.decode(ids);
        }
        let mut raw = Vec::with_capacity(4 * ids.len());
        for &id in ids {
            raw.extend_from_slice(self.raw_bytes(id));
        }
        let mut text: String = decode_raw(&raw).map(|decoded| decoded.char).collect();
        if self.is_word_level() && text.starts_with(' ') {
            text.remove(0);
        }
        text
    }

    /// How many ids there are; they are `0..vocab_size`.
    pub fn vocab_size(&self) -> usize {
        self.inner.pieces.len()
    }

    /// How many merges our own BPE holds; none otherwise.
    pub fn merge_count(&self) -> usize {
        if let Way::Own(own) = &self.inner.way { own.merges.len() } else { 0 }
    }

    /// The merges by ids; `None` if there are none.
    pub(super) fn merge_table(&self) -> Option<&MergeTable> {
        let Way::Own(own) = &self.inner.way else { return None };
        let ids = || (0..).zip(&self.inner.pieces).map(|(id, piece)| (piece.name.as_str(), id)).collect();
        let made = || if own.merges.is_empty() { None } else { MergeTable::new(&ids(), &own.merges) };
        own.table.get_or_init(made).as_ref()
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
        let shown = |c: char| control_picture(c).unwrap_or(c);
        ids.iter().map(|&id| self.piece(id).unwrap_or("\u{FFFD}").chars().map(shown).collect()).collect()
    }

    /// The `tokenizer.json` of this side, readable by Hugging Face's `tokenizers`. Equal tokenizers give equal bytes.
    /// That of one made elsewhere is what was read.
    pub fn to_json(&self) -> String {
        match &self.inner.way {
            Way::Own(own) => {
                let whole = pipeline(own.model.clone(), own.scheme, own.normalizer);
                let mut json = whole.and_then(|whole| whole.to_string(true)).expect("a tokenizer is plain data");
                json.push('\n');
                json
            }
            Way::Foreign(foreign) => foreign.json().to_owned(),
        }
    }

    /// What `id` adds to the text before escapes are taken back.
    pub(crate) fn raw_bytes(&self, id: u32) -> &[u8] {
        self.inner.pieces.get(id as usize).map_or(&[], |piece| &piece.raw)
    }
}

impl Own {
    /// The steps are those of `tokenizer.json`, taken directly: the general pipeline keeps track of where each character
    /// came from, which we do not need and which takes most of its time.
    fn encode(&self, text: &str) -> Vec<u32> {
        let text = self.normalizer.apply(text);
        let mut ids = Vec::with_capacity(text.len() / 2);
        self.scheme.for_each_word(&text, |word| {
            let tokens = self.model.tokenize(word).expect("every character has a piece or its bytes, every word an id");
            ids.extend(tokens.iter().map(|token| token.id));
        });
        ids
    }
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pieces, merges) = (self.vocab_size(), self.merge_count());
        f.debug_struct("Tokenizer").field("vocab_size", &pieces).field("merges", &merges).finish()
    }
}

impl Piece {
    fn new(id: u32, name: String, scheme: Scheme) -> Self {
        let is_special = (id as usize) < SPECIALS.len();
        if scheme == Scheme::Words {
            let raw = if is_special && id != UNK { Vec::new() } else { format!(" {name}").into_bytes() };
            return Self { name, raw, byte: None };
        }
        let byte = parse_byte(&name);
        let raw = match byte {
            _ if is_special => Vec::new(),
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
