//! The columns of a batch, over the cells of a sheet: facts about them, casts, and Python values of those that are asked
//! for. It implements `tui_importer.Column`.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyBytes, PyDate, PyDateTime, PyDelta, PyFloat, PyFrozenSet, PyList, PySlice, PyString, PyTime, PyTuple, PyType,
};

use crate::calendar;
use crate::cells::{kind, Builder, Cells, Chunk, ChunkColumn, Value, CHUNK_ROWS};
use crate::numbers;
use crate::written;

/// Kinds that only casts make.
pub const INTEGER: u16 = 1 << 10;
pub const DECIMAL: u16 = 1 << 11;

const DAY: i64 = 86_400_000_000;
/// Whole floats below this have at most the 15 digits that a spreadsheet program keeps.
const MAX_SHOWN_FLOAT: f64 = 1e15;
/// Powers of ten up to this exponent are doubles, and Python's decimals of so many digits are exact.
const EXACT_POWER: u32 = 22;

/// A cell of a column, as what it was cast to.
#[derive(Clone, Copy)]
pub enum Item<'a> {
    Blank,
    Text(&'a str),
    Float(f64),
    /// A number that the database keeps in single precision.
    Single(f64),
    Bool(bool),
    Integer(i64),
    /// A whole number as text.
    WholeText(i64),
    /// A number with so many digits after the decimal point; any if None.
    Decimal(f64, Option<u32>),
    Datetime(i64),
    Date(i64),
    Time(i64),
    Span(i64),
    Error(&'a str),
    Formula(&'a str),
    /// An empty text that is no blank.
    Empty,
    /// A text that is a number, to be read as a float or else as a decimal.
    Written(&'a str, NumberKind),
}

/// What a text that is a number is read as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NumberKind {
    Float,
    Decimal,
}

/// What the cells of a column become.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cast {
    Same,
    /// Floats as they are, to be written in single precision.
    Single,
    Integer,
    WholeText,
    Decimal(Option<u32>),
    /// Midnights to dates.
    Date,
    /// Dates to midnights.
    Datetime,
    /// Texts in standard forms to what they mean.
    Read(Reading),
}

/// What texts in standard forms are read as.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Integer,
    Float,
    Decimal,
    Date,
    Datetime,
}

impl Reading {
    fn kind(self) -> u16 {
        match self {
            Reading::Integer => INTEGER,
            Reading::Float => kind::FLOAT,
            Reading::Decimal => DECIMAL,
            Reading::Date => kind::DATE,
            Reading::Datetime => kind::DATETIME,
        }
    }

    /// The value of a text that has the form.
    fn item(self, text: &str) -> Item<'_> {
        match self {
            Reading::Integer => Item::Integer(written::integer(text).unwrap_or_default()),
            Reading::Float => Item::Written(text, NumberKind::Float),
            Reading::Decimal => Item::Written(text, NumberKind::Decimal),
            Reading::Date => Item::Date(written::date(text).unwrap_or_default()),
            Reading::Datetime => Item::Datetime(written::datetime(text).unwrap_or_default()),
        }
    }
}

/// Rows of a sheet, from 0.
#[derive(Clone)]
enum Rows {
    Range(u32, u32),
    List(Arc<Vec<u32>>),
}

impl Rows {
    fn len(&self) -> usize {
        match self {
            Rows::Range(start, stop) => (stop - start) as usize,
            Rows::List(rows) => rows.len(),
        }
    }

    #[inline]
    fn get(&self, offset: usize) -> u32 {
        match self {
            Rows::Range(start, _) => start + offset as u32,
            Rows::List(rows) => rows.get(offset).copied().unwrap_or(u32::MAX),
        }
    }

    fn slice(&self, start: usize, stop: usize) -> Self {
        match self {
            Rows::Range(first, _) => Rows::Range(first + start as u32, first + stop as u32),
            Rows::List(rows) => Rows::List(Arc::new(rows[start..stop].to_vec())),
        }
    }
}

/// Reads the cells of a column one after another, faster than each by itself.
pub struct Cursor<'a> {
    column: &'a Column,
    number: u32,
    chunk: Option<&'a Chunk>,
    cells: Option<&'a ChunkColumn>,
}

impl<'a> Cursor<'a> {
    pub fn new(column: &'a Column) -> Self {
        Self { column, number: u32::MAX, chunk: None, cells: None }
    }

