//! Characters that should not be where they are. Some of those nobody sees carry meaning in some scripts, and are kept there.
use unicode_script::{Script, UnicodeScript as _};

use super::check::Check;

/// What characters nobody sees do in a text, for letters of the scripts that need it.
#[derive(Clone, Copy, Debug)]
enum Use {
    /// Words end without a space.
    Break,
    /// Letters change their form beside others, or stack.
    Join,
    /// Writing from right to left.
    Direct,
    /// Points in an order of their own.
    Point,
    /// The last vowel of a word stands apart.
    Part,
    /// A cell without a dot among cells.
    Cell,
}

impl Use {
    const ALL: usize = 6;

    /// What a character is for, if it is for anything.
    fn of(c: char) -> Option<Self> {
        match c {
            '\u{200b}' => Some(Self::Break),
            '\u{200c}' | '\u{200d}' => Some(Self::Join),
            '\u{61c}' | '\u{200e}' | '\u{200f}' => Some(Self::Direct),
            '\u{34f}' => Some(Self::Point),
            '\u{180e}' => Some(Self::Part),
            '\u{2800}' => Some(Self::Cell),
            _ => None,
        }
    }

    /// Whether a character is of a script that needs it.
    fn is_needed_by(self, c: char) -> bool {
        use Script as S;
        if c.is_ascii() {
            return false;
        }
        let script = c.script();
        match self {
            Self::Break => matches!(script, S::Khmer | S::Thai | S::Lao | S::Myanmar | S::Tai_Tham | S::Tibetan),
            Self::Join => {
                let is_plain = matches!(
                    script,
                    S::Latin
                        | S::Greek
                        | S::Cyrillic
                        | S::Han
                        | S::Hiragana
                        | S::Katakana
                        | S::Bopomofo
                        | S::Hangul
                        | S::Hebrew
                        | S::Armenian
                        | S::Georgian
                );
                c.is_alphabetic() && !is_plain && !matches!(script, S::Common | S::Inherited | S::Unknown)
            }
            Self::Direct => matches!(script, S::Hebrew | S::Arabic | S::Syriac | S::Thaana | S::Nko),
            Self::Point => script == S::Hebrew,
            Self::Part => script == S::Mongolian && c != '\u{180e}',
            Self::Cell => script == S::Braille && c != '\u{2800}',
        }
    }
}

/// Judges the characters of a text.
pub(super) struct Suspects<'a> {
    text: &'a str,
    /// What is known of the text's letters: whether they need a [`Use`].
    needs: [Option<bool>; Use::ALL],
}

impl<'a> Suspects<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        Self { text, needs: [None; Use::ALL] }
    }

    fn needs(&mut self, what: Use) -> bool {
        *self.needs[what as usize].get_or_insert_with(|| self.text.chars().any(|c| what.is_needed_by(c)))
    }

    /// What the character `c` at byte `at` is that should not be there; `before` is the one that stays before it.
    pub(super) fn check(&mut self, at: usize, c: char, before: Option<char>) -> Option<Check> {
        let found = suspect(c)?;
        let is_meant = match c {
            // Joiners belong into emoji, too, not behind a letter of ASCII.
            '\u{200c}' | '\u{200d}' if before.is_some_and(|before| !before.is_ascii()) => true,
            // Fillers stand for a consonant or a vowel of a syllable.
            '\u{115f}' => {
                let after = self.text[at + c.len_utf8()..].chars().next();
                matches!(after, Some('\u{1160}'..='\u{11a7}' | '\u{d7b0}'..='\u{d7c6}'))
            }
            '\u{1160}' => matches!(before, Some('\u{1100}'..='\u{115f}' | '\u{a960}'..='\u{a97c}')),
            // Tags make a flag of England out of a black one.
            '\u{e0020}'..='\u{e007f}' => matches!(before, Some('\u{1f3f4}' | '\u{e0020}'..='\u{e007e}')),
            _ => Use::of(c).is_some_and(|what| self.needs(what)),
        };
        (!is_meant).then_some(found)
    }
}

/// What a character is that should not be there unless it is meant.
fn suspect(c: char) -> Option<Check> {
    match c {
        '\u{0b}' | '\u{0c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{1c}'..='\u{1e}' => Some(Check::Separator),
        '\t' | '\n' => None,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => Some(Check::Control),
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' => Some(Check::Invisible),
        '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' => Some(Check::Invisible),
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => Some(Check::Invisible),
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some(Check::Bidi),
        '\u{fffd}' => Some(Check::Replacement),
        // What Unicode says is no character.
        '\u{fdd0}'..='\u{fdef}' => Some(Check::Invisible),
        _ if is_blank(c) || u32::from(c) & 0xFFFE == 0xFFFE => Some(Check::Invisible),
        _ => None,
    }
}

/// Whether a character nobody sees takes as much room as a letter, so that words are apart.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, '\u{2800}' | '\u{3164}' | '\u{ffa0}')
}
