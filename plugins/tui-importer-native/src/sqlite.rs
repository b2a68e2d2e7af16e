//! Rows for SQLite. They are encoded as bytes, and a virtual table in the SQLite that Python has loaded reads them:
//! `INSERT INTO t SELECT c0, c1 FROM tui_importer_rows(?)` needs no Python object for a cell, and no GIL.
//!
//! Foreign functions are called here and nowhere else: SQLite's registration of extensions, and rusqlite's side of it.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::ffi::{c_char, c_int, CStr, CString, OsStr};
use std::fmt::Write;
use std::panic::catch_unwind;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::vtab::{
    Context, Filters, IndexConstraintOp, IndexInfo, Module, VTab, VTabConfig, VTabConnection, VTabCursor,
};
use rusqlite::{ffi, Connection, Error, Result};

use crate::column::{Cursor, Item, NumberKind};
use crate::copy::{push_date, push_time, push_timestamp};
use crate::numbers::{push_decimal, push_float, push_padded};
use crate::written;

/// The name of the encoding.
pub const FORMAT: &str = "sqlite-rows";
/// The name of the virtual table.
const TABLE: &CStr = c"tui_importer_rows";
/// The columns of the virtual table, of which a statement uses as many as it needs: the most that a table of SQLite has
/// by default (SQLite documentation, "Implementation Limits For SQLite").
pub const MAX_COLUMNS: usize = 2_000;

/// How a cell begins. A number follows in eight bytes, little endian; a text follows its length in four.
mod tag {
    pub const NULL: u8 = 0;
    pub const INTEGER: u8 = 1;
    pub const REAL: u8 = 2;
    pub const TEXT: u8 = 3;
}

/// Begin a piece: it has its number of columns in two bytes, and then the rows.
pub fn begin(columns: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(columns as u16).to_le_bytes());
}

/// Append a row.
pub fn push_row(columns: &mut [Cursor<'_>], row: usize, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    for column in columns {
        push_item(column.item(row), scratch, out);
    }
}

#[inline]
fn push_text(text: &[u8], out: &mut Vec<u8>) {
    out.push(tag::TEXT);
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text);
}

#[inline]
fn push_integer(number: i64, out: &mut Vec<u8>) {
    out.push(tag::INTEGER);
    out.extend_from_slice(&number.to_le_bytes());
}

#[inline]
fn push_real(number: f64, out: &mut Vec<u8>) {
    out.push(tag::REAL);
    out.extend_from_slice(&number.to_le_bytes());
}

#[inline]
fn push_item(item: Item<'_>, scratch: &mut Vec<u8>, out: &mut Vec<u8>) {
    scratch.clear();
    match item {
        Item::Blank | Item::Error(_) | Item::Formula(_) | Item::Empty => return out.push(tag::NULL),
        Item::Text(text) => return push_text(text.as_bytes(), out),
        Item::Integer(number) => return push_integer(number, out),
        Item::Bool(truth) => return push_integer(truth.into(), out),
        Item::Float(number) | Item::Single(number) => return push_real(number, out),
        Item::Written(text, NumberKind::Float) => return push_real(written::float(text), out),
        Item::WholeText(number) => crate::numbers::push_integer(number, scratch),
        Item::Date(day) => push_date(day, scratch),
        Item::Time(time) => push_time(time, scratch),
        Item::Datetime(moment) => push_timestamp(moment, scratch),
        Item::Span(span) => push_span(span, scratch),
        Item::Written(text, NumberKind::Decimal) => push_python_decimal(text, scratch),
        Item::Decimal(number, scale) => {
            if !push_decimal(number, scale, scratch) {
                push_float(number, scratch); // the cast proved that this does not happen
            }
            if !is_plain(scratch) {
                let text = String::from_utf8_lossy(scratch).into_owned();
                scratch.clear();
                push_python_decimal(&text, scratch);
            }
        }
    }
    push_text(scratch, out);
}

/// Append a time span as `tui_importer` writes one: hours, minutes and seconds.
fn push_span(span: i64, out: &mut Vec<u8>) {
    if span < 0 {
        out.push(b'-');
    }
    let (seconds, rest) = (span.abs() / 1_000_000, span.abs() % 1_000_000);
    crate::numbers::push_integer(seconds / 3_600, out);
    out.push(b':');
    push_padded(seconds / 60 % 60, 2, out);
    out.push(b':');
    push_padded(seconds % 60, 2, out);
    if rest > 0 {
        out.push(b'.');
        push_padded(rest, 6, out);
    }
}