    /// The cell at an offset.
    #[inline]
    pub fn item(&mut self, offset: usize) -> Item<'a> {
        let value = self.value(offset);
        self.column.item_of(value, self.chunk)
    }

    /// The same as it is in the sheet.
    #[inline]
    fn value(&mut self, offset: usize) -> Value {
        let row = self.column.rows.get(offset);
        if row / CHUNK_ROWS != self.number {
            self.number = row / CHUNK_ROWS;
            self.chunk = self.column.cells.chunk(self.number);
            self.cells = self.chunk.and_then(|chunk| chunk.column(self.column.column));
        }
        self.cells.map_or(Value::Blank, |cells| cells.get((row % CHUNK_ROWS) as usize))
    }
}

#[derive(Clone, Copy)]
struct Facts {
    kinds: u16,
    blanks: usize,
    integral: bool,
}

/// The cells of one column of a batch.
#[pyclass(frozen, module = "tui_importer_native._native")]
pub struct Column {
    cells: Arc<Cells>,
    column: u32,
    rows: Rows,
    cast: Cast,
    facts: OnceLock<Facts>,
}

impl Column {
    /// A column of rows `start` to `stop` (exclusive) of a sheet.
    pub fn of_sheet(cells: &Arc<Cells>, column: u32, start: u32, stop: u32) -> Self {
        Self::new(Arc::clone(cells), column, Rows::Range(start, stop), Cast::Same)
    }

    fn new(cells: Arc<Cells>, column: u32, rows: Rows, cast: Cast) -> Self {
        Self { cells, column, rows, cast, facts: OnceLock::new() }
    }

    fn with(&self, rows: Rows, cast: Cast) -> Self {
        Self::new(Arc::clone(&self.cells), self.column, rows, cast)
    }

    /// The same column once more.
    pub fn copied(&self) -> Self {
        Self { facts: self.facts.clone(), ..self.with(self.rows.clone(), self.cast) }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The cell at an offset.
    #[inline]
    pub fn item(&self, offset: usize) -> Item<'_> {
        let (value, chunk) = self.cells.get(self.rows.get(offset), self.column);
        self.item_of(value, chunk)
    }

    #[inline]
    fn item_of<'a>(&'a self, value: Value, chunk: Option<&'a Chunk>) -> Item<'a> {
        let text = |start, length| chunk.map_or("", |chunk| chunk.text(start, length));
        let read = |text| match self.cast {
            Cast::Read(reading) => reading.item(text),
            _ => Item::Text(text),
        };
        match (value, self.cast) {
            (Value::Blank, _) => Item::Blank,
            (Value::Shared(number), _) => read(self.cells.string(number)),
            (Value::Text(start, length), _) => read(text(start, length)),
            (Value::Float(number), Cast::Integer) => Item::Integer(number as i64),
            (Value::Float(number), Cast::WholeText) => Item::WholeText(number as i64),
            (Value::Float(number), Cast::Decimal(scale)) => Item::Decimal(number, scale),
            (Value::Float(number), Cast::Single) => Item::Single(number),
            (Value::Float(number), _) => Item::Float(number),
            (Value::Bool(truth), _) => Item::Bool(truth),
            (Value::Datetime(moment), Cast::Date) => Item::Date(moment.div_euclid(DAY)),
            (Value::Datetime(moment), _) => Item::Datetime(moment),
            (Value::Date(day), Cast::Datetime) => Item::Datetime(day * DAY),
            (Value::Date(day), _) => Item::Date(day),
            (Value::Time(time), _) => Item::Time(time),
            (Value::Span(span), _) => Item::Span(span),
            (Value::Error(start, length), _) => Item::Error(text(start, length)),
            (Value::Formula(start, length), _) => Item::Formula(text(start, length)),
            (Value::Empty, _) => Item::Empty,
        }
    }

