//! What number formats show, and the values of the numbers that are shown as dates and times.
//!
//! Formats: ECMA-376 part 1, 18.8.30 (`numFmt`) and 18.8.31; serials: 18.17.4.1. What is a date follows the built-in
//! reader, format by format and number by number.

use crate::cells::Value;
use crate::unusual::{unusual, Result};

/// The parts of a date or time that a number format shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Date,
    Time,
    Both,
    /// A date or time of an East Asian format, of which the built-in reader looks at no part.
    Moment,
    /// A time span, such as `[h]:mm:ss`.
    Span,
}

const DAY_MILLISECONDS: f64 = 86_400_000.0;
const DAY_MICROSECONDS: i64 = 86_400_000_000;
/// Days from 0001-01-01 to 1899-12-30, day 0 of the 1900 date system as it counts since March 1900.
const EPOCH_1900: i64 = 693_593;
/// Days between the epochs of the two date systems.
const EPOCH_DIFFERENCE: f64 = 1462.0;
/// The 1900 date system has a 29th of February 1900: days before it are numbered one lower.
const LEAP_DAY: f64 = 60.0;
/// A number of so many days or more, in a cell that shows a time of day alone, is a moment whose date is not shown.
const LONGEST_SPAN: f64 = 1024.0;
/// Days from 0001-01-01 to 9999-12-31.
pub const MAX_DAY: i64 = 3_652_058;
/// The longest time span of Python, in days.
const MAX_SPAN_DAYS: f64 = 999_999_999.0;

/// What a built-in format shows.
pub fn builtin(number: u32) -> Option<Shown> {
    match number {
        14..=17 => Some(Shown::Date),
        18..=21 | 45 | 47 => Some(Shown::Time),
        22 => Some(Shown::Both),
        27..=36 | 50..=58 => Some(Shown::Moment),
        46 => Some(Shown::Span),
        _ => None,
    }
}

/// What a format of the workbook's own shows.
pub fn shown_by(code: &str) -> Option<Shown> {
    // Only ASCII letters have a meaning; others are kept as they are.
    let code: Vec<char> = code.chars().map(|character| character.to_ascii_lowercase()).collect();
    if moment_in(&code)? {
        return Some(Shown::Span);
    }
    let letters = without_literals(&code);
    let has = |wanted: &[char]| letters.iter().any(|letter| wanted.contains(letter));
    let clock = has(&['h', 's', 'a']);
    // An m is a month, except beside hours or seconds.
    let date = has(&['d', 'y']) || (has(&['m']) && !clock);
    Some(match (date, clock) {
        (true, true) => Shown::Both,
        (true, false) => Shown::Date,
        (false, _) => Shown::Time,
    })
}

/// Whether the first section of a format, in lower case, shows a span (true) or a date or time (false); None if neither.
fn moment_in(code: &[char]) -> Option<bool> {
    let (mut escaped, mut quoted, mut half_day, mut counts) = (false, false, false, false);
    let (mut brackets, mut before) = (0_u32, ' ');
    for &character in code {
        if escaped {
            escaped = false;
        } else if matches!(character, '\\' | '_' | '*') {
            escaped = true;
        } else if quoted || character == '"' {
            quoted = if character == '"' { !quoted } else { quoted };
        } else if character == ';' {
            return None;
        } else if character == '[' {
            brackets += 1;
        } else if character == ']' {
            if counts && brackets == 1 {
                return Some(true);
            }
            brackets = brackets.saturating_sub(1);
        } else if brackets == 0 && character == 'a' && !half_day {
            half_day = true;
        } else if brackets == 0
            && (if half_day { matches!(character, 'p' | 'm' | '/') } else { matches!(character, 'd' | 'm' | 'y' | 'h' | 's') })
        {
            return Some(false);
        } else if !(counts && character == before) {
            counts = before == '[' && matches!(character, 'h' | 'm' | 's');
        }
        before = character;
    }
    None
}

/// The characters of the first section that are not in literals, colours, conditions and languages.
fn without_literals(code: &[char]) -> Vec<char> {
    let mut letters = Vec::new();
    let mut place = 0;
    while let Some(&character) = code.get(place) {
        let end_of = |end: char| code[place + 1..].iter().position(|&each| each == end).map_or(code.len(), |found| place + found + 2);
        match character {
            // At the very end, such a character stands for itself.
            '\\' | '_' | '*' if place + 1 < code.len() => place += 2,
            '"' => place = end_of('"'),
            '[' => place = end_of(']'),
            ';' => break,
            _ => {
                letters.push(character);
                place += 1;
            }
        }
    }
    letters
}

/// The value of a number in a cell whose format shows a date, a time or a span.
///
/// What the built-in reader has something to say about (negative dates and times, zeros shown as dates) is unusual.
pub fn value(serial: f64, shown: Shown, date1904: bool) -> Result<Value> {
    if shown == Shown::Span {
        return span((serial * DAY_MILLISECONDS).round());
    }
    if shown == Shown::Time && (1.0..LONGEST_SPAN).contains(&serial) {
        return span((serial * DAY_MILLISECONDS).round_ties_even());
    }
    if serial < 0.0 || (serial < 1.0 && shown == Shown::Date) {
        return unusual("a date is zero or negative");
    }
    let days = if date1904 { serial + EPOCH_DIFFERENCE } else { serial };
    let days = if days >= LEAP_DAY { days } else { days + 1.0 };
    let milliseconds = (days * DAY_MILLISECONDS).round();
    if milliseconds.abs() > 1e16 {
        return Ok(Value::Float(serial));
    }
    let moment = EPOCH_1900 * DAY_MICROSECONDS + milliseconds as i64 * 1000;
    let (day, time) = (moment.div_euclid(DAY_MICROSECONDS), moment.rem_euclid(DAY_MICROSECONDS));
    if serial < 1.0 {
        return Ok(Value::Time(time));
    }
    if !(0..=MAX_DAY).contains(&day) {
        return Ok(Value::Float(serial));
    }
    Ok(if serial == serial.trunc() { Value::Date(day) } else { Value::Datetime(moment) })
}

fn span(milliseconds: f64) -> Result<Value> {
    if milliseconds.abs() / DAY_MILLISECONDS > MAX_SPAN_DAYS {
        return unusual("a time span is very long");
    }
    // Microseconds of 64 bits hold a third of the days that Python does.
    match (milliseconds as i64).checked_mul(1000) {
        Some(microseconds) => Ok(Value::Span(microseconds)),
        None => unusual("a time span is very long"),
    }
}
