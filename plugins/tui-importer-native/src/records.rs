//! The rows of a batch as Python values, one tuple at a time: whoever binds them to a statement needs no more of them at once.

use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::column::{object, Column, Item};

/// Texts that were made last: a power of two of them. What repeats in a column, repeats soon.
const REMEMBERED: usize = 512;
/// Longer texts hardly repeat.
const SHORT: usize = 32;

/// The place of a text and its object.
type Remembered = Option<((usize, usize), Py<PyString>)>;

/// An iterator over rows.
#[pyclass(module = "tui_importer_native._native")]
pub struct Records {
    columns: Vec<Column>,
    next: usize,
    count: usize,
    texts: Vec<Remembered>,
}

impl Records {
    pub fn new(columns: Vec<Column>) -> Self {
        let count = columns.first().map_or(0, Column::len);
        Self { columns, next: 0, count, texts: (0..REMEMBERED).map(|_| None).collect() }
    }
}

#[pymethods]
impl Records {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        if self.next >= self.count {
            return Ok(None);
        }
        let (row, columns, texts) = (self.next, &self.columns, &mut self.texts);
        let mut cells = Vec::with_capacity(columns.len());
        for column in columns {
            cells.push(match column.item(row) {
                Item::Text(text) if text.len() <= SHORT => remembered(py, text, texts),
                item => object(py, item)?,
            });
        }
        self.next += 1;
        PyTuple::new(py, cells).map(Some)
    }

    /// How many rows are left.
    fn __length_hint__(&self) -> usize {
        self.count - self.next
    }
}

/// A text as a Python object, which may have been made before. The same place in memory holds the same text as long as
/// the columns are there.
#[inline]
fn remembered<'py>(py: Python<'py>, text: &str, texts: &mut [Remembered]) -> Bound<'py, PyAny> {
    let place = (text.as_ptr() as usize, text.len());
    let slot = &mut texts[place.0.wrapping_mul(31) / 8 % REMEMBERED];
    match slot {
        Some((known, object)) if *known == place => object.bind(py).clone().into_any(),
        _ => {
            let object = PyString::new(py, text);
            *slot = Some((place, object.clone().unbind()));
            object.into_any()
        }
    }
}
