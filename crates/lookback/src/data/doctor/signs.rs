//! What tells that two lines belong together: what survives translation.
//!
//! That is lengths (Gale & Church 1993: the difference of two lengths in characters, over the root of 6.8 times their mean, is near standard
//! normal), numbers, question and exclamation marks at the end, and names, that is words with a capital letter that both have.

/// Variance of the difference of lengths per character.
const VARIANCE: f64 = 6.8;
/// Signs of a kind that are kept of a line.
const KEPT: usize = 4;

/// What survives translation of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Signs {
    /// Characters.
    pub(super) chars: f64,
    numbers: [u32; KEPT],
    names: [u32; KEPT],
    end: char,
}

impl Signs {
    pub(super) fn of(text: &str) -> Self {
        let mut signs = Self::default();
        let (mut numbers, mut names) = (0, 0);
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            let mut letters = word.chars();
            let Some(first) = letters.next() else { continue };
            if first.is_ascii_digit() && numbers < KEPT {
                // Zeros in front are a matter of style.
                signs.numbers[numbers] = hash(word.trim_start_matches('0'));
                numbers += 1;
            } else if first.is_uppercase() && names < KEPT && letters.nth(1).is_some() {
                signs.names[names] = hash(word);
                names += 1;
            }
        }
        signs.chars = text.chars().count() as f64;
        signs.end = text.trim_end().chars().next_back().map_or('.', |c| match c {
            '?' | '？' | '؟' => '?',
            '!' | '！' => '!',
            ':' | '：' => ':',
            _ => '.',
        });
        signs.numbers.sort_unstable();
        signs.names.sort_unstable();
        signs
    }

    /// How well two lines fit, in nats; `ratio` is the target's characters per character of the source.
    pub(super) fn fit(&self, tgt: &Self, ratio: f64) -> f64 {
        let expected = (self.chars + 1.0) * ratio;
        let found = tgt.chars + 1.0;
        let difference = found - expected;
        let length = (difference * difference / (VARIANCE * (found + expected))).min(4.0);
        let shared = |a: &[u32; KEPT], b: &[u32; KEPT]| a.iter().filter(|&&x| x != 0 && b.contains(&x)).count();
        let numbers = match [&self.numbers, &tgt.numbers].map(|numbers| numbers.iter().any(|&n| n != 0)) {
            [false, false] => 0.0,
            [true, true] if self.numbers == tgt.numbers => 3.0,
            [true, true] if shared(&self.numbers, &tgt.numbers) > 0 => 1.5,
            [true, true] => -2.0,
            _ => -1.0,
        };
        let end = match (self.end, tgt.end) {
            ('.', '.') => 0.0,
            (a, b) if a == b => 1.0,
            _ => -0.7,
        };
        let names = shared(&self.names, &tgt.names).min(2) as f64;
        numbers + end + names - length
    }
}

/// FNV-1a; never 0, which stands for nothing.
fn hash(word: &str) -> u32 {
    word.bytes().fold(0x811C_9DC5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)).max(1)
}

#[cfg(test)]
pub(super) mod tests {
    use crate::data::Draws;

    /// Sentences and their translations, which have nothing in common but lengths, some numbers and some ends.
    pub(in super::super) fn corpus(count: usize, seed: u64) -> (Vec<String>, Vec<String>) {
        let mut draws = Draws::new(seed, 1);
        let mut sides = (Vec::new(), Vec::new());
        for _ in 0..count {
            let words = 3 + draws.below(12) as usize;
            let end = if draws.below(4) == 0 { "?" } else { "." };
            let number = if draws.below(5) == 0 { format!(" {}", draws.below(100)) } else { String::new() };
            sides.0.push(format!("{}{number}{end}", "wort ".repeat(words).trim_end()));
            let more = draws.below(2) as usize;
            sides.1.push(format!("{}{number}{end}", "word ".repeat(words + more).trim_end()));
        }
        sides
    }
}
