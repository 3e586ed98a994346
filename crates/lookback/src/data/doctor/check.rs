//! What is looked for: its name, how much it matters, and what `fix` does about it.
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Training refuses the corpus.
    Error,
    /// Training takes it; a model or a score suffers from it.
    Warning,
    /// Worth knowing.
    Note,
}

/// What [`fix`](super::fix) does about a finding unless it is told otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The pair is removed.
    Remove,
    /// The text is changed.
    Change,
    /// Nothing: only a person can tell.
    Leave,
}

/// Something a corpus is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[allow(missing_docs, reason = "each is explained by its line in `facts`")]
pub enum Check {
    Unreadable,
    LineCount,
    Utf8,
    Nul,
    TooLong,
    Columns,
    OneSided,
    Blank,
    Drift,
    Duplicate,
    NearDuplicate,
    LeakedPair,
    LeakedSource,
    LeakedTarget,
    NearLeak,
    Copied,
    Swapped,
    Script,
    LengthRatio,
    Long,
    Separator,
    Control,
    Invisible,
    Bidi,
    Replacement,
    ManyTargets,
    Normalisation,
    Quotes,
    ByteOrderMark,
    CarriageReturn,
}

use Check as C;
use Remedy::{Change, Leave, Remove};
use Severity::{Error, Note, Warning};

impl Check {
    /// All of them, the worst first.
    pub const ALL: [Self; 30] = [
        C::Unreadable,
        C::LineCount,
        C::Utf8,
        C::Nul,
        C::TooLong,
        C::Columns,
        C::OneSided,
        C::Blank,
        C::Drift,
        C::Duplicate,
        C::NearDuplicate,
        C::LeakedPair,
        C::LeakedSource,
        C::LeakedTarget,
        C::NearLeak,
        C::Copied,
        C::Swapped,
        C::Script,
        C::LengthRatio,
        C::Long,
        C::Separator,
        C::Control,
        C::Invisible,
        C::Bidi,
        C::Replacement,
        C::ManyTargets,
        C::Normalisation,
        C::Quotes,
        C::ByteOrderMark,
        C::CarriageReturn,
    ];

    /// What a later part has of an earlier one.
    pub(super) const LEAKS: [Self; 4] = [C::LeakedPair, C::LeakedSource, C::LeakedTarget, C::NearLeak];

    /// Name, severity, remedy, and what a count of it counts.
    fn facts(self) -> (&'static str, Severity, Remedy, &'static str) {
        match self {
            C::Unreadable => ("unreadable", Error, Leave, "files that cannot be read, or not to their end"),
            C::LineCount => ("line-count", Error, Leave, "parallel files with unequal numbers of lines"),
            C::Utf8 => ("utf8", Error, Remove, "lines that are not UTF-8"),
            C::Nul => ("nul", Error, Remove, "lines with a NUL character"),
            C::TooLong => ("too-long", Error, Remove, "lines of more than 1,000,000 bytes"),
            C::Columns => ("columns", Error, Remove, "lines with a wrong number of columns"),
            C::OneSided => ("one-sided", Error, Remove, "pairs with one side empty"),
            C::Blank => ("blank", Error, Remove, "blank lines"),
            C::Drift => ("drift", Warning, Leave, "corpora whose sides drift apart"),
            C::Duplicate => ("duplicate", Warning, Remove, "pairs that were there before"),
            C::NearDuplicate => (
                "near-duplicate",
                Warning,
                Leave,
                "pairs that differ from an earlier one in case, punctuation or spaces only",
            ),
            C::LeakedPair => ("leaked-pair", Warning, Remove, "validation or test pairs that are trained on, too"),
            C::LeakedSource => {
                ("leaked-source", Warning, Remove, "validation or test sources that are trained on, too")
            }
            C::LeakedTarget => {
                ("leaked-target", Warning, Remove, "validation or test targets that are trained on, too")
            }
            C::NearLeak => (
                "near-leak",
                Warning,
                Leave,
                "validation or test pairs that are trained on but for case, punctuation or spaces",
            ),
            C::Copied => (
                "copied",
                Warning,
                Leave,
                "pairs whose target is the source again, but for case, punctuation or spaces",
            ),
            C::Swapped => ("swapped", Warning, Leave, "pairs whose sides are swapped, by their scripts"),
            C::Script => ("script", Warning, Leave, "pairs in other scripts than the rest"),
            C::LengthRatio => ("length-ratio", Warning, Leave, "pairs whose sides have unusual lengths"),
            C::Long => ("long", Warning, Leave, "pairs with a side of more than 1,000 characters"),
            C::Separator => ("separator", Warning, Change, "texts with a separator other programs end a line at"),
            C::Control => ("control", Warning, Change, "texts with control characters"),
            C::Invisible => ("invisible", Warning, Change, "texts with characters nobody sees"),
            C::Bidi => ("bidi", Warning, Change, "texts with marks that change the direction of writing"),
            C::Replacement => ("replacement", Warning, Leave, "texts with U+FFFD, left by a wrong decoding"),
            C::ManyTargets => ("many-targets", Note, Leave, "sources with several targets"),
            C::Normalisation => ("normalisation", Note, Change, "texts that are not in NFC"),
            C::Quotes => ("quotes", Note, Leave, "texts with unbalanced quotation marks"),
            C::ByteOrderMark => ("byte-order-mark", Note, Change, "files that begin with a byte order mark"),
            C::CarriageReturn => ("carriage-return", Note, Leave, "files with \\r\\n line ends"),
        }
    }

