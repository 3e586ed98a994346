//! Which script a text is written in.
use unicode_script::{Script, UnicodeScript as _};

/// The script most letters of a text are from; none if it has no letter. Chinese characters and Japanese syllables count as one.
pub(super) fn script_of(text: &str) -> Option<Script> {
    let mut latin = 0;
    let mut others: Vec<(Script, u32)> = Vec::new();
    for c in text.chars() {
        if c.is_ascii() {
            latin += u32::from(c.is_ascii_alphabetic());
        } else if c.is_alphabetic() {
            let script = match c.script() {
                Script::Common | Script::Inherited | Script::Unknown => continue,
                Script::Hiragana | Script::Katakana | Script::Bopomofo => Script::Han,
                script => script,
            };
            match others.iter_mut().find(|(other, _)| *other == script) {
                Some((_, count)) => *count += 1,
                None => others.push((script, 1)),
            }
        }
    }
    let from_ascii = (latin > 0).then_some((Script::Latin, latin));
    if let (Some(of_latin), Some((_, more))) = (from_ascii, others.iter_mut().find(|(s, _)| *s == Script::Latin)) {
        *more += of_latin.1;
    } else {
        others.extend(from_ascii);
    }
    // Of equals the first in Unicode's order, so that the order of the letters does not matter.
    others.into_iter().max_by_key(|(script, count)| (*count, std::cmp::Reverse(script.short_name()))).map(|(s, _)| s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_of_the_script_of_most_of_its_letters() {
        for (text, script) in [
            ("Über Москва", Some(Script::Cyrillic)),
            ("schöner Tag, Москва", Some(Script::Latin)),
            ("東京タワーは高い。", Some(Script::Han)),
            ("서울 Seoul", Some(Script::Latin)),
            ("서울 대한민국 1987", Some(Script::Hangul)),
            ("1987 — ?!", None),
        ] {
            assert_eq!(script_of(text), script, "{text}");
        }
    }
}
