//! Signs for characters that have none of their own.

/// The picture of an ASCII control character, `␊` for a line feed; `None` for every other character.
pub(crate) fn control_picture(c: char) -> Option<char> {
    match c {
        '\0'..='\x1F' => char::from_u32(0x2400 + u32::from(c)),
        '\x7F' => Some('\u{2421}'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ascii_control_character_has_a_picture_and_nothing_else_has() {
        assert_eq!([('\0'), '\n', '\x1B', '\x7F'].map(control_picture), ['␀', '␊', '␛', '␡'].map(Some));
        let with: Vec<char> = ('\0'..='\u{3000}').filter(|&c| control_picture(c).is_some()).collect();
        assert!(with.len() == 33 && with.iter().all(char::is_ascii_control), "{with:?}");
    }
}