/// Whether a number is written as a decimal of Python is: digits and perhaps a point, no zeros in front, not tiny.
fn is_plain(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let point = digits.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = point.map_or((digits, &b"0"[..]), |point| (&digits[..point], &digits[point + 1..]));
    let all_digits = |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    let is_tiny = whole == b"0" && fraction.starts_with(b"000000");
    all_digits(whole) && all_digits(fraction) && (whole.len() == 1 || whole[0] != b'0') && !is_tiny
}

/// Append a decimal number, with an exponent or not, as Python writes a `Decimal` of that text (General Decimal Arithmetic,
/// "to-scientific-string").
fn push_python_decimal(text: &str, out: &mut Vec<u8>) {
    if is_plain(text.as_bytes()) {
        return out.extend_from_slice(text.as_bytes());
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse().unwrap_or(0)),
        None => (text, 0_i64),
    };
    if mantissa.starts_with('-') {
        out.push(b'-');
    }
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: String = whole.chars().chain(fraction.chars()).filter(char::is_ascii_digit).collect();
    let digits = match all.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    let count = digits.len() as i64;
    let exponent = exponent - fraction.len() as i64;
    let adjusted = exponent + count - 1;
    let is_scientific = exponent > 0 || adjusted < -6;
    let before = if is_scientific { 1 } else { exponent + count };
    if before > 0 {
        let (before, after) = digits.split_at(before as usize);
        out.extend_from_slice(before.as_bytes());
        if !after.is_empty() {
            out.push(b'.');
            out.extend_from_slice(after.as_bytes());
        }
    } else {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', -before as usize));
        out.extend_from_slice(digits.as_bytes());
    }
    if is_scientific {
        out.extend_from_slice(format!("E{adjusted:+}").as_bytes());
    }
}

/// Have each connection that is opened from now on know the virtual table. `library` is the path of Python's module for
/// SQLite. Returns whether that was possible.
pub fn register(library: &OsStr) -> bool {
    type Initialize = unsafe extern "C" fn(*mut ffi::sqlite3, *mut *mut c_char, *mut ffi::sqlite3_api_routines) -> c_int;
    // SAFETY: the library is loaded already, and it, or the one that it is linked with, is never unloaded. The signature is
    // that of SQLite's documentation ("Automatically Load Statically Linked Extensions"), which passes the three arguments
    // of an extension's entry point to the function.
    unsafe {
        let Ok(library) = libloading::Library::new(library) else { return false };
        let Ok(add) = library.get::<unsafe extern "C" fn(Option<Initialize>) -> c_int>(b"sqlite3_auto_extension\0") else {
            return false;
        };
        let added = add(Some(initialize)) == ffi::SQLITE_OK;
        std::mem::forget(library);
        added
    }
}

/// The entry point of the extension. A connection on which it fails is opened nevertheless, without the virtual table.
unsafe extern "C" fn initialize(
    database: *mut ffi::sqlite3,
    _message: *mut *mut c_char,
    routines: *mut ffi::sqlite3_api_routines,
) -> c_int {
    let add = |connection: Connection| {
        const MODULE: Module<'static, RowsTable> = Module::eponymous_only_module();
        connection.create_module(TABLE, &MODULE, None).map(|()| false)
    };
    // SAFETY: SQLite passes a connection and its own routines; nothing is done with them but registering a module.
    let _ = catch_unwind(|| unsafe { Connection::extension_init2(database, std::ptr::null_mut(), routines, add) });
    ffi::SQLITE_OK
}

/// The virtual table. Its last column is hidden: the encoded rows.
#[repr(C)]
struct RowsTable {
    base: ffi::sqlite3_vtab,
}

// SAFETY: `repr(C)`, and the base is the first field, as the trait requires.
unsafe impl<'vtab> VTab<'vtab> for RowsTable {
    type Aux = ();
    type Cursor = RowsCursor;

