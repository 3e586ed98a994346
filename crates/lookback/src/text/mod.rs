//! Text to ids and back.
//!
//! ```text
//! text ─normalise→ ─escape→ ─space to ▁, cut before each ▁→ words ─BPE, unigram or characters, else bytes→ ids
//! text ─normalise→ ─escape→ ─cut at white space→ words ─looked up, else <unk>→ ids                        mode `word`
//! ```
//! **Round trip.** `decode(encode(s))` is [`normalize(s)`](Tokenizer::normalize) for every string `s`, in all modes but `word`:
//!
//! - A character without a piece of its own is written as its UTF-8 bytes, `<0x00>` … `<0xFF>`; all 256 are always there.
//! - A piece writes a space as `▁` (U+2581). A `▁` in the text itself is escaped as U+0010 `_`, and U+0010 (*data link
//!   escape*, a control character that texts do not use) as U+0010 `-`; decoding takes the escape back. The escape is part
//!   of the normalizer and of the decoder in `tokenizer.json`, so other readers of that file do the same.
//! - No text becomes a special token or, unless it is needed, a byte piece: someone who types `</s>` or `<0x41>` gets
//!   ordinary pieces. The specials therefore stand in the vocabulary but not among the file's added tokens, which would be
//!   searched for in the text; the file's decoder drops them. Unigram and word vocabularies look for whole pieces in the text, so there
//!   the names are escaped as well: `</s>` is `<` U+0010 `/s>`.
//!
//! **Words.** A word is what stands between white space; the text should be tokenised already. Words outside the vocabulary, and
//! `<unk>` itself, become `<unk>`; the decoder reads it, but search never writes it. Decoding joins words with one space.
//!
//! Normalisation is applied by [`Tokenizer::encode`] (crate `unicode-normalization`) and stands in `tokenizer.json` as well. The two
//! can differ only in characters younger than the other reader's Unicode tables.
mod dropout;
mod error;
mod escape;
mod foreign;
mod json;
mod normalize;
mod pair;
mod picture;
mod pipeline;
mod tokenizer;
#[cfg(feature = "train")]
mod train;
mod utf8;
mod words;

pub(crate) use picture::control_picture;

pub use error::TextError;
pub use normalize::Normalization;
#[cfg(feature = "train")]
pub use pair::TokenizerTrainer;
pub use pair::{Sharing, TextMode, TokenizerSpec, Tokenizers};
pub use tokenizer::Tokenizer;
pub use utf8::Utf8State;
pub use words::WordSpan;

/// Padding: fills the positions of a batch that hold no token.
pub const PAD: u32 = 0;
/// Unknown: what a word vocabulary does not hold. Other modes never produce it; readers of `tokenizer.json` expect one.
pub const UNK: u32 = 1;
/// Begin of sentence: the decoder's first input.
pub const BOS: u32 = 2;
/// End of sentence.
pub const EOS: u32 = 3;
/// The names of the specials; the index is the id.
pub const SPECIALS: [&str; 4] = ["<pad>", "<unk>", "<s>", "</s>"];

#[cfg(all(test, feature = "train"))]
mod tests;
