//! Rows in the format of PostgreSQL's text COPY, in UTF-8 (manual, COPY): cells are separated by U+001F, a blank is nothing,
//! and rows end with a line feed. It implements `tui_importer.ColumnStore` and `tui_importer.EncodedBatch`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyTuple};

use crate::binary::{self, Target};
use crate::calendar;
use crate::column::{Column, Cursor, Item};
use crate::numbers::{push_decimal, push_float, push_integer, push_padded, push_single};
use crate::records::Records;
use crate::sqlite;

/// The name of the encoding.
const FORMAT: &str = "postgresql-copy-text";
/// The beginning of the name of the binary one, which ends with the names of the columns' types.
const BINARY: &str = "postgresql-copy-binary:";
const DELIMITER: u8 = 0x1f;
/// Bytes that are encoded at once: it frees the GIL, and takes no more memory.
const PIECE: usize = 256 << 10;

/// How rows are encoded.
enum Format {
    /// PostgreSQL's text COPY.
    Text,
    /// PostgreSQL's binary COPY, for columns of these types.
    Binary(Vec<Target>),
    /// The virtual table of SQLite.
    Rows,
}

impl Format {
    fn named(name: &str) -> Option<Self> {
        match name.strip_prefix(BINARY) {
            Some(names) => names.split(',').map(Target::named).collect::<Option<Vec<_>>>().map(Format::Binary),
            None if name == FORMAT => Some(Format::Text),
            None if name == sqlite::FORMAT => Some(Format::Rows),
            None => None,
        }
    }

    /// Whether every cell of the columns can be encoded.
    fn takes(&self, columns: &[PyRef<'_, Column>]) -> bool {
        let fit = match self {
            Format::Text => true,
            Format::Binary(targets) => {
                columns.len() == targets.len() && columns.iter().zip(targets).all(|(column, target)| target.takes(column))
            }
            Format::Rows => columns.len() < sqlite::MAX_COLUMNS,
        };
        fit && columns.iter().all(|column| column.can_be_copied())
    }

    /// Encode rows until there are enough bytes; returns them, and the row that follows.
    fn encode(&self, columns: &[Column], start: usize, stop: usize) -> (Vec<u8>, usize) {
        let mut out = Vec::with_capacity(PIECE + PIECE / 16);
        let mut scratch = Vec::new();
        let mut cursors: Vec<Cursor<'_>> = columns.iter().map(Cursor::new).collect();
        if let Format::Rows = self {
            sqlite::begin(columns.len(), &mut out);
        }
        let mut row = start;
        while row < stop && out.len() < PIECE {
            match self {
                Format::Text => push_row(&mut cursors, row, &mut out),
                Format::Binary(targets) => binary::push_row(&mut cursors, targets, row, &mut scratch, &mut out),
                Format::Rows => sqlite::push_row(&mut cursors, row, &mut scratch, &mut out),
            }
            row += 1;
        }
        (out, row)
    }
}

/// The store of all columns of this reader: they can be encoded together.
#[pyclass(frozen, module = "tui_importer_native._native")]
pub struct Store;

impl Store {
    /// The only one.
    pub fn shared(py: Python<'_>) -> PyResult<Py<Self>> {
        static STORE: PyOnceLock<Py<Store>> = PyOnceLock::new();
        STORE.get_or_try_init(py, || Py::new(py, Store)).map(|store| store.clone_ref(py))
    }
}

#[pymethods]
impl Store {
    fn records(&self, columns: Vec<PyRef<'_, Column>>) -> Records {
        Records::new(columns.iter().map(|column| column.copied()).collect())
    }

    fn encode(&self, columns: Vec<PyRef<'_, Column>>, format_: &str) -> Option<EncodedRows> {
        let format = Format::named(format_)?;
        if columns.is_empty() || !format.takes(&columns) {
            return None;
        }
        let columns = columns.iter().map(|column| column.copied()).collect();
        Some(EncodedRows { columns, format, name: format_.to_owned() })
    }

    fn __reduce__(&self) -> &'static str {
        "STORE"
    }
}

/// The rows of a batch, which are encoded when they are asked for.
#[pyclass(frozen, module = "tui_importer_native._native")]
pub struct EncodedRows {
    columns: Vec<Column>,
    format: Format,
    name: String,
}

#[pymethods]
impl EncodedRows {
    #[getter]
    fn format(&self) -> &str {
        &self.name
    }

