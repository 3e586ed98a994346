//! The ways to write a date.
//!
//! No text of this set means two dates: slashes are month first (or year first with four digits), points are day first with
//! two digits each, or Korean with the year first and a point at the end.

use super::calendar::Date;
use super::words::{korean_number, ordinal_word, year_words};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const KOREAN_WEEKDAYS: [&str; 7] = ["월", "화", "수", "목", "금", "토", "일"];

/// Two-digit years mean 1970 to 2069: 70 to 99 are of the twentieth century, 00 to 69 of the twenty-first.
pub(super) const TWO_DIGIT_YEARS: std::ops::Range<u32> = 1970..2070;

/// One way to write a date. Each variant shows 5 March 1987.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// `March 5, 1987`
    MonthDay,
    /// `5 March 1987`
    DayMonth,
    /// `Mar 5 1987`
    ShortMonthDay,
    /// `5 Mar. 1987`
    DayShortMonth,
    /// `March 5th, 1987`
    MonthOrdinal,
    /// `the 5th of March, 1987`
    OrdinalOfMonth,
    /// `Thursday, March 5, 1987`
    WeekdayMonthDay,
    /// `Thu 5 Mar 1987`
    ShortWeekday,
    /// `Thursday, 5th of March 1987`
    WeekdayOrdinal,
    /// `the fifth of March, nineteen eighty-seven`
    Words,
    /// `03/05/1987`: month first, as in the United States.
    Slashes,
    /// `3/5/87`: month first.
    ShortSlashes,
    /// `1987/3/5`
    YearSlashes,
    /// `05.03.1987`: day first, as in Germany.
    Points,
    /// `19870305`
    Digits,
    /// `1987년 3월 5일`
    Korean,
    /// `1987년 3월 5일 목요일`
    KoreanWeekday,
    /// `1987. 3. 5.`
    KoreanPoints,
    /// `1987.03.05.(목)`
    KoreanPointsWeekday,
    /// `87.3.5.`
    KoreanShortPoints,
    /// `87년 3월 5일`
    KoreanShortYear,
    /// `천구백팔십칠년 삼월 오일`
    KoreanWords,
}

impl Format {
    pub(super) const ALL: [Self; 22] = [
        Self::MonthDay,
        Self::DayMonth,
        Self::ShortMonthDay,
        Self::DayShortMonth,
        Self::MonthOrdinal,
        Self::OrdinalOfMonth,
        Self::WeekdayMonthDay,
        Self::ShortWeekday,
        Self::WeekdayOrdinal,
        Self::Words,
        Self::Slashes,
        Self::ShortSlashes,
        Self::YearSlashes,
        Self::Points,
        Self::Digits,
        Self::Korean,
        Self::KoreanWeekday,
        Self::KoreanPoints,
        Self::KoreanPointsWeekday,
        Self::KoreanShortPoints,
        Self::KoreanShortYear,
        Self::KoreanWords,
    ];

    /// Whether the century is left out; such a format writes only dates of [`TWO_DIGIT_YEARS`].
    pub(super) fn has_two_digit_year(self) -> bool {
        matches!(self, Self::ShortSlashes | Self::KoreanShortPoints | Self::KoreanShortYear)
    }