    /// The name to type.
    pub fn name(self) -> &'static str {
        self.facts().0
    }

    /// How much it matters.
    pub fn severity(self) -> Severity {
        self.facts().1
    }

    /// What `fix` does about it.
    pub fn remedy(self) -> Remedy {
        self.facts().2
    }

    /// What a count of it counts, in the plural.
    pub fn about(self) -> &'static str {
        self.facts().3
    }

    /// Whether it is found in single pairs, which can be removed for it.
    pub fn is_of_pairs(self) -> bool {
        !matches!(self, C::Unreadable | C::LineCount | C::Drift | C::ManyTargets | C::ByteOrderMark | C::CarriageReturn)
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for Check {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|check| check.name() == name);
        found.ok_or_else(|| format!("`{name}` is not looked for; there are: {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// A set of checks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checks(u32);

impl Checks {
    /// The checks with this remedy.
    pub fn with_remedy(remedy: Remedy) -> Self {
        Check::ALL.into_iter().filter(|check| check.remedy() == remedy).collect()
    }

    /// Adds one.
    pub fn insert(&mut self, check: Check) {
        self.0 |= 1 << check as u8;
    }

    /// Takes one away.
    pub fn remove(&mut self, check: Check) {
        self.0 &= !(1 << check as u8);
    }

    /// Whether one is among them.
    pub fn contains(self, check: Check) -> bool {
        self.0 & 1 << check as u8 != 0
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// One after the other, the worst first.
    pub fn iter(self) -> impl Iterator<Item = Check> {
        Check::ALL.into_iter().filter(move |&check| self.contains(check))
    }
}

impl FromIterator<Check> for Checks {
    fn from_iter<I: IntoIterator<Item = Check>>(checks: I) -> Self {
        let mut set = Self::default();
        checks.into_iter().for_each(|check| set.insert(check));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_typed_as_they_are_printed_and_stand_in_their_order() {
        for (place, check) in Check::ALL.into_iter().enumerate() {
            assert_eq!((check as usize, check.name().parse()), (place, Ok(check)));
        }
        assert!(Check::ALL.windows(2).all(|two| two[0].severity() <= two[1].severity()));
        assert!("typo".parse::<Check>().unwrap_err().contains("leaked-pair"));
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set: Checks = [C::Quotes, C::Utf8].into_iter().collect();
        assert!(set.contains(C::Utf8) && !set.contains(C::Nul));
        set.remove(C::Utf8);
        assert_eq!(set.iter().collect::<Vec<_>>(), [C::Quotes]);
        assert!(set.and(Checks::default()).is_empty() && Checks::with_remedy(Remove).contains(C::Duplicate));
    }
}
