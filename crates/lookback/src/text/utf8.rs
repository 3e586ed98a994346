//! Which byte may come next, so that what is written stays UTF-8.

/// A place inside a UTF-8 sequence (The Unicode Standard, table 3-7: no overlong forms, no surrogates, nothing above
/// U+10FFFF). Search carries one per hypothesis, so that byte pieces never add up to anything but characters.
///
/// A piece is given as [`Tokenizer::byte_value`](super::Tokenizer::byte_value) sees it: `Some(byte)` for a byte piece,
/// `None` for any other, the end of the sentence included.
///
/// ```
/// use lookback::text::Utf8State;
/// let mut state = Utf8State::default();
/// assert!(state.allows(None) && state.allows(Some(0xC3)) && !state.allows(Some(0xA4)));
/// state = state.next(Some(0xC3));
/// assert!(!state.allows(None) && state.allows(Some(0xA4)));
/// assert!(state.next(Some(0xA4)).is_complete()); // "ä"
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Utf8State {
    /// Continuation bytes still missing.
    missing: u8,
    /// The next byte lies in `low..=high`; only read while bytes are missing.
    low: u8,
    high: u8,
}

impl Utf8State {
    /// Whether a piece may follow here.
    pub fn allows(self, byte: Option<u8>) -> bool {
        match byte {
            None => self.is_complete(),
            Some(byte) if self.is_complete() => matches!(byte, 0x00..=0x7F | 0xC2..=0xF4),
            Some(byte) => (self.low..=self.high).contains(&byte),
        }
    }

    /// The state after a piece. A piece that is not [allowed](Self::allows) starts anew.
    #[must_use]
    pub fn next(self, byte: Option<u8>) -> Self {
        let Some(byte) = byte.filter(|&byte| self.allows(Some(byte))) else { return Self::default() };
        if !self.is_complete() {
            return match self.missing {
                1 => Self::default(),
                missing => Self { missing: missing - 1, low: 0x80, high: 0xBF },
            };
        }
        match byte {
            0xC2..=0xDF => Self { missing: 1, low: 0x80, high: 0xBF },
            0xE0 => Self { missing: 2, low: 0xA0, high: 0xBF },
            0xED => Self { missing: 2, low: 0x80, high: 0x9F },
            0xE1..=0xEF => Self { missing: 2, low: 0x80, high: 0xBF },
            0xF0 => Self { missing: 3, low: 0x90, high: 0xBF },
            0xF4 => Self { missing: 3, low: 0x80, high: 0x8F },
            0xF1..=0xF3 => Self { missing: 3, low: 0x80, high: 0xBF },
            _ => Self::default(),
        }
    }

    /// Whether everything written so far is whole characters. Only then may a sentence end.
    pub fn is_complete(self) -> bool {
        self.missing == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether `bytes` could still become UTF-8 (`Some(complete?)`) according to the standard library.
    fn std_says(bytes: &[u8]) -> Option<bool> {
        match std::str::from_utf8(bytes) {
            Ok(_) => Some(true),
            Err(error) if error.error_len().is_none() => Some(false),
            Err(_) => None,
        }
    }

    /// Every sequence of up to four bytes: a prefix that is already invalid need not be extended.
    fn walk(state: Utf8State, bytes: &mut Vec<u8>, seen: &mut usize) {
        for byte in 0..=255 {
            bytes.push(byte);
            let expected = std_says(bytes);
            assert_eq!(state.allows(Some(byte)), expected.is_some(), "{bytes:02X?}");
            if let Some(complete) = expected {
                *seen += 1;
                let next = state.next(Some(byte));
                assert_eq!((next.is_complete(), next.allows(None)), (complete, complete), "{bytes:02X?}");
                // After a whole character everything starts anew, which the first level has covered.
                if bytes.len() < 4 && !complete {
                    walk(next, bytes, seen);
                }
            }
            bytes.pop();
        }
    }

    #[test]
    fn agrees_with_the_standard_library_on_every_sequence_up_to_one_character() {
        let mut seen = 0;
        walk(Utf8State::default(), &mut Vec::new(), &mut seen);
        assert!(seen > 0x10_FFFF - 0x800, "all scalar values were reached, saw {seen}");
    }

    #[test]
    fn a_whole_character_leads_back_to_the_start() {
        for text in ["a", "ä", "€", "😀"] {
            let end = text.bytes().fold(Utf8State::default(), |state, byte| state.next(Some(byte)));
            assert_eq!(end, Utf8State::default());
        }
    }

    #[test]
    fn a_piece_that_is_not_allowed_starts_anew() {
        let open = Utf8State::default().next(Some(0xE2));
        assert!(!open.allows(Some(0x41)) && !open.allows(None));
        assert_eq!(open.next(None), Utf8State::default());
        assert_eq!(open.next(Some(0x41)), Utf8State::default());
    }
}
