//! The Gregorian calendar from 1900 to 2099: days to dates and weekdays.

/// A day of the calendar; written as `year-month-day` by [`Date::iso`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Date {
    pub(super) year: u32,
    /// 1 to 12.
    pub(super) month: u32,
    /// 1 to 31.
    pub(super) day: u32,
    /// Days since Monday, 1900-01-01.
    pub(super) number: u32,
}

/// The years that [`Date::from_number`] knows.
pub(super) const YEARS: std::ops::Range<u32> = 1900..2100;

/// Days in [`YEARS`].
pub(super) const DAYS: u32 = 73_049;

impl Date {
    /// The date `number` days after 1900-01-01.
    ///
    /// # Panics
    /// If `number` is not below [`DAYS`].
    pub(super) fn from_number(number: u32) -> Self {
        assert!(number < DAYS, "day {number} lies after 2099");
        let (mut year, mut month, mut rest) = (YEARS.start, 1, number);
        while rest >= days_in_year(year) {
            rest -= days_in_year(year);
            year += 1;
        }
        while rest >= days_in_month(year, month) {
            rest -= days_in_month(year, month);
            month += 1;
        }
        Self { year, month, day: rest + 1, number }
    }

    /// 0 for Monday to 6 for Sunday: 1900-01-01 was a Monday.
    pub(super) fn weekday(self) -> usize {
        (self.number % 7) as usize
    }

    /// `YYYY-MM-DD` (ISO 8601).
    pub(super) fn iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Days from 1900-01-01 to the first of January of `year`.
pub(super) fn days_before(year: u32) -> u32 {
    (YEARS.start..year).map(days_in_year).sum()
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_in_year(year: u32) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leap_days_follow_the_gregorian_rule() {
        let isos: Vec<String> = (0..DAYS).map(|n| Date::from_number(n).iso()).collect();
        assert!(isos.contains(&"2000-02-29".to_owned()) && isos.contains(&"2024-02-29".to_owned()));
        assert!(!isos.contains(&"1900-02-29".to_owned()) && !isos.contains(&"2023-02-29".to_owned()));
        assert_eq!(isos.last().map(String::as_str), Some("2099-12-31"));
        assert!(isos.windows(2).all(|w| w[0] < w[1]), "days must be in order and differ");
    }

    #[test]
    fn weekdays_of_known_days_are_right() {
        let known = [
            (1900, 1, 1, 0),
            (1945, 8, 15, 2), // Wednesday
            (1969, 7, 20, 6), // Sunday
            (1987, 3, 5, 3),  // Thursday
            (2000, 1, 1, 5),  // Saturday
            (2024, 2, 29, 3), // Thursday
            (2099, 12, 31, 3),
        ];
        for (year, month, day, weekday) in known {
            let found =
                (0..DAYS).map(Date::from_number).find(|d| (d.year, d.month, d.day) == (year, month, day)).unwrap();
            assert_eq!(found.weekday(), weekday, "{}", found.iso());
        }
    }

    #[test]
    fn days_before_a_year_count_to_its_first_day() {
        assert_eq!(days_before(YEARS.end), DAYS);
        for year in [1900, 1901, 1970, 2001, 2070] {
            assert_eq!(Date::from_number(days_before(year)).iso(), format!("{year}-01-01"));
        }
    }
}