    pub fn items(&self) -> impl ExactSizeIterator<Item = Item<'_>> {
        let mut cursor = Cursor::new(self);
        (0..self.len()).map(move |offset| cursor.item(offset))
    }

    fn raw(&self) -> impl Iterator<Item = Value> + '_ {
        let mut cursor = Cursor::new(self);
        (0..self.len()).map(move |offset| cursor.value(offset))
    }

    /// The facts of the cells before they are cast.
    fn facts(&self) -> Facts {
        *self.facts.get_or_init(|| {
            let mut facts = Facts { kinds: 0, blanks: 0, integral: true };
            for value in self.raw() {
                match value {
                    Value::Blank => facts.blanks += 1,
                    Value::Float(number) => {
                        facts.kinds |= kind::FLOAT;
                        facts.integral &= number == number.trunc() && number.is_finite();
                    }
                    value => facts.kinds |= value.kind(),
                }
            }
            facts
        })
    }

    /// The kinds of the cells as they are cast.
    fn kinds_mask(&self) -> u16 {
        let kinds = self.facts().kinds;
        let replaced = |from: u16, to: u16| if kinds & from == 0 { kinds } else { (kinds & !from) | to };
        match self.cast {
            Cast::Same | Cast::Single => kinds,
            Cast::Integer => replaced(kind::FLOAT, INTEGER),
            Cast::WholeText => replaced(kind::FLOAT, kind::TEXT),
            Cast::Decimal(_) => replaced(kind::FLOAT, DECIMAL),
            Cast::Date => replaced(kind::DATETIME, kind::DATE),
            Cast::Datetime => replaced(kind::DATE, kind::DATETIME),
            Cast::Read(reading) => replaced(kind::TEXT, reading.kind()),
        }
    }

    /// Whether any text may hold a NUL.
    fn may_have_nul(&self) -> bool {
        self.facts().kinds & kind::TEXT != 0 && self.cells.may_have_nul()
    }

    fn finds_nul(&self) -> bool {
        self.may_have_nul() && self.items().any(|item| matches!(item, Item::Text(text) if text.contains('\0')))
    }

    /// Whether no cell is of any but this kind, or blank.
    pub fn has_only(&self, kind: u16) -> bool {
        self.kinds_mask() & !kind == 0
    }

    /// Whether floats are to be written in single precision.
    pub fn is_single(&self) -> bool {
        self.cast == Cast::Single
    }

    /// Whether every cell can be written into a COPY.
    pub fn can_be_copied(&self) -> bool {
        self.facts().kinds & (kind::ERROR | kind::FORMULA | kind::EMPTY) == 0 && !self.finds_nul()
    }

    fn least_and_greatest_float(&self) -> Option<(f64, f64)> {
        let mut found: Option<(f64, f64)> = None;
        for value in self.raw() {
            if let Value::Float(number) = value {
                if !number.is_finite() {
                    return None;
                }
                let (least, greatest) = found.unwrap_or((number, number));
                found = Some((least.min(number), greatest.max(number)));
            }
        }
        found
    }

    /// How the column is cast to a type; None if that is left to Python.
    fn cast_to(&self, type_: &Type) -> Option<Cast> {
        if self.cast != Cast::Same {
            return None;
        }
        let facts = self.facts();
        if facts.kinds == 0 {
            return Some(Cast::Same);
        }
        if facts.kinds == kind::TEXT {
            if let Some(reading) = self.reading(type_) {
                return Some(Cast::Read(reading));
            }
        }
        let floats = || if facts.kinds == kind::FLOAT { self.least_and_greatest_float() } else { None };
        match type_.kind.as_str() {
            "text" | "other" if facts.kinds == kind::TEXT => {
                let fits = !self.finds_nul() && type_.length.is_none_or(|length| self.longest_text() <= length);
                fits.then_some(Cast::Same)
            }
            "text" | "other" if type_.length.is_none() && facts.integral => {
                let (least, greatest) = floats()?;
                (least > -MAX_SHOWN_FLOAT && greatest < MAX_SHOWN_FLOAT).then_some(Cast::WholeText)
            }
            "integer" if facts.integral => {
                let (least, greatest) = floats()?;
                let limit = 2_f64.powi(type_.bits as i32 - 1);
                // The greatest 64 bit integer is no double; below, doubles are exact.
                let fits = if type_.bits == 64 { greatest < limit } else { greatest <= limit - 1.0 };
                (type_.bits <= 64 && least >= -limit && fits).then_some(Cast::Integer)
            }
            "float" => {
                let (least, greatest) = floats()?;
                let single = -f64::from(f32::MAX) <= least && greatest <= f64::from(f32::MAX);
                match type_.bits {
                    64 => Some(Cast::Same),
                    32 if single => Some(Cast::Single),
                    _ => None,
                }
            }
            "numeric" => {
                let (least, greatest) = floats()?;
                let Some(precision) = type_.precision else { return Some(Cast::Decimal(None)) };
                let scale = type_.scale.unwrap_or(0);
                if precision > EXACT_POWER || scale > precision {
                    return None;
                }
                let limit = 10_f64.powi((precision - scale) as i32);
                let mut text = Vec::new();
                let fits = |value| match value {
                    Value::Float(number) => {
                        text.clear();
                        // Rounding to 15 digits may reach the limit.
                        numbers::push_decimal(number, Some(scale), &mut text)
                            && std::str::from_utf8(&text).is_ok_and(|text| text.parse().is_ok_and(|shown: f64| shown.abs() < limit))
                    }
                    _ => true,
                };
                (-limit < least && greatest < limit && self.raw().all(fits)).then_some(Cast::Decimal(Some(scale)))
            }
            "boolean" if facts.kinds == kind::BOOL => Some(Cast::Same),
            "date" if facts.kinds == kind::DATE => Some(Cast::Same),
            "date" if facts.kinds & !(kind::DATE | kind::DATETIME) == 0 => {
                let midnights = self.raw().all(|value| !matches!(value, Value::Datetime(moment) if moment.rem_euclid(DAY) != 0));
                midnights.then_some(Cast::Date)
            }
            "timestamp" if facts.kinds == kind::DATETIME => Some(Cast::Same),
            "timestamp" if facts.kinds & !(kind::DATE | kind::DATETIME) == 0 => Some(Cast::Datetime),
            "time" if facts.kinds == kind::TIME => Some(Cast::Same),
            "interval" if facts.kinds == kind::SPAN => Some(Cast::Same),
            _ => None,
        }
    }

    /// What all texts of the column are read as, for a type; None if one of them does not have its standard form.
    fn reading(&self, type_: &Type) -> Option<Reading> {
        let all = |is_it: &dyn Fn(&str) -> bool| {
            self.items().all(|item| match item {
                Item::Text(text) => is_it(text),
                _ => true,
            })
        };
        let found = match type_.kind.as_str() {
            "integer" if type_.bits <= 64 => {
                let (least, greatest) = (i64::MIN >> (64 - type_.bits), i64::MAX >> (64 - type_.bits));
                all(&|text| written::integer(text).is_some_and(|number| (least..=greatest).contains(&number))).then_some(Reading::Integer)
            }
            "float" if type_.bits == 64 => all(&written::is_float).then_some(Reading::Float),
            "numeric" => {
                let limits = type_.precision.map(|precision| (precision, type_.scale.unwrap_or(0)));
                all(&|text| written::is_decimal(text, limits)).then_some(Reading::Decimal)
            }
            "date" => all(&|text| written::date(text).is_some()).then_some(Reading::Date),
            "timestamp" if !type_.timezone => all(&|text| written::datetime(text).is_some()).then_some(Reading::Datetime),
            _ => None,
        };
        found
    }

    /// Whether a column of Python values could be cast where this one cannot: texts that are numbers or dates, and numbers
    /// that are very long or too large for single precision.
    fn may_be_cast_by_python(&self, type_: &Type) -> bool {
        match self.kinds_mask() {
            kind::TEXT => matches!(type_.kind.as_str(), "integer" | "float" | "numeric" | "date" | "timestamp"),
            kind::FLOAT => matches!(type_.kind.as_str(), "numeric" | "float"),
            // What was cast already is cast again.
            _ => self.cast != Cast::Same,
        }
    }

    /// A sum over the cells that are not blank, by their places in a sheet.
    pub fn digest(&self, first_row: u32, column: u32) -> u64 {
        let mut sum = 0_u64;
        for (row, item) in (u64::from(first_row)..).zip(self.items()) {
            let (number, text) = match item {
                Item::Blank => continue,
                Item::Empty => (0, ""),
                Item::Text(text) | Item::Written(text, _) | Item::Error(text) | Item::Formula(text) => (0, text),
                Item::Float(number) | Item::Single(number) | Item::Decimal(number, _) => (number.to_bits(), ""),
                Item::Bool(truth) => (truth.into(), ""),
                Item::Integer(number) | Item::WholeText(number) => (number as u64, ""),
                Item::Datetime(number) | Item::Date(number) | Item::Time(number) | Item::Span(number) => (number as u64, ""),
            };
            let mut hash = mixed(row << 24 | u64::from(column), item_kind(&item).into());
            hash = mixed(hash ^ number, text.len() as u64);
            for piece in text.as_bytes().chunks(8) {
                let mut bytes = [0; 8];
                bytes[..piece.len()].copy_from_slice(piece);
                hash = mixed(hash, u64::from_le_bytes(bytes));
            }
            sum = sum.wrapping_add(mixed(hash, 0));
        }
        sum
    }

    /// The characters of the longest text. A text of fewer bytes than that need not be counted.
    fn longest_text(&self) -> usize {
        self.items().fold(0, |longest, item| match item {
            Item::Text(text) if text.len() > longest => longest.max(text.chars().count()),
            Item::WholeText(number) => longest.max(number.to_string().len()),
            _ => longest,
        })
    }
}

