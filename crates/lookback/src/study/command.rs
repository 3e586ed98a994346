//! Commands as they can be typed.

/// A word as a shell reads it back.
///
/// # Examples
/// ```
/// use lookback::study::shell_word;
///
/// assert_eq!(shell_word("my-model/test.tsv"), "my-model/test.tsv");
/// assert_eq!(shell_word("it's"), "'it'\\''s'");
/// ```
#[must_use]
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// A command line of these words.
pub(super) fn line(words: &[String]) -> String {
    words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" ")
}