    fn connect(
        database: &mut VTabConnection,
        _aux: Option<&()>,
        _module: &[u8],
        _schema: &[u8],
        _table: &[u8],
        _arguments: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        // No view and no trigger of a file can use it.
        database.config(VTabConfig::DirectOnly)?;
        let mut definition = "CREATE TABLE x(".to_owned();
        for number in 0..MAX_COLUMNS - 1 {
            let _ = write!(definition, "c{number},");
        }
        definition.push_str("rows HIDDEN)");
        let definition = CString::new(definition).map_err(|_| Error::InvalidQuery)?;
        Ok((Cow::Owned(definition), Self { base: ffi::sqlite3_vtab::default() }))
    }

    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let found = info.constraints().position(|constraint| {
            constraint.is_usable()
                && constraint.column() == MAX_COLUMNS as c_int - 1
                && constraint.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ
        });
        let Some(found) = found else { return Ok(false) };
        let mut usage = info.constraint_usage(found);
        usage.set_argv_index(1);
        usage.set_omit(true);
        Ok(true)
    }

    fn open(&'vtab mut self) -> Result<RowsCursor> {
        Ok(RowsCursor::default())
    }
}

/// Reads encoded rows one after another.
#[derive(Default)]
#[repr(C)]
struct RowsCursor {
    base: ffi::sqlite3_vtab_cursor,
    /// The number of columns in two bytes, and the rows.
    bytes: Vec<u8>,
    /// Where the row after the current one begins; None at the end.
    next: Option<usize>,
    /// Where each cell of the current row begins.
    cells: Vec<usize>,
    row: i64,
}

impl RowsCursor {
    fn array<const N: usize>(&self, place: usize) -> Result<[u8; N]> {
        self.bytes.get(place..place + N).and_then(|bytes| bytes.try_into().ok()).ok_or(Error::InvalidQuery)
    }

    fn text_length(&self, place: usize) -> Result<usize> {
        Ok(u32::from_le_bytes(self.array(place + 1)?) as usize)
    }
}

// SAFETY: `repr(C)`, and the base is the first field, as the trait requires.
unsafe impl VTabCursor for RowsCursor {
    fn filter(&mut self, _number: c_int, _text: Option<&str>, arguments: &Filters<'_>) -> Result<()> {
        self.bytes = arguments.get(0)?;
        let columns = u16::from_le_bytes(self.array(0)?).into();
        if columns == 0 && self.bytes.len() > 2 {
            return Err(Error::InvalidQuery); // rows without columns would never end
        }
        self.cells = vec![0; columns];
        self.next = Some(2);
        self.row = -1;
        self.next()
    }

    fn next(&mut self) -> Result<()> {
        let Some(mut place) = self.next.filter(|&place| place < self.bytes.len()) else {
            self.next = None;
            return Ok(());
        };
        for number in 0..self.cells.len() {
            self.cells[number] = place;
            place += match self.array(place)? {
                [tag::NULL] => 1,
                [tag::TEXT] => 5 + self.text_length(place)?,
                _ => 9,
            };
        }
        self.next = Some(place);
        self.row += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.next.is_none()
    }

    fn column(&self, context: &mut Context, number: c_int) -> Result<()> {
        let Some(&place) = self.cells.get(number as usize) else { return Ok(()) };
        let value = match self.array(place)? {
            [tag::INTEGER] => ValueRef::Integer(i64::from_le_bytes(self.array(place + 1)?)),
            [tag::REAL] => ValueRef::Real(f64::from_le_bytes(self.array(place + 1)?)),
            [tag::TEXT] => {
                let start = place + 5;
                let text = self.bytes.get(start..start + self.text_length(place)?);
                ValueRef::Text(text.ok_or(Error::InvalidQuery)?)
            }
            _ => ValueRef::Null,
        };
        context.set_result(&ToSqlOutput::Borrowed(value))
    }

    fn rowid(&self) -> Result<i64> {
        Ok(self.row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> String {
        let mut out = Vec::new();
        push_python_decimal(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn decimals_are_written_as_python_does() {
        for (text, written) in [
            ("12.50", "12.50"),
            ("-0.00", "-0.00"),
            ("+1.5", "1.5"),
            ("007", "7"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-00.0100", "-0.0100"),
            ("0.000001", "0.000001"),
            ("0.0000001", "1E-7"),
            ("0.0000000", "0E-7"),
            ("1e+16", "1E+16"),
            ("1.2345678901234568e+17", "1.2345678901234568E+17"),
            ("1.5e-05", "0.000015"),
            ("5e-324", "5E-324"),
            ("100e0", "100"),
        ] {
            assert_eq!(decimal(text), written, "{text}");
        }
    }

    #[test]
    fn spans_are_hours_minutes_and_seconds() {
        let text = |span| {
            let mut out = Vec::new();
            push_span(span, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(text(0), "0:00:00");
        assert_eq!(text(90_061_000_000), "25:01:01");
        assert_eq!(text(-1_500_000), "-0:00:01.500000");
    }
}