/// One step of a hash (as in wyhash): the halves of a product.
#[inline]
fn mixed(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ 0x9e37_79b9_7f4a_7c15) * u128::from(value ^ 0xd1b5_4a32_d192_ed03);
    (product >> 64) as u64 ^ product as u64
}

/// A column type of the program.
struct Type {
    kind: String,
    length: Option<usize>,
    bits: u32,
    precision: Option<u32>,
    scale: Option<u32>,
    timezone: bool,
}

impl Type {
    fn of(type_: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok(Self {
            kind: type_.getattr("kind")?.extract()?,
            length: type_.getattr("length")?.extract()?,
            bits: type_.getattr("bits")?.extract()?,
            precision: type_.getattr("precision")?.extract()?,
            scale: type_.getattr("scale")?.extract()?,
            timezone: type_.getattr("timezone")?.extract()?,
        })
    }
}

#[pymethods]
impl Column {
    /// A column of these cells, for tests and for columns that come from another process. Raises TypeError for a kind of
    /// cell that no workbook has.
    #[staticmethod]
    #[pyo3(signature = (cells, cast = None))]
    fn from_cells(cells: &Bound<'_, PyAny>, cast: Option<(u8, Option<u32>)>) -> PyResult<Self> {
        let mut builder = Builder::new(Arc::default(), u64::MAX);
        builder.expect(u64::MAX);
        let mut count = 0;
        for cell in cells.try_iter()? {
            let value = value_of(&cell?, count, &mut builder)?;
            builder.add(count, 0, value).map_err(|error| PyTypeError::new_err(error.to_string()))?;
            count += 1;
        }
        builder.finish().map_err(|error| PyTypeError::new_err(error.to_string()))?;
        let cells = Cells::new(Arc::clone(&builder.strings), 0, builder.take());
        Ok(Self::new(Arc::new(cells), 0, Rows::Range(0, count), cast_of(cast)))
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyTuple>)> {
        let same = self.with(self.rows.clone(), Cast::Same);
        let make = py.get_type::<Self>().getattr("from_cells")?;
        let cast = match self.cast {
            Cast::Same => (0, None),
            Cast::Single => (1, None),
            Cast::Integer => (2, None),
            Cast::WholeText => (3, None),
            Cast::Decimal(scale) => (4, scale),
            Cast::Date => (5, None),
            Cast::Datetime => (6, None),
            Cast::Read(Reading::Integer) => (7, None),
            Cast::Read(Reading::Float) => (8, None),
            Cast::Read(Reading::Decimal) => (9, None),
            Cast::Read(Reading::Date) => (10, None),
            Cast::Read(Reading::Datetime) => (11, None),
        };
        Ok((make, (same.values(py)?, cast).into_pyobject(py)?))
    }

