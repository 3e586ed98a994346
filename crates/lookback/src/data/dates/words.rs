//! Numbers in words: English ordinals and years, Sino-Korean numerals.

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// `first` to `thirty-first`.
pub(super) fn ordinal_word(day: u32) -> String {
    match day {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        5 => "fifth".to_owned(),
        8 => "eighth".to_owned(),
        9 => "ninth".to_owned(),
        12 => "twelfth".to_owned(),
        20 => "twentieth".to_owned(),
        30 => "thirtieth".to_owned(),
        21.. => format!("{}-{}", TENS[day as usize / 10], ordinal_word(day % 10)),
        _ => format!("{}th", ONES[day as usize]),
    }
}

/// A year as it is read aloud: `nineteen hundred`, `nineteen oh five`, `nineteen eighty-seven`, `two thousand five`,
/// `twenty twelve`.
pub(super) fn year_words(year: u32) -> String {
    let (century, rest) = (year / 100, year % 100);
    match (century, rest) {
        (20, 0) => "two thousand".to_owned(),
        (20, 1..=9) => format!("two thousand {}", ONES[rest as usize]),
        (_, 0) => format!("{} hundred", below_hundred(century)),
        (_, 1..=9) => format!("{} oh {}", below_hundred(century), ONES[rest as usize]),
        _ => format!("{} {}", below_hundred(century), below_hundred(rest)),
    }
}

fn below_hundred(number: u32) -> String {
    let (tens, ones) = (number as usize / 10, number as usize % 10);
    match (tens, ones) {
        (0 | 1, _) => ONES[number as usize].to_owned(),
        (_, 0) => TENS[tens].to_owned(),
        _ => format!("{}-{}", TENS[tens], ONES[ones]),
    }
}

/// A number from 1 to 9,999 in Sino-Korean numerals. 일 is left out before 십, 백 and 천: 1987 is 천구백팔십칠.
pub(super) fn korean_number(number: u32) -> String {
    const DIGITS: [&str; 10] = ["", "일", "이", "삼", "사", "오", "육", "칠", "팔", "구"];
    let mut out = String::new();
    for (size, unit) in [(1000, "천"), (100, "백"), (10, "십"), (1, "")] {
        let digit = (number / size % 10) as usize;
        if digit > 1 || (digit == 1 && size == 1) {
            out += DIGITS[digit];
        }
        if digit > 0 {
            out += unit;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_spelled_as_ordinals() {
        let got = [1, 4, 12, 13, 19, 20, 21, 25, 30, 31].map(ordinal_word).join(" ");
        let want =
            "first fourth twelfth thirteenth nineteenth twentieth twenty-first twenty-fifth thirtieth thirty-first";
        assert_eq!(got, want);
    }

    #[test]
    fn years_are_spelled_as_they_are_read() {
        let got = [1900, 1905, 1910, 1920, 1987, 2000, 2005, 2010, 2012, 2020, 2099].map(year_words);
        let want = [
            "nineteen hundred",
            "nineteen oh five",
            "nineteen ten",
            "nineteen twenty",
            "nineteen eighty-seven",
            "two thousand",
            "two thousand five",
            "twenty ten",
            "twenty twelve",
            "twenty twenty",
            "twenty ninety-nine",
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn korean_numerals_leave_out_one_before_a_unit() {
        let got = [1, 10, 11, 20, 21, 31, 1900, 1911, 1987, 2000, 2005, 2010].map(korean_number).join(" ");
        assert_eq!(got, "일 십 십일 이십 이십일 삼십일 천구백 천구백십일 천구백팔십칠 이천 이천오 이천십");
    }
}