    /// `date` in this format.
    pub(super) fn write(self, date: Date) -> String {
        let Date { year: y, month: m, day: d, .. } = date;
        let month = MONTHS[m as usize - 1];
        let weekday = WEEKDAYS[date.weekday()];
        let (mon, thu) = (&month[..3], &weekday[..3]);
        let (korean, yy, th) = (KOREAN_WEEKDAYS[date.weekday()], y % 100, ordinal_suffix(d));
        match self {
            Self::MonthDay => format!("{month} {d}, {y}"),
            Self::DayMonth => format!("{d} {month} {y}"),
            Self::ShortMonthDay => format!("{mon} {d} {y}"),
            Self::DayShortMonth => format!("{d} {mon}. {y}"),
            Self::MonthOrdinal => format!("{month} {d}{th}, {y}"),
            Self::OrdinalOfMonth => format!("the {d}{th} of {month}, {y}"),
            Self::WeekdayMonthDay => format!("{weekday}, {month} {d}, {y}"),
            Self::ShortWeekday => format!("{thu} {d} {mon} {y}"),
            Self::WeekdayOrdinal => format!("{weekday}, {d}{th} of {month} {y}"),
            Self::Words => format!("the {} of {month}, {}", ordinal_word(d), year_words(y)),
            Self::Slashes => format!("{m:02}/{d:02}/{y}"),
            Self::ShortSlashes => format!("{m}/{d}/{yy:02}"),
            Self::YearSlashes => format!("{y}/{m}/{d}"),
            Self::Points => format!("{d:02}.{m:02}.{y}"),
            Self::Digits => format!("{y}{m:02}{d:02}"),
            Self::Korean => format!("{y}년 {m}월 {d}일"),
            Self::KoreanWeekday => format!("{y}년 {m}월 {d}일 {korean}요일"),
            Self::KoreanPoints => format!("{y}. {m}. {d}."),
            Self::KoreanPointsWeekday => format!("{y}.{m:02}.{d:02}.({korean})"),
            Self::KoreanShortPoints => format!("{yy:02}.{m}.{d}."),
            Self::KoreanShortYear => format!("{yy:02}년 {m}월 {d}일"),
            Self::KoreanWords => format!("{}년 {} {}일", korean_number(y), korean_month(m), korean_number(d)),
        }
    }
}

/// 1st 2nd 3rd 4th … 11th 12th 13th … 21st.
fn ordinal_suffix(day: u32) -> &'static str {
    match (day % 10, day % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    }
}

/// The name of a month in Hangul. June and October lose a final consonant: 유월 and 시월, not 육월 and 십월.
fn korean_month(month: u32) -> String {
    match month {
        6 => "유월".to_owned(),
        10 => "시월".to_owned(),
        _ => korean_number(month) + "월",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::super::calendar::{DAYS, days_before};
    use super::*;

    #[test]
    fn every_format_writes_as_its_doc_says() {
        let date = (0..DAYS).map(Date::from_number).find(|d| d.iso() == "1987-03-05").unwrap();
        let want = [
            "March 5, 1987",
            "5 March 1987",
            "Mar 5 1987",
            "5 Mar. 1987",
            "March 5th, 1987",
            "the 5th of March, 1987",
            "Thursday, March 5, 1987",
            "Thu 5 Mar 1987",
            "Thursday, 5th of March 1987",
            "the fifth of March, nineteen eighty-seven",
            "03/05/1987",
            "3/5/87",
            "1987/3/5",
            "05.03.1987",
            "19870305",
            "1987년 3월 5일",
            "1987년 3월 5일 목요일",
            "1987. 3. 5.",
            "1987.03.05.(목)",
            "87.3.5.",
            "87년 3월 5일",
            "천구백팔십칠년 삼월 오일",
        ];
        assert_eq!(Format::ALL.map(|f| f.write(date)), want);
    }

    #[test]
    fn no_text_means_two_dates() {
        // Years that could be confused: the ends of the two-digit range, equal last digits, single-digit ends.
        let years = [1900, 1905, 1912, 1970, 1999, 2000, 2005, 2012, 2069];
        let mut meaning: HashMap<String, String> = HashMap::new();
        for number in years.into_iter().flat_map(|y| days_before(y)..days_before(y + 1)) {
            let date = Date::from_number(number);
            for format in Format::ALL {
                if format.has_two_digit_year() && !TWO_DIGIT_YEARS.contains(&date.year) {
                    continue;
                }
                let written = format.write(date).to_lowercase();
                let known = meaning.entry(written.clone()).or_insert_with(|| date.iso());
                assert_eq!(*known, date.iso(), "{written}");
            }
        }
    }

    #[test]
    fn ordinals_end_as_they_are_spoken() {
        let got: Vec<&str> = [1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 30, 31].map(ordinal_suffix).to_vec();
        assert_eq!(got, ["st", "nd", "rd", "th", "th", "th", "th", "st", "nd", "rd", "th", "st"]);
    }

    #[test]
    fn june_and_october_are_irregular_in_korean() {
        let got = (1..=12).map(korean_month).collect::<Vec<_>>().join(" ");
        assert_eq!(got, "일월 이월 삼월 사월 오월 유월 칠월 팔월 구월 시월 십일월 십이월");
    }
}