    fn __len__(&self) -> usize {
        self.len()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("Column({})", self.values(py)?.repr()?))
    }

    #[getter]
    fn kinds<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyFrozenSet>> {
        let names = Names::get(py)?;
        let kinds = self.kinds_mask();
        let found = names.kinds.iter().filter(|(mask, _)| kinds & mask != 0).map(|(_, class)| class.bind(py));
        PyFrozenSet::new(py, found)
    }

    #[getter]
    fn blanks(&self) -> usize {
        self.facts().blanks
    }

    #[getter]
    fn longest(&self) -> usize {
        self.longest_text()
    }

    #[getter]
    fn has_nul(&self) -> bool {
        self.finds_nul()
    }

    #[getter]
    fn integral(&self) -> bool {
        if self.cast == Cast::Read(Reading::Float) {
            let is_whole = |item| !matches!(item, Item::Written(text, _) if written::float(text).fract() != 0.0);
            return self.items().all(is_whole);
        }
        // What floats are cast to are no floats any more.
        self.facts().integral || self.kinds_mask() & kind::FLOAT == 0
    }

    fn extremes<'py>(&self, py: Python<'py>, kind: &Bound<'py, PyAny>) -> PyResult<Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>> {
        let names = Names::get(py)?;
        let Some(&(mask, _)) = names.kinds.iter().find(|(_, class)| class.bind(py).is(kind)) else {
            return Ok(None);
        };
        let mut found: Option<(Item<'_>, Item<'_>)> = None;
        for item in self.items().filter(|item| item_kind(item) == mask) {
            let Some((least, greatest)) = &mut found else {
                if let Item::Float(number) | Item::Decimal(number, _) = item {
                    if !number.is_finite() {
                        return Ok(None);
                    }
                }
                found = Some((item, item));
                continue;
            };
            let (Some(below), Some(above)) = (compare(&item, least), compare(&item, greatest)) else {
                return Ok(None);
            };
            if below == Ordering::Less {
                *least = item;
            }
            if above == Ordering::Greater {
                *greatest = item;
            }
        }
        found.map(|(least, greatest)| Ok((object(py, least)?, object(py, greatest)?))).transpose()
    }

    #[getter]
    fn blank_mask<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        PyBytes::new_with(py, self.len(), |mask| {
            if self.facts().blanks > 0 {
                for (byte, value) in mask.iter_mut().zip(self.raw()) {
                    *byte = u8::from(value == Value::Blank);
                }
            }
            Ok(())
        })
    }

    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let objects = self.items().map(|item| object(py, item)).collect::<PyResult<Vec<_>>>()?;
        PyList::new(py, objects)
    }

    fn take<'py>(&self, py: Python<'py>, rows: Vec<usize>) -> PyResult<Bound<'py, PyList>> {
        let length = self.len();
        let objects = rows.into_iter().map(|row| {
            if row >= length {
                return Err(pyo3::exceptions::PyIndexError::new_err(row));
            }
            object(py, self.item(row))
        });
        PyList::new(py, objects.collect::<PyResult<Vec<_>>>()?)
    }

    fn cast<'py>(slf: &Bound<'py, Self>, type_: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let this = slf.get();
        let wanted = Type::of(type_)?;
        match this.cast_to(&wanted) {
            Some(Cast::Same) => Ok(Some(slf.clone().into_any())),
            Some(cast) => {
                let made = Self { facts: this.facts.clone(), ..this.with(this.rows.clone(), cast) };
                Ok(Some(Bound::new(py, made)?.into_any()))
            }
            None if this.may_be_cast_by_python(&wanted) => {
                let list = Names::get(py)?.list_column.bind(py).call1((this.values(py)?,))?;
                list.call_method1("cast", (type_,)).map(Some)
            }
            None => Ok(None),
        }
    }

    #[getter]
    fn store(&self, py: Python<'_>) -> PyResult<Py<crate::copy::Store>> {
        crate::copy::Store::shared(py)
    }

    fn slice(&self, py: Python<'_>, start: isize, stop: isize) -> PyResult<Self> {
        let length = self.len() as isize;
        // As Python's own slices, which are never out of bounds.
        let bounds = PySlice::new(py, start, stop, 1).indices(length)?;
        let (start, stop) = (bounds.start as usize, bounds.stop.max(bounds.start) as usize);
        if start == 0 && stop == self.len() {
            return Ok(self.copied());
        }
        Ok(self.with(self.rows.slice(start, stop), self.cast))
    }

    fn keep(&self, selected: &Bound<'_, PyAny>) -> PyResult<Self> {
        let mut rows = Vec::with_capacity(self.len());
        // A list of truth values becomes bytes at once.
        let bytes = selected.py().get_type::<PyBytes>().call1((selected,)).and_then(|bytes| Ok(bytes.cast_into::<PyBytes>()?));
        match bytes {
            Ok(bytes) => {
                let kept = bytes.as_bytes().iter().take(self.len()).enumerate().filter(|(_, &kept)| kept != 0);
                rows.extend(kept.map(|(offset, _)| self.rows.get(offset)));
            }
            Err(_) => {
                for (offset, kept) in selected.try_iter()?.take(self.len()).enumerate() {
                    if kept?.is_truthy()? {
                        rows.push(self.rows.get(offset));
                    }
                }
            }
        }
        Ok(self.with(Rows::List(Arc::new(rows)), self.cast))
    }
}

