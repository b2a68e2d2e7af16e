//! Dates of the proleptic Gregorian calendar.

/// Year, month and day of a day that is counted since 0001-01-01 (the algorithm is "civil from days": years begin in March,
/// so that leap days come last).
pub fn date(day: i64) -> (i32, u8, u8) {
    let day = day + 306; // days since 0000-03-01
    let (era, day_of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u8, day_of_month as u8)
}

/// The day, counted since 0001-01-01, of a year, month and day; None if there is no such day in the years 1 to 9999.
pub fn day(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let years = year - i64::from(month <= 2); // they begin in March
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let found = years * 365 + years / 4 - years / 100 + years / 400 + day_of_year - 306;
    (date(found) == (year as i32, month as u8, day as u8)).then_some(found)
}

/// Hour, minute, second and microsecond of a time in microseconds since midnight.
pub fn time(microseconds: i64) -> (u8, u8, u8, u32) {
    let seconds = microseconds / 1_000_000;
    ((seconds / 3600) as u8, (seconds / 60 % 60) as u8, (seconds % 60) as u8, (microseconds % 1_000_000) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_dates() {
        assert_eq!(date(0), (1, 1, 1));
        assert_eq!(date(693_593), (1899, 12, 30));
        assert_eq!(date(693_593 + 45_351), (2024, 2, 29));
        assert_eq!(date(crate::formats::MAX_DAY), (9999, 12, 31));
    }
}
