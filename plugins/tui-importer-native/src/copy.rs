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

/// The name of the encoding.
const FORMAT: &str = "postgresql-copy-text";
/// The beginning of the name of the binary one, which ends with the names of the columns' types.
const BINARY: &str = "postgresql-copy-binary:";
const DELIMITER: u8 = 0x1f;
/// Bytes that are encoded at once: it frees the GIL, and takes no more memory.
const PIECE: usize = 256 << 10;

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
        let targets = match format_.strip_prefix(BINARY) {
            Some(names) => Some(names.split(',').map(Target::named).collect::<Option<Vec<_>>>()?),
            None if format_ == FORMAT => None,
            None => return None,
        };
        if columns.is_empty() || !columns.iter().all(|column| column.can_be_copied()) {
            return None;
        }
        if let Some(targets) = &targets {
            let fit = columns.iter().zip(targets).all(|(column, target)| target.takes(column));
            if columns.len() != targets.len() || !fit {
                return None;
            }
        }
        let columns = columns.iter().map(|column| column.copied()).collect();
        Some(EncodedRows { columns, targets, format: format_.to_owned() })
    }

    fn __reduce__(&self) -> &'static str {
        "STORE"
    }
}

/// The rows of a batch, which are encoded when they are asked for.
#[pyclass(frozen, module = "tui_importer_native._native")]
pub struct EncodedRows {
    columns: Vec<Column>,
    /// The types of the columns in the table, for the binary format.
    targets: Option<Vec<Target>>,
    format: String,
}

#[pymethods]
impl EncodedRows {
    #[getter]
    fn format(&self) -> &str {
        &self.format
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
        Ok((encode, (columns, &self.format).into_pyobject(py)?))
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
        let (piece, next) = py.detach(|| match &rows.targets {
            None => encode(&rows.columns, start, stop),
            Some(targets) => encode_binary(&rows.columns, targets, start, stop),
        });
        self.next = next;
        Some(PyBytes::new(py, &piece))
    }
}

/// Encode rows until there are enough bytes; returns them, and the row that follows.
fn encode(columns: &[Column], start: usize, stop: usize) -> (Vec<u8>, usize) {
    let mut out = Vec::with_capacity(PIECE + PIECE / 16);
    let mut cursors: Vec<Cursor<'_>> = columns.iter().map(Cursor::new).collect();
    let mut row = start;
    while row < stop && out.len() < PIECE {
        for (number, cursor) in cursors.iter_mut().enumerate() {
            if number > 0 {
                out.push(DELIMITER);
            }
            push_item(cursor.item(row), &mut out);
        }
        out.push(b'\n');
        row += 1;
    }
    (out, row)
}

/// The same in the binary format.
fn encode_binary(columns: &[Column], targets: &[Target], start: usize, stop: usize) -> (Vec<u8>, usize) {
    let mut out = Vec::with_capacity(PIECE + PIECE / 16);
    let mut scratch = Vec::new();
    let mut cursors: Vec<Cursor<'_>> = columns.iter().map(Cursor::new).collect();
    let mut row = start;
    while row < stop && out.len() < PIECE {
        binary::push_row(&mut cursors, targets, row, &mut scratch, &mut out);
        row += 1;
    }
    (out, row)
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
        Item::Datetime(moment) => {
            push_date(moment.div_euclid(86_400_000_000), out);
            out.push(b' ');
            push_time(moment.rem_euclid(86_400_000_000), out);
        }
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

fn push_date(day: i64, out: &mut Vec<u8>) {
    let (year, month, day) = calendar::date(day);
    push_padded(year.into(), 4, out);
    out.push(b'-');
    push_padded(month.into(), 2, out);
    out.push(b'-');
    push_padded(day.into(), 2, out);
}

fn push_time(time: i64, out: &mut Vec<u8>) {
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
