//! A reader of xlsx and xlsm workbooks for tui-importer, and columns over its cells.
//!
//! It reads what it knows exactly as the built-in reader does, and leaves everything else to that (`UnusualError`).

mod binary;
mod calendar;
mod cells;
mod column;
mod copy;
mod delimited;
mod formats;
#[cfg(test)]
mod hostile;
mod numbers;
mod package;
mod records;
mod shared;
mod sheet;
mod sqlite;
mod stream;
mod strings;
mod unusual;
mod workbook;
mod written;
mod xml;

use std::path::PathBuf;
use std::sync::Arc;

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::column::Column;
use crate::package::Package;
use crate::stream::{guarded, Shared, Stream};
use crate::unusual::Unusual;

create_exception!(tui_importer_native._native, UnusualError, PyException, "The file is left to the built-in reader.");

impl From<Unusual> for PyErr {
    fn from(error: Unusual) -> Self {
        UnusualError::new_err(error.0)
    }
}

/// The version of the program's interface for plugins that this module was made for.
const API_VERSION: u32 = 1;

/// Sheets with at most so many bytes of XML are read before they are used: that takes a twentieth of a second, and what is
/// unusual in them is known before any row was used.
const SMALL_SHEET: u64 = 16 << 20;
/// The bytes of XML that a cell takes, at least and at most; a sheet that says otherwise of itself is not believed.
const CELL_BYTES: std::ops::Range<u64> = 4..400;

/// An open workbook. Raises `UnusualError` for one that this reader does not know.
#[pyclass(frozen, module = "tui_importer_native._native")]
struct Workbook {
    shared: Arc<Shared>,
}

#[pymethods]
impl Workbook {
    /// At most about `kept_strings` bytes of the shared strings are kept in memory, and the others in a temporary file.
    #[new]
    #[pyo3(signature = (path, *, kept_strings = None))]
    fn open(py: Python<'_>, path: PathBuf, kept_strings: Option<usize>) -> PyResult<Self> {
        let read = || {
            let package = Package::open(&path)?;
            let contents = workbook::Workbook::read(&package)?;
            Ok(Shared::new(package, contents, kept_strings))
        };
        let shared = py.detach(|| guarded(read))?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The name of each worksheet, and whether it is hidden.
    #[getter]
    fn sheets(&self) -> Vec<(String, bool)> {
        self.shared.contents.sheets.iter().map(|sheet| (sheet.name.clone(), sheet.hidden)).collect()
    }

    /// Begin to read a sheet, without the GIL. One with at most `small` bytes of XML is read to its end. At most about
    /// `kept` bytes of its cells are kept in memory; what follows is read again when it is needed.
    #[pyo3(signature = (name, *, small = None, kept = None))]
    fn sheet(&self, py: Python<'_>, name: &str, small: Option<u64>, kept: Option<usize>) -> PyResult<Sheet> {
        let read = || {
            let Some(sheet) = self.shared.contents.sheets.iter().find(|sheet| sheet.name == name) else {
                return unusual::unusual("there is no such sheet");
            };
            let stream = Stream::begin(&self.shared, &sheet.part, kept)?;
            let mut sheet = Sheet { stream, first_column: 0, rows: None };
            let size = sheet.stream.size();
            if size > small.unwrap_or(SMALL_SHEET) {
                let dimension = sheet.stream.dimension()?;
                let cells = |range: sheet::Merged| u64::from(range.1 + 1) * u64::from(range.3 - range.2 + 1);
                let is_likely = |range: &sheet::Merged| CELL_BYTES.contains(&(size / cells(*range)));
                sheet.rows = dimension.filter(is_likely).map(|range| range.1 + 1);
            } else if let Some(end) = sheet.stream.wait()? {
                sheet.first_column = end.extent.first_column;
                sheet.rows = Some(end.extent.rows);
            }
            Ok(sheet)
        };
        Ok(py.detach(|| guarded(read))?)
    }
}

/// A sheet that is read while its rows are used.
#[pyclass(frozen, module = "tui_importer_native._native")]
struct Sheet {
    stream: Arc<Stream>,
    first_column: u32,
    rows: Option<u32>,
}

#[pymethods]
impl Sheet {
    /// The number of rows up to the last one with a cell, as far as it is known; that of a large sheet may be
    /// wrong.
    #[getter]
    fn rows(&self) -> Option<u32> {
        self.rows
    }

    /// The first column of the blocks, from 0.
    #[getter]
    fn first_column(&self) -> u32 {
        self.first_column
    }

    /// The merged ranges: first and last row, first and last column, from 0.
    fn merged(&self, py: Python<'_>) -> PyResult<Vec<sheet::Merged>> {
        Ok(py.detach(|| guarded(|| self.stream.merged()))?)
    }