fn cast_of(code: Option<(u8, Option<u32>)>) -> Cast {
    match code {
        Some((1, _)) => Cast::Single,
        Some((2, _)) => Cast::Integer,
        Some((3, _)) => Cast::WholeText,
        Some((4, scale)) => Cast::Decimal(scale),
        Some((5, _)) => Cast::Date,
        Some((6, _)) => Cast::Datetime,
        Some((7, _)) => Cast::Read(Reading::Integer),
        Some((8, _)) => Cast::Read(Reading::Float),
        Some((9, _)) => Cast::Read(Reading::Decimal),
        Some((10, _)) => Cast::Read(Reading::Date),
        Some((11, _)) => Cast::Read(Reading::Datetime),
        _ => Cast::Same,
    }
}

fn item_kind(item: &Item<'_>) -> u16 {
    match item {
        Item::Blank => kind::BLANK,
        Item::Text(_) | Item::WholeText(_) => kind::TEXT,
        Item::Float(_) | Item::Single(_) => kind::FLOAT,
        Item::Bool(_) => kind::BOOL,
        Item::Integer(_) => INTEGER,
        Item::Decimal(..) => DECIMAL,
        Item::Datetime(_) => kind::DATETIME,
        Item::Date(_) => kind::DATE,
        Item::Time(_) => kind::TIME,
        Item::Span(_) => kind::SPAN,
        Item::Error(_) => kind::ERROR,
        Item::Formula(_) => kind::FORMULA,
        Item::Empty => kind::EMPTY,
        Item::Written(_, NumberKind::Float) => kind::FLOAT,
        Item::Written(_, NumberKind::Decimal) => DECIMAL,
    }
}

