//! Rows in the format of PostgreSQL's binary COPY (manual, COPY, "Binary Format"), without its header and trailer: each cell
//! is preceded by its length, and is what the type's receive function reads.

use crate::cells::kind;
use crate::column::{Column, Cursor, Item, NumberKind, DECIMAL, INTEGER};
use crate::numbers::{push_decimal, push_float};

/// Microseconds from 0001-01-01 to 2000-01-01, where PostgreSQL counts from, and days.
const EPOCH: i64 = EPOCH_DAY * DAY;
const EPOCH_DAY: i64 = 730_119;
const DAY: i64 = 86_400_000_000;
/// The sign of a negative number.
const NEGATIVE: u16 = 0x4000;
/// The longest number that is written as a text.
const MAX_NUMBER: usize = 500;

/// The type of a column of a table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Text,
    Int2,
    Int4,
    Int8,
    Float4,
    Float8,
    Numeric,
    Bool,
    Date,
    Time,
    Timestamp,
    Interval,
}

impl Target {
    /// The type with this name; None for others.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "text" => Target::Text,
            "int2" => Target::Int2,
            "int4" => Target::Int4,
            "int8" => Target::Int8,
            "float4" => Target::Float4,
            "float8" => Target::Float8,
            "numeric" => Target::Numeric,
            "bool" => Target::Bool,
            "date" => Target::Date,
            "time" => Target::Time,
            "timestamp" => Target::Timestamp,
            "interval" => Target::Interval,
            _ => return None,
        })
    }

    /// Whether every cell of the column is exactly of this type.
    pub fn takes(self, column: &Column) -> bool {
        let integers = |fits: fn(i64) -> bool| {
            let fits = |item| !matches!(item, Item::Integer(number) if !fits(number));
            column.has_only(INTEGER) && column.items().all(fits)
        };
        match self {
            Target::Text => column.has_only(kind::TEXT),
            Target::Int2 => integers(|number| i16::try_from(number).is_ok()),
            Target::Int4 => integers(|number| i32::try_from(number).is_ok()),
            Target::Int8 => column.has_only(INTEGER),
            Target::Float4 => column.has_only(kind::FLOAT) && column.is_single(),
            Target::Float8 => column.has_only(kind::FLOAT) && !column.is_single(),
            Target::Numeric => {
                let is_short = |item| !matches!(item, Item::Written(text, _) if text.len() > MAX_NUMBER);
                column.has_only(DECIMAL) && column.items().all(is_short)
            }
            Target::Bool => column.has_only(kind::BOOL),
            Target::Date => column.has_only(kind::DATE),
            Target::Time => column.has_only(kind::TIME),
            Target::Timestamp => column.has_only(kind::DATETIME),
            Target::Interval => column.has_only(kind::SPAN),
        }
    }
}

