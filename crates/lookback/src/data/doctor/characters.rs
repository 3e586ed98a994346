//! What single characters give away, and how a text is cleaned of them.
use std::borrow::Cow;

use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

use super::check::{Check, Checks};
use super::examine::excerpt;
use super::suspects::{Suspects, is_blank};

/// More characters than this are worth a warning.
pub(super) const LONG: usize = 1000;

/// Everything that can be told from the characters of a text.
pub(super) fn marks(text: &str) -> Checks {
    let mut found = Checks::default();
    let mut quotes = Quotes::default();
    let mut suspects = Suspects::of(text);
    let mut before = None;
    for (at, c) in text.char_indices() {
        if !(' '..='~').contains(&c)
            && let Some(check) = suspects.check(at, c, before)
        {
            found.insert(check);
        }
        quotes.see(c);
        before = Some(c);
    }
    if !is_nfc(text) {
        found.insert(Check::Normalisation);
    }
    if !quotes.is_balanced() {
        found.insert(Check::Quotes);
    }
    // No text has more characters than bytes.
    if text.len() > LONG && text.chars().count() > LONG {
        found.insert(Check::Long);
    }
    found
}

/// The first character that makes a text suspect, with its place from 1.
pub(super) fn first_of(text: &str, check: Check) -> String {
    let mut suspects = Suspects::of(text);
    let mut before = None;
    for (place, (at, c)) in (1..).zip(text.char_indices()) {
        if suspects.check(at, c, before) == Some(check) {
            return format!("U+{:04X}, character {place}", u32::from(c));
        }
        before = Some(c);
    }
    String::new()
}

/// The first place, from 1, where a text is not in NFC, and what stands there.
pub(super) fn first_decomposed(text: &str) -> String {
    let place = text.chars().zip(text.nfc()).take_while(|(found, composed)| found == composed).count();
    let there: String = text.chars().skip(place).collect();
    format!("character {}: {}", place + 1, excerpt(&there))
}

fn is_nfc(text: &str) -> bool {
    if text.is_ascii() {
        return true;
    }
    match is_nfc_quick(text.chars()) {
        IsNormalized::Yes => true,
        IsNormalized::No => false,
        IsNormalized::Maybe => text.chars().eq(text.nfc()),
    }
}

/// Quotation marks met so far. „German“ and “English” share a mark, so curved ones are only counted together.
#[derive(Default)]
struct Quotes {
    straight: u32,
    curved: u32,
    guillemets: i32,
    corners: i32,
}

impl Quotes {
    fn see(&mut self, c: char) {
        match c {
            '"' => self.straight += 1,
            '„' | '“' | '”' => self.curved += 1,
            '«' => self.guillemets += 1,
            '»' => self.guillemets -= 1,
            '「' | '『' => self.corners += 1,
            '」' | '』' => self.corners -= 1,
            _ => {}
        }
    }

    fn is_balanced(&self) -> bool {
        self.straight.is_multiple_of(2) && self.curved.is_multiple_of(2) && self.guillemets == 0 && self.corners == 0
    }
}

/// `text` without what is in `changes`, and what of it was there: separators and blanks become a space, what else is invisible goes, the rest is
/// composed.
pub(super) fn clean(text: &str, changes: Checks) -> (Cow<'_, str>, Checks) {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte) || byte == b'\t') {
        return (Cow::Borrowed(text), Checks::default());
    }
    let (mut out, mut done) = (Cow::Borrowed(text), Checks::default());
    // Composing can make a character ASCII and the joiner behind it a suspect, so what was changed is looked at again.
    loop {
        let mut round = Checks::default();
        if let Some((without, what)) = without(&out, changes) {
            (out, round) = (Cow::Owned(without), what);
        }
        if changes.contains(Check::Normalisation) && !is_nfc(&out) {
            round.insert(Check::Normalisation);
            out = Cow::Owned(out.nfc().collect());
        }
        if round.is_empty() {
            return (out, done);
        }
        done = done.or(round);
    }
}

/// `text` without what is in `changes`, and what of it was there, if anything was. A character is judged by the last one that stays before it.
fn without(text: &str, changes: Checks) -> Option<(String, Checks)> {
    let (mut out, mut done) = (String::new(), Checks::default());
    let mut suspects = Suspects::of(text);
    let mut before = None;
    for (at, c) in text.char_indices() {
        let check = suspects.check(at, c, before).filter(|&check| changes.contains(check));
        if let Some(check) = check {
            if done.is_empty() {
                out.reserve(text.len());
                out.push_str(&text[..at]);
            }
            done.insert(check);
        }
        let kept = match check {
            None => Some(c),
            Some(Check::Separator) => Some(' '),
            Some(_) if is_blank(c) => Some(' '),
            Some(_) => continue,
        };
        if !done.is_empty() {
            out.extend(kept);
        }
        before = kept;
    }
    (!done.is_empty()).then_some((out, done))
}

/// The letters and digits of a text, in small letters.
pub(super) fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase)
}