    fn __len__(&self) -> usize {
        self.columns.first().map_or(0, Column::len)
    }

    fn chunks(slf: Py<Self>, py: Python<'_>, start: usize, stop: usize) -> Chunks {
        let length = slf.borrow(py).__len__();
        Chunks { rows: slf, next: start, stop: stop.min(length) }
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let columns = self.columns.iter().map(|column| Py::new(py, column.copied())).collect::<PyResult<Vec<_>>>()?;
        let encode = Store::shared(py)?.bind(py).getattr("encode")?;
        Ok((encode, (columns, &self.name).into_pyobject(py)?))
    }
}

/// The bytes of some rows, piece by piece.
#[pyclass(module = "tui_importer_native._native")]
pub struct Chunks {
    rows: Py<EncodedRows>,
    next: usize,
    stop: usize,
}

#[pymethods]
impl Chunks {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        if self.next >= self.stop {
            return None;
        }
        let (rows, start, stop) = (self.rows.get(), self.next, self.stop);
        let (piece, next) = py.detach(|| rows.format.encode(&rows.columns, start, stop));
        self.next = next;
        Some(PyBytes::new(py, &piece))
    }
}

/// Append a row in the text format.
fn push_row(columns: &mut [Cursor<'_>], row: usize, out: &mut Vec<u8>) {
    for (number, column) in columns.iter_mut().enumerate() {
        if number > 0 {
            out.push(DELIMITER);
        }
        push_item(column.item(row), out);
    }
    out.push(b'\n');
}

/// Append a cell. Dates, times and numbers are read alike whatever the server's settings.
#[inline]
fn push_item(item: Item<'_>, out: &mut Vec<u8>) {
    match item {
        Item::Blank | Item::Error(_) | Item::Formula(_) | Item::Empty => {}
        Item::Text(text) => push_text(text.as_bytes(), out),
        Item::Written(text, _) => out.extend_from_slice(text.as_bytes()),
        Item::Float(number) => push_float(number, out),
        Item::Single(number) => push_single(number as f32, out),
        Item::Bool(truth) => out.push(if truth { b't' } else { b'f' }),
        Item::Integer(number) | Item::WholeText(number) => push_integer(number, out),
        Item::Decimal(number, scale) => {
            push_decimal(number, scale, out);
        }
        Item::Datetime(moment) => push_timestamp(moment, out),
        Item::Date(day) => push_date(day, out),
        Item::Time(time) => push_time(time, out),
        Item::Span(span) => {
            // Days and the rest apart, as a timedelta has them, and each with its sign (manual, 8.5.4).
            push_integer(span.div_euclid(86_400_000_000), out);
            out.extend_from_slice(b" days +");
            let rest = span.rem_euclid(86_400_000_000);
            push_integer(rest / 1_000_000, out);
            out.push(b'.');
            push_padded(rest % 1_000_000, 6, out);
            out.extend_from_slice(b" seconds");
        }
    }
}

#[inline]
fn push_text(text: &[u8], out: &mut Vec<u8>) {
    let special = text.iter().fold(false, |found, &byte| found | (byte < b' ' || byte == b'\\'));
    if !special {
        out.extend_from_slice(text);
        return;
    }
    for &byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            DELIMITER => out.extend_from_slice(&[b'\\', DELIMITER]),
            byte => out.push(byte),
        }
    }
}

pub fn push_date(day: i64, out: &mut Vec<u8>) {
    let (year, month, day) = calendar::date(day);
    push_padded(year.into(), 4, out);
    out.push(b'-');
    push_padded(month.into(), 2, out);
    out.push(b'-');
    push_padded(day.into(), 2, out);
}

pub fn push_timestamp(moment: i64, out: &mut Vec<u8>) {
    push_date(moment.div_euclid(86_400_000_000), out);
    out.push(b' ');
    push_time(moment.rem_euclid(86_400_000_000), out);
}

pub fn push_time(time: i64, out: &mut Vec<u8>) {
    let (hour, minute, second, microsecond) = calendar::time(time);
    push_padded(hour.into(), 2, out);
    out.push(b':');
    push_padded(minute.into(), 2, out);
    out.push(b':');
    push_padded(second.into(), 2, out);
    if microsecond > 0 {
        out.push(b'.');
        push_padded(microsecond.into(), 6, out);
    }
}