/// The order of two cells of one kind; None if they have none, or are not finite.
fn compare(one: &Item<'_>, other: &Item<'_>) -> Option<Ordering> {
    match (one, other) {
        (Item::Text(one), Item::Text(other)) => Some(one.cmp(other)),
        (Item::WholeText(one), Item::WholeText(other)) => Some(one.to_string().cmp(&other.to_string())),
        (Item::Float(one), Item::Float(other))
        | (Item::Single(one), Item::Single(other))
        | (Item::Decimal(one, _), Item::Decimal(other, _)) => {
            if one.is_finite() && other.is_finite() { one.partial_cmp(other) } else { None }
        }
        (Item::Bool(one), Item::Bool(other)) => Some(one.cmp(other)),
        (Item::Written(one, NumberKind::Float), Item::Written(other, _)) => {
            written::float(one).partial_cmp(&written::float(other))
        }
        (Item::Written(one, NumberKind::Decimal), Item::Written(other, _)) => Some(written::compare(one, other)),
        (Item::Integer(one), Item::Integer(other))
        | (Item::Datetime(one), Item::Datetime(other))
        | (Item::Date(one), Item::Date(other))
        | (Item::Time(one), Item::Time(other))
        | (Item::Span(one), Item::Span(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

/// A cell as a Python object.
pub fn object<'py>(py: Python<'py>, item: Item<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match item {
        Item::Blank => py.None().into_bound(py),
        Item::Text(text) => PyString::new(py, text).into_any(),
        Item::Float(number) | Item::Single(number) => PyFloat::new(py, number).into_any(),
        Item::Bool(truth) => PyBool::new(py, truth).to_owned().into_any(),
        Item::Integer(number) => number.into_pyobject(py)?.into_any(),
        Item::WholeText(number) => PyString::new(py, &number.to_string()).into_any(),
        Item::Decimal(number, scale) => {
            let mut text = Vec::new();
            numbers::push_decimal(number, scale, &mut text);
            Names::get(py)?.decimal.bind(py).call1((String::from_utf8_lossy(&text),))?
        }
        Item::Datetime(moment) => {
            let (year, month, day) = calendar::date(moment.div_euclid(DAY));
            let (hour, minute, second, microsecond) = calendar::time(moment.rem_euclid(DAY));
            PyDateTime::new(py, year, month, day, hour, minute, second, microsecond, None)?.into_any()
        }
        Item::Date(day) => {
            let (year, month, day) = calendar::date(day);
            PyDate::new(py, year, month, day)?.into_any()
        }
        Item::Time(time) => {
            let (hour, minute, second, microsecond) = calendar::time(time);
            PyTime::new(py, hour, minute, second, microsecond, None)?.into_any()
        }
        Item::Span(span) => {
            let (days, rest) = (span.div_euclid(DAY), span.rem_euclid(DAY));
            PyDelta::new(py, days as i32, (rest / 1_000_000) as i32, (rest % 1_000_000) as i32, false)?.into_any()
        }
        Item::Error(code) => Names::get(py)?.cell_error.bind(py).call1((code,))?,
        Item::Formula(text) => Names::get(py)?.uncalculated.bind(py).call1((text,))?,
        Item::Empty => Names::get(py)?.empty.bind(py).call0()?,
        Item::Written(text, NumberKind::Float) => PyFloat::new(py, written::float(text)).into_any(),
        Item::Written(text, NumberKind::Decimal) => Names::get(py)?.decimal.bind(py).call1((text,))?,
    })
}

/// A Python object as a cell.
fn value_of(cell: &Bound<'_, PyAny>, row: u32, builder: &mut Builder) -> PyResult<Value> {
    let py = cell.py();
    if cell.is_none() {
        return Ok(Value::Blank);
    }
    let names = Names::get(py)?;
    let class = cell.get_type();
    let found = names.kinds.iter().find(|(_, known)| known.bind(py).is(&class)).map(|(mask, _)| *mask);
    let mut keep = |text: String| {
        builder.keep(row, text.as_bytes()).map_err(|error| PyTypeError::new_err(error.to_string()))
    };
    Ok(match found {
        Some(kind::TEXT) => {
            let (start, length) = keep(cell.extract()?)?;
            Value::Text(start, length)
        }
        Some(kind::ERROR) => {
            let (start, length) = keep(cell.getattr("code")?.extract()?)?;
            Value::Error(start, length)
        }
        Some(kind::FORMULA) => {
            let (start, length) = keep(cell.getattr("text")?.extract()?)?;
            Value::Formula(start, length)
        }
        Some(kind::EMPTY) => Value::Empty,
        Some(kind::FLOAT) => Value::Float(cell.extract()?),
        Some(kind::BOOL) => Value::Bool(cell.extract()?),
        Some(kind::DATE) => Value::Date(day_of(cell)?),
        Some(kind::DATETIME) if cell.getattr("tzinfo")?.is_none() => Value::Datetime(day_of(cell)? * DAY + time_of(cell)?),
        Some(kind::TIME) if cell.getattr("tzinfo")?.is_none() => Value::Time(time_of(cell)?),
        Some(kind::SPAN) => {
            let part = |name: &str| cell.getattr(name)?.extract::<i64>();
            let seconds = part("days")? * 86_400 + part("seconds")?;
            match seconds.checked_mul(1_000_000) {
                Some(span) => Value::Span(span + part("microseconds")?),
                None => return Err(PyTypeError::new_err("a time span is very long")),
            }
        }
        _ => return Err(PyTypeError::new_err(format!("no workbook has cells like {}", cell.repr()?))),
    })
}

/// Days since 0001-01-01 of a date.
fn day_of(cell: &Bound<'_, PyAny>) -> PyResult<i64> {
    Ok(cell.call_method0("toordinal")?.extract::<i64>()? - 1)
}

/// Microseconds since midnight of a time.
fn time_of(cell: &Bound<'_, PyAny>) -> PyResult<i64> {
    let part = |name: &str| cell.getattr(name)?.extract::<i64>();
    let seconds = (part("hour")? * 60 + part("minute")?) * 60 + part("second")?;
    Ok(seconds * 1_000_000 + part("microsecond")?)
}

/// What is needed of Python and of the program.
struct Names {
    kinds: Vec<(u16, Py<PyType>)>,
    cell_error: Py<PyAny>,
    uncalculated: Py<PyAny>,
    empty: Py<PyAny>,
    list_column: Py<PyAny>,
    decimal: Py<PyAny>,
}

impl Names {
    fn get(py: Python<'_>) -> PyResult<&Self> {
        static NAMES: PyOnceLock<Names> = PyOnceLock::new();
        NAMES.get_or_try_init(py, || {
            let (builtins, datetime) = (py.import("builtins")?, py.import("datetime")?);
            let program = py.import("tui_importer")?;
            let decimal = py.import("decimal")?.getattr("Decimal")?;
            let classes = [
                (kind::TEXT, builtins.getattr("str")?),
                (kind::FLOAT, builtins.getattr("float")?),
                (kind::BOOL, builtins.getattr("bool")?),
                (INTEGER, builtins.getattr("int")?),
                (kind::DATETIME, datetime.getattr("datetime")?),
                (kind::DATE, datetime.getattr("date")?),
                (kind::TIME, datetime.getattr("time")?),
                (kind::SPAN, datetime.getattr("timedelta")?),
                (kind::ERROR, program.getattr("CellError")?),
                (kind::FORMULA, program.getattr("UncalculatedFormula")?),
                (kind::EMPTY, program.getattr("EmptyText")?),
                (DECIMAL, decimal.clone()),
            ];
            let kinds = classes.into_iter().map(|(mask, class)| Ok((mask, class.cast_into::<PyType>()?.unbind())));
            Ok(Self {
                kinds: kinds.collect::<PyResult<_>>()?,
                cell_error: program.getattr("CellError")?.unbind(),
                uncalculated: program.getattr("UncalculatedFormula")?.unbind(),
                empty: program.getattr("EmptyText")?.unbind(),
                list_column: program.getattr("ListColumn")?.unbind(),
                decimal: decimal.unbind(),
            })
        })
    }
}