    /// Iterate over all rows in blocks of at most so many.
    fn blocks(slf: Bound<'_, Self>, rows: u32) -> Blocks {
        let sheet = slf.get();
        Blocks { blocks: stream::Blocks::new(&sheet.stream), rows, first_column: sheet.first_column, _sheet: slf.unbind() }
    }
}

impl Drop for Sheet {
    fn drop(&mut self) {
        self.stream.cancel();
    }
}

/// An iterator over the blocks of a sheet: the first row of each, from 0, and its columns.
#[pyclass(module = "tui_importer_native._native")]
struct Blocks {
    blocks: stream::Blocks,
    rows: u32,
    first_column: u32,
    /// It stops reading when it is gone.
    _sheet: Py<Sheet>,
}

#[pymethods]
impl Blocks {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<(u32, Vec<Column>)>> {
        let (blocks, rows) = (&mut self.blocks, self.rows);
        let Some(block) = py.detach(|| guarded(|| blocks.next(rows)))? else { return Ok(None) };
        let cells = Arc::new(block.cells);
        let (start, stop) = (block.first_row, block.first_row + block.rows);
        let columns = self.first_column..block.end_column.max(self.first_column + 1);
        Ok(Some((start, columns.map(|column| Column::of_sheet(&cells, column, start, stop)).collect())))
    }
}

/// An iterator over the records of delimited text, as [`Blocks`]. Raises `UnusualError` at a record that is not
/// well-formed.
#[pyclass(module = "tui_importer_native._native")]
struct TextBlocks {
    records: delimited::Records,
    rows: u32,
}

#[pymethods]
impl TextBlocks {
    /// Read a text in UTF-8, at most so many rows at once. `separator_line`: the first record is a blank one.
    #[new]
    #[pyo3(signature = (path, rows, *, delimiter, quote, separator_line))]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        rows: u32,
        delimiter: char,
        quote: Option<char>,
        separator_line: bool,
    ) -> PyResult<Self> {
        let open = || {
            let byte = |character| match u8::try_from(character) {
                Ok(byte) if byte.is_ascii() && !matches!(byte, b'\r' | b'\n') => Ok(byte),
                _ => unusual::unusual("the delimiter or the quote is unusual"),
            };
            let (delimiter, quote) = (byte(delimiter)?, quote.map(byte).transpose()?);
            if quote == Some(delimiter) {
                return unusual::unusual("the delimiter is the quote");
            }
            delimited::Records::open(&path, delimited::Dialect { delimiter, quote, separator_line })
        };
        Ok(Self { records: py.detach(|| guarded(open))?, rows })
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<(u32, Vec<Column>)>> {
        let (records, rows) = (&mut self.records, self.rows);
        let Some(block) = py.detach(|| guarded(|| records.next(rows)))? else { return Ok(None) };
        let cells = Arc::new(block.cells);
        let columns = (0..block.width).map(|column| Column::of_sheet(&cells, column, 0, block.rows));
        Ok(Some((block.first_row, columns.collect())))
    }
}

/// Whether a file is in UTF-8, and whether a backslash stands in front of a quote somewhere in it.
#[pyfunction]
fn examine(py: Python<'_>, path: PathBuf) -> PyResult<(bool, bool)> {
    Ok(py.detach(|| guarded(|| delimited::examine(&path)))?)
}

/// A sum over the cells of some rows, the first of which is `first_row`, in columns of which the first is
/// `first_column`: other cells have another sum. How they are cut into blocks does not matter, and blanks are left out.
#[pyfunction]
fn digest(first_row: u32, first_column: u32, columns: Vec<PyRef<'_, Column>>) -> u64 {
    let each = |(number, column): (u32, &PyRef<'_, Column>)| column.digest(first_row, first_column + number);
    (0..).zip(&columns).map(each).fold(0, u64::wrapping_add)
}

/// Have each connection to SQLite that is opened from now on know the virtual table that reads encoded rows. `library` is
/// the path of Python's own module for SQLite. Returns whether that was possible.
#[pyfunction]
fn register_sqlite_rows(library: PathBuf) -> bool {
    sqlite::register(library.as_os_str())
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("API_VERSION", API_VERSION)?;
    module.add("UnusualError", py.get_type::<UnusualError>())?;
    module.add("STORE", copy::Store::shared(py)?)?;
    module.add_class::<Workbook>()?;
    module.add_class::<Sheet>()?;
    module.add_class::<Blocks>()?;
    module.add_class::<TextBlocks>()?;
    module.add_function(wrap_pyfunction!(digest, module)?)?;
    module.add_function(wrap_pyfunction!(examine, module)?)?;
    module.add_function(wrap_pyfunction!(register_sqlite_rows, module)?)?;
    module.add_class::<Column>()?;
    module.add_class::<copy::Store>()?;
    module.add_class::<copy::EncodedRows>()?;
    module.add_class::<records::Records>()?;
    module.add_class::<copy::Chunks>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_unusual() {
        assert!(guarded::<()>(|| panic!("on purpose")).is_err());
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }
}