/// `text` in small letters, without anything that is neither letter nor digit; as it is if nothing is left.
pub(super) fn fold<'a>(text: &'a str, into: &'a mut String) -> &'a str {
    into.clear();
    into.extend(folded(text));
    if into.is_empty() { text } else { into }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(text: &str) -> String {
        marks(text).iter().map(Check::name).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn suspect_characters_are_recognised_and_ordinary_ones_are_not() {
        for (text, names) in [
            ("Grüße, Tom! \"Ja.\" 東京「は」 „so“ «a» مرحبا", ""),
            ("a\u{2028}b", "separator"),
            ("a\u{85}b\u{0b}", "separator"),
            ("a\rb", "separator"),
            ("a\u{1b}[31m", "control"),
            ("a\u{200b}b", "invisible"),
            ("a\u{200d}b", "invisible"),
            ("👩\u{200d}🚀 نمی\u{200c}خواهم", ""),
            // Where they carry meaning.
            ("ភាសា\u{200b}ខ្មែរ ภาษา\u{200b}ไทย", ""),
            ("ພາສາ\u{200b}ລາວ", ""),
            ("မြန်မာ\u{200b}စာ", ""),
            ("فایل PDF\u{200c}ها", ""),
            ("שלום (abc)\u{200f}!", ""),
            ("مرحبا C++\u{200e}", ""),
            ("ᠮᠣᠩᠭᠣᠯ\u{180e}ᠠ", ""),
            ("⠓⠁\u{2800}⠇⠇", ""),
            ("\u{115f}\u{1161} \u{1100}\u{1160}", ""),
            ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", ""),
            // Where they do not.
            ("PDF\u{200c}s", "invisible"),
            ("abc\u{200f}", "bidi"),
            ("שלום\u{202e}", "bidi"),
            ("a\u{3164}b", "invisible"),
            ("a\u{115f}", "invisible"),
            ("a\u{1160}", "invisible"),
            ("a\u{34f}b", "invisible"),
            ("a\u{2800}b", "invisible"),
            ("a\u{206a}", "invisible"),
            ("ក\u{17b4}\u{17b5}", "invisible"),
            ("a\u{e0001}\u{e0061}", "invisible"),
            ("🏳\u{e0067}", "invisible"),
            ("a\u{fffe}\u{ffff}", "invisible"),
            ("\u{feff}a", "invisible"),
            ("a\u{202e}b", "bidi"),
            ("caf\u{fffd}", "replacement"),
            ("u\u{308}ber", "normalisation"),
            ("er sagte: \"ja", "quotes"),
            ("„ja", "quotes"),
            ("it's", ""),
        ] {
            assert_eq!(named(text), names, "{text:?}");
        }
        assert_eq!(first_of("ab\u{200b}", Check::Invisible), "U+200B, character 3");
        assert_eq!(first_decomposed("über u\u{308}ber"), "character 6: u\u{308}ber");
        assert_eq!((named(&"é".repeat(LONG)), named(&"é".repeat(LONG + 1))), (String::new(), "long".into()));
    }

    #[test]
    fn cleaning_says_what_it_did() {
        let all = Checks::with_remedy(super::super::check::Remedy::Change);
        let (text, done) = clean("a\u{2028}b\u{200b}u\u{308}", all);
        assert_eq!(
            (&*text, done),
            ("a bü", [Check::Separator, Check::Invisible, Check::Normalisation].into_iter().collect())
        );
        assert_eq!(clean("a\u{2800}b\u{3164}c\u{34f}", all).0, "a b c");
        assert_eq!(clean("ไทย\u{200b}ไทย\u{3164}", all).0, "ไทย\u{200b}ไทย ");
        let (text, done) = clean("a\u{200b}u\u{308}", [Check::Normalisation].into_iter().collect());
        assert_eq!((&*text, done), ("a\u{200b}ü", [Check::Normalisation].into_iter().collect()));
    }

    #[test]
    fn a_line_of_joiners_is_cleaned_in_one_go() {
        let all = Checks::with_remedy(super::super::check::Remedy::Change);
        let line = format!("a{}b", "\u{200d}".repeat(300_000));
        let (text, done) = clean(&line, all);
        assert_eq!((&*text, done), ("ab", [Check::Invisible].into_iter().collect()));
        let line = "\u{200f}\u{115f}\u{e0061}\u{200b}".repeat(100_000);
        assert_eq!(clean(&line, all).0, "");
        // The Kelvin sign is composed to a letter of ASCII.
        assert_eq!(clean("\u{212a}\u{200d}b", all).0, "Kb");
    }

    #[test]
    fn what_is_folded_is_letters_and_digits_or_the_text_itself() {
        let mut buffer = String::new();
        assert_eq!(fold("Über 3-fach!", &mut buffer), "über3fach");
        assert_eq!(fold("?!", &mut buffer), "?!");
    }

    proptest! {
        #[test]
        fn a_clean_text_has_nothing_left_to_clean(text in "[a\u{300}e\u{200c}\u{200b}\u{2028}\r\u{202e}\u{ad}가\u{1100}\u{1161}\u{115f}\u{1160}\u{34f}\u{e0061}🏴กא\u{5b0}\u{5b4} ]{0,12}") {
            let all = Checks::with_remedy(super::super::check::Remedy::Change);
            let (cleaned, done) = clean(&text, all);
            prop_assert_eq!(done.is_empty(), cleaned == text);
            prop_assert!(marks(&cleaned).and(all).is_empty(), "{:?}", cleaned);
        }
    }
}
