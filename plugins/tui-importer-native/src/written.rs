//! Texts that are numbers and dates in their standard forms, which can be read in one way only.

use std::cmp::Ordering;

use crate::calendar;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// Numbers of so many digits are 64 bit integers, whatever they are.
const SAFE_DIGITS: usize = 18;
/// Python's decimals are exact up to so many digits.
const EXACT_DIGITS: usize = 28;

/// A whole number: digits, after a minus sign or not.
#[inline]
pub fn integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || digits.len() > SAFE_DIGITS {
        return None;
    }
    let number = digits.bytes().try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))?;
    Some(if digits.len() < text.len() { -number } else { number })
}

/// Whether a text is a finite number, with a decimal point and an exponent or not.
pub fn is_float(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    text.bytes().all(plain) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// The number that such a text is.
pub fn float(text: &str) -> f64 {
    text.parse().unwrap_or_default()
}

/// The parts of a decimal number: whether it is negative, its digits before the point without zeros in front, and those
/// after it without zeros at the end.
fn parts(text: &str) -> Option<(bool, &str, &str)> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let is_number = !(whole.is_empty() && fraction.is_empty()) && are_digits(whole) && are_digits(fraction);
    is_number.then(|| (text.starts_with('-'), whole.trim_start_matches('0'), fraction.trim_end_matches('0')))
}

/// Whether a text is a decimal number, and fits into one of so many digits, so many of them after the point.
pub fn is_decimal(text: &str, limits: Option<(u32, u32)>) -> bool {
    match (parts(text), limits) {
        (Some(_), None) => true,
        (Some((_, whole, fraction)), Some((precision, scale))) => {
            let before = precision.checked_sub(scale).is_some_and(|before| whole.len() <= before as usize);
            before && fraction.len() <= scale as usize && whole.len() + (scale as usize) < EXACT_DIGITS
        }
        (None, _) => false,
    }
}

/// The order of two decimal numbers.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (Some(one), Some(other)) = (parts(one), parts(other)) else { return Ordering::Equal };
    let zero = |number: (bool, &str, &str)| number.1.is_empty() && number.2.is_empty();
    let negative = |number: (bool, &str, &str)| number.0 && !zero(number);
    let sizes = one.1.len().cmp(&other.1.len()).then_with(|| one.1.cmp(other.1)).then_with(|| one.2.cmp(other.2));
    match (negative(one), negative(other)) {
        (false, false) => sizes,
        (true, true) => sizes.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// A number of so many digits.
#[inline]
fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, &digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))
}

/// The day, counted since 0001-01-01, of a date like `2024-02-29`.
#[inline]
pub fn date(text: &str) -> Option<i64> {
    match text.as_bytes() {
        bytes @ [_, _, _, _, b'-', _, _, b'-', _, _] => {
            calendar::day(digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..])?)
        }
        _ => None,
    }
}

/// The microseconds since 0001-01-01 of a moment like `2024-02-29 12:30:00`, with a T or a blank.
#[inline]
pub fn datetime(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let [b' ' | b'T', time @ ..] = bytes.get(10..)? else { return None };
    let [_, _, b':', _, _, b':', _, _] = time else { return None };
    let day = date(text.get(..10)?)?;
    let (hour, minute, second) = (digits(&time[..2])?, digits(&time[3..5])?, digits(&time[6..])?);
    (hour < 24 && minute < 60 && second < 60).then_some(day * DAY + ((hour * 60 + minute) * 60 + second) * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read() {
        assert_eq!(["7", "-007", "-0"].map(integer), [Some(7), Some(-7), Some(0)]);
        assert_eq!(["", "-", "+1", "1 ", "1.0", "1234567890123456789"].map(integer), [None; 6]);
        assert!(["1.", ".5", "-1e5", "1E+2"].iter().all(|text| is_float(text)));
        assert!(["", ".", "e5", "1e", "inf", "nan", "1_0", "1e999", " 1"].iter().all(|text| !is_float(text)));
        assert!(["1.", ".5", "-1", "+1.50", "0012.3400"].iter().all(|text| is_decimal(text, Some((4, 2)))));
        assert!(["", ".", "-", "1e2", "123", "1.234", "--1", "1.2.3"].iter().all(|text| !is_decimal(text, Some((4, 2)))));
        assert_eq!(compare("10", "9.99"), Ordering::Greater);
        assert_eq!(compare("-10", "-9.99"), Ordering::Less);
        assert_eq!(compare("1.50", "01.5"), Ordering::Equal);
        assert_eq!(compare("-0", "0"), Ordering::Equal);
    }

    #[test]
    fn dates_are_read() {
        assert_eq!(date("0001-01-01"), Some(0));
        assert_eq!(date("2024-02-29"), Some(693_593 + 45_351));
        assert_eq!(date("9999-12-31"), Some(crate::formats::MAX_DAY));
        assert_eq!(["2023-02-29", "0000-01-01", "2024-13-01", "2024-00-10", "2024-1-010", "2024-W01-1"].map(date), [None; 6]);
        assert_eq!(datetime("0001-01-01T00:00:01"), Some(SECOND));
        assert_eq!(["2024-01-01 24:00:00", "2024-01-01", "2024-01-01x00:00:00", "é2024-01-0 00:00:00"].map(datetime), [None; 4]);
    }
}
