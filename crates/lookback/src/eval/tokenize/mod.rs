//! How BLEU cuts lines into tokens: sacreBLEU's tokenisers that need no dictionary.

mod intl;
mod western;
mod zh;

use std::borrow::Cow;
use std::str::FromStr;

use super::EvalError;
use super::text::{trim_end, words};

pub use western::tokenize_13a;
pub(super) use western::{is_symbol, space_points};

/// A way to cut a line into tokens, under sacreBLEU's name for it.
///
/// # Examples
/// ```
/// use lookback::eval::Tokenizer;
///
/// let tokenizer: Tokenizer = "char".parse()?;
/// assert_eq!(tokenizer.tokens("né 5"), ["n", "é", "5"]);
/// assert!("ja-mecab".parse::<Tokenizer>().unwrap_err().to_string().contains("dictionary"));
/// # Ok::<(), lookback::eval::EvalError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tokenizer {
    /// Splits off ASCII punctuation: [`tokenize_13a`].
    #[default]
    Western,
    /// Splits off punctuation and symbols of all scripts.
    Intl,
    /// Chinese characters are tokens, the rest as [`Tokenizer::Western`].
    Zh,
    /// Every character is a token.
    Char,
    /// Tokens are what stands between spaces.
    None,
}

impl Tokenizer {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Western, Self::Intl, Self::Zh, Self::Char, Self::None];

    /// sacreBLEU's name, as it stands in signatures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Western => "13a",
            Self::Intl => "intl",
            Self::Zh => "zh",
            Self::Char => "char",
            Self::None => "none",
        }
    }

    /// The tokens of a line. White space at its end never matters.
    #[must_use]
    pub fn tokens(self, line: &str) -> Vec<String> {
        words(&self.space(line)).map(ToOwned::to_owned).collect()
    }

    /// The line with white space between its tokens.
    pub(super) fn space(self, line: &str) -> Cow<'_, str> {
        let line = trim_end(line);
        match self {
            Self::Western => western::space_13a(line).into(),
            Self::Intl => intl::space_intl(line).into(),
            Self::Zh => zh::space_zh(line).into(),
            Self::Char => line.chars().flat_map(|c| [c, ' ']).collect::<String>().into(),
            Self::None => line.into(),
        }
    }
}

impl FromStr for Tokenizer {
    type Err = EvalError;

    fn from_str(name: &str) -> Result<Self, EvalError> {
        if let Some(known) = Self::ALL.into_iter().find(|known| known.name() == name) {
            return Ok(known);
        }
        let reason = match name {
            "ja-mecab" | "ko-mecab" => {
                "it needs MeCab and a dictionary of words; use `char`, or cut the lines yourself and use `none`"
            }
            "spm" | "flores101" | "flores200" | "spBLEU-1K" => {
                "it needs a SentencePiece model that is downloaded; cut the lines yourself and use `none`"
            }
            _ => return Err(EvalError::UnknownTokenizer { name: name.to_owned() }),
        };
        Err(EvalError::UnsupportedTokenizer { name: name.to_owned(), reason })
    }
}