/// Append a row.
pub fn push_row(columns: &mut [Cursor<'_>], targets: &[Target], row: usize, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    out.extend_from_slice(&(columns.len() as i16).to_be_bytes());
    for (column, &target) in columns.iter_mut().zip(targets) {
        push_item(column.item(row), target, scratch, out);
    }
}

#[inline]
fn push(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[inline]
fn push_item(item: Item<'_>, target: Target, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    match item {
        Item::Blank | Item::Error(_) | Item::Formula(_) | Item::Empty => out.extend_from_slice(&(-1_i32).to_be_bytes()),
        Item::Text(text) => push(text.as_bytes(), out),
        Item::WholeText(number) => push(number.to_string().as_bytes(), out),
        Item::Integer(number) => match target {
            Target::Int2 => push(&(number as i16).to_be_bytes(), out),
            Target::Int4 => push(&(number as i32).to_be_bytes(), out),
            _ => push(&number.to_be_bytes(), out),
        },
        Item::Float(number) => push(&number.to_be_bytes(), out),
        Item::Single(number) => push(&(number as f32).to_be_bytes(), out),
        Item::Written(text, NumberKind::Float) => push(&crate::written::float(text).to_be_bytes(), out),
        Item::Written(text, NumberKind::Decimal) => push_numeric(text.as_bytes(), out),
        Item::Decimal(number, scale) => {
            scratch.clear();
            if !push_decimal(number, scale, scratch) {
                push_float(number, scratch); // the cast proved that this does not happen
            }
            push_numeric(scratch, out);
        }
        Item::Bool(truth) => push(&[truth.into()], out),
        Item::Date(day) => push(&((day - EPOCH_DAY) as i32).to_be_bytes(), out),
        Item::Time(time) => push(&time.to_be_bytes(), out),
        Item::Datetime(moment) => push(&(moment - EPOCH).to_be_bytes(), out),
        Item::Span(span) => {
            // Days and the rest apart, as a timedelta has them; no months.
            out.extend_from_slice(&16_i32.to_be_bytes());
            out.extend_from_slice(&span.rem_euclid(DAY).to_be_bytes());
            out.extend_from_slice(&(span.div_euclid(DAY) as i32).to_be_bytes());
            out.extend_from_slice(&0_i32.to_be_bytes());
        }
    }
}

/// Append a number like `-12.50` or `1.5e-05` as a numeric: groups of four digits, the weight of the first one, the sign, and
/// how many digits follow the point.
fn push_numeric(text: &[u8], out: &mut Vec<u8>) {
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(place) => (&text[..place], std::str::from_utf8(&text[place + 1..]).ok().and_then(|exponent| exponent.parse().ok())),
        None => (text, None),
    };
    let exponent: i32 = exponent.unwrap_or(0);
    let negative = mantissa.first() == Some(&b'-');
    let point = mantissa.iter().position(|&byte| byte == b'.').unwrap_or(mantissa.len());
    let whole = mantissa[..point].iter().filter(|byte| byte.is_ascii_digit()).count() as i32;
    let fraction = mantissa[point..].iter().filter(|byte| byte.is_ascii_digit()).count() as i32;
    // The power of ten of the first digit, plus one.
    let before = whole + exponent;
    let first_group = (before - 1).div_euclid(4);
    let mut groups: Vec<u16> = Vec::new();
    for (number, digit) in (0_i32..).zip(mantissa.iter().filter(|byte| byte.is_ascii_digit())) {
        let power = before - 1 - number;
        let group = (first_group - power.div_euclid(4)) as usize;
        if groups.len() <= group {
            groups.resize(group + 1, 0);
        }
        groups[group] += u16::from(digit - b'0') * 10_u16.pow(power.rem_euclid(4) as u32);
    }
    let leading = groups.iter().take_while(|&&group| group == 0).count();
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let groups = groups.get(leading..).unwrap_or_default();
    let weight = if groups.is_empty() { 0 } else { first_group - leading as i32 };
    let scale = (fraction - exponent).max(0);
    let sign = if negative && !groups.is_empty() { NEGATIVE } else { 0 };
    out.extend_from_slice(&(8 + 2 * groups.len() as i32).to_be_bytes());
    for number in [groups.len() as u16, weight as u16, sign, scale as u16] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    for group in groups {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numeric(text: &str) -> Vec<i16> {
        let mut out = Vec::new();
        push_numeric(text.as_bytes(), &mut out);
        out[4..].chunks(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    #[test]
    fn numerics_are_groups_of_four_digits() {
        assert_eq!(numeric("0"), [0, 0, 0, 0]);
        assert_eq!(numeric("-0.00"), [0, 0, 0, 2]);
        assert_eq!(numeric("1.5"), [2, 0, 0, 1, 1, 5000]);
        assert_eq!(numeric("-12345.678"), [3, 1, 0x4000, 3, 1, 2345, 6780]);
        assert_eq!(numeric("0012"), [1, 0, 0, 0, 12]);
        assert_eq!(numeric("10000"), [1, 1, 0, 0, 1]);
        assert_eq!(numeric("1e+16"), [1, 4, 0, 0, 1]);
        assert_eq!(numeric("1.5e-05"), [1, -2, 0, 6, 1500]);
        assert_eq!(numeric(".0001"), [1, -1, 0, 4, 1]);
        assert_eq!(numeric("5."), [1, 0, 0, 0, 5]);
    }
}
