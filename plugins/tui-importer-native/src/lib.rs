//! A reader of xlsx and xlsm workbooks for tui-importer, and columns over its cells.
//!
//! It reads what it knows exactly as the built-in reader does, and leaves everything else to that (`UnusualError`).

mod calendar;
mod cells;
mod column;
mod copy;
mod formats;
mod numbers;
mod package;
mod sheet;
mod strings;
mod unusual;
mod workbook;
mod xml;

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::column::Column;
use crate::package::Package;
use crate::unusual::Unusual;

create_exception!(tui_importer_native._native, UnusualError, PyException, "The file is left to the built-in reader.");

impl From<Unusual> for PyErr {
    fn from(error: Unusual) -> Self {
        UnusualError::new_err(error.0)
    }
}

/// Call a function that reads. What makes it panic, which must never happen, is unusual like anything else.
fn guarded<T>(read: impl FnOnce() -> unusual::Result<T>) -> unusual::Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result,
        Err(_) => unusual::unusual("the compiled reader failed"),
    }
}

/// The version of the program's interface for plugins that this module was made for.
const API_VERSION: u32 = 1;

/// An open workbook. Raises `UnusualError` for one that this reader does not know.
#[pyclass(frozen, module = "tui_importer_native._native")]
struct Workbook {
    package: Package,
    contents: workbook::Workbook,
    /// The shared strings, once a sheet was read.
    strings: Mutex<Option<Arc<cells::Strings>>>,
}

impl Workbook {
    fn read(&self, name: &str) -> unusual::Result<sheet::Sheet> {
        let Some(sheet) = self.contents.sheets.iter().find(|sheet| sheet.name == name) else {
            return unusual::unusual("there is no such sheet");
        };
        let strings = {
            let mut known = self.strings.lock().unwrap_or_else(PoisonError::into_inner);
            match (&*known, &self.contents.strings) {
                (Some(strings), _) => Arc::clone(strings),
                (None, None) => Arc::default(),
                (None, Some(part)) => Arc::clone(known.insert(Arc::new(strings::read(&self.package, part)?))),
            }
        };
        let context = sheet::Context { strings, styles: &self.contents.styles, date1904: self.contents.date1904 };
        sheet::read(&self.package, &sheet.part, &context)
    }
}

#[pymethods]
impl Workbook {
    #[new]
    fn open(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let read = || {
            let package = Package::open(&path)?;
            let contents = workbook::Workbook::read(&package)?;
            Ok((package, contents))
        };
        let (package, contents) = py.detach(|| guarded(read))?;
        Ok(Self { package, contents, strings: Mutex::new(None) })
    }

    /// The name of each worksheet, and whether it is hidden.
    #[getter]
    fn sheets(&self) -> Vec<(String, bool)> {
        self.contents.sheets.iter().map(|sheet| (sheet.name.clone(), sheet.hidden)).collect()
    }

    /// Parse a sheet without the GIL.
    fn sheet(&self, py: Python<'_>, name: &str) -> PyResult<Sheet> {
        let sheet = py.detach(|| guarded(|| self.read(name)))?;
        Ok(Sheet { cells: Arc::new(sheet.cells), merged: sheet.merged })
    }
}

/// A parsed sheet.
#[pyclass(frozen, module = "tui_importer_native._native")]
struct Sheet {
    cells: Arc<cells::Cells>,
    merged: Vec<sheet::Merged>,
}

#[pymethods]
impl Sheet {
    /// The number of rows up to the last one with a cell.
    #[getter]
    fn rows(&self) -> u32 {
        self.cells.rows
    }

    /// The first column with a cell, from 0.
    #[getter]
    fn first_column(&self) -> u32 {
        self.cells.first_column
    }

    /// The merged ranges: first and last row, first and last column, from 0.
    #[getter]
    fn merged(&self) -> Vec<sheet::Merged> {
        self.merged.clone()
    }

    /// The columns of rows `start` to `stop` (exclusive, from 0).
    fn columns(&self, start: u32, stop: u32) -> Vec<Column> {
        let stop = stop.min(self.cells.rows);
        let start = start.min(stop);
        let columns = self.cells.first_column..self.cells.end_column;
        columns.map(|column| Column::of_sheet(&self.cells, column, start, stop)).collect()
    }
}

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("API_VERSION", API_VERSION)?;
    module.add("UnusualError", py.get_type::<UnusualError>())?;
    module.add("STORE", copy::Store::shared(py)?)?;
    module.add_class::<Workbook>()?;
    module.add_class::<Sheet>()?;
    module.add_class::<Column>()?;
    module.add_class::<copy::Store>()?;
    module.add_class::<copy::EncodedRows>()?;
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
