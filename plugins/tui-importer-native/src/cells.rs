//! The cells of a sheet or a text, compactly: for each chunk of rows the filled columns, and for each cell a kind and 64 bits, or 32
//! bits where a column holds nothing but shared strings.

use std::collections::HashMap;
use std::sync::Arc;

use crate::shared::Strings;
use crate::unusual::{unusual, Result};

/// Rows of a chunk.
pub const CHUNK_ROWS: u32 = 256;
/// The limits of a worksheet.
pub const MAX_ROWS: u32 = 1_048_576;
pub const MAX_COLUMNS: u32 = 16_384;
/// A sheet with more cells in its rectangle than this, and fewer than two bytes of XML for each, is nearly empty: the
/// built-in reader says so.
const MANY_CELLS: u64 = 32 << 20;
const BYTES_PER_CELL: u64 = 2;
/// The built-in reader counts at least so many columns.
const NEAR_COLUMNS: u64 = 26;
/// A shared string that is none: a blank cell.
const NO_STRING: u32 = u32::MAX;

/// The kinds of cells. They are bits, so that a byte or two hold a set of them.
pub mod kind {
    pub const BLANK: u16 = 1;
    pub const TEXT: u16 = 1 << 1;
    pub const FLOAT: u16 = 1 << 2;
    pub const BOOL: u16 = 1 << 3;
    pub const DATETIME: u16 = 1 << 4;
    pub const DATE: u16 = 1 << 5;
    pub const TIME: u16 = 1 << 6;
    pub const SPAN: u16 = 1 << 7;
    pub const ERROR: u16 = 1 << 8;
    pub const FORMULA: u16 = 1 << 9;
    pub const EMPTY: u16 = 1 << 12;
}

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    Blank,
    /// A text of the shared strings, by its number.
    Shared(u32),
    /// A text of the chunk's own, by its place.
    Text(u32, u32),
    Float(f64),
    Bool(bool),
    /// Microseconds since 0001-01-01.
    Datetime(i64),
    /// Days since 0001-01-01.
    Date(i64),
    /// Microseconds since midnight.
    Time(i64),
    /// Microseconds.
    Span(i64),
    /// An error, whose code is a text of the chunk's own.
    Error(u32, u32),
    /// A formula that was never calculated; its text is one of the chunk's own.
    Formula(u32, u32),
    /// An empty text that is no blank.
    Empty,
}

impl Value {
    /// The cell's kind.
    pub fn kind(self) -> u16 {
        match self {
            Value::Blank => kind::BLANK,
            Value::Shared(_) | Value::Text(..) => kind::TEXT,
            Value::Float(_) => kind::FLOAT,
            Value::Bool(_) => kind::BOOL,
            Value::Datetime(_) => kind::DATETIME,
            Value::Date(_) => kind::DATE,
            Value::Time(_) => kind::TIME,
            Value::Span(_) => kind::SPAN,
            Value::Error(..) => kind::ERROR,
            Value::Formula(..) => kind::FORMULA,
            Value::Empty => kind::EMPTY,
        }
    }

    /// The cell as a tag and 64 bits.
    fn packed(self) -> (u8, u64) {
        let place = |start: u32, length: u32| (u64::from(start) << 32) | u64::from(length);
        match self {
            Value::Blank => (0, 0),
            Value::Shared(number) => (1, number.into()),
            Value::Text(start, length) => (2, place(start, length)),
            Value::Float(number) => (3, number.to_bits()),
            Value::Bool(truth) => (4, truth.into()),
            Value::Datetime(moment) => (5, moment as u64),
            Value::Date(day) => (6, day as u64),
            Value::Time(time) => (7, time as u64),
            Value::Span(span) => (8, span as u64),
            Value::Error(start, length) => (9, place(start, length)),
            Value::Formula(start, length) => (10, place(start, length)),
            Value::Empty => (11, 0),
        }
    }

    fn unpacked(tag: u8, bits: u64) -> Self {
        let (start, length) = ((bits >> 32) as u32, bits as u32);
        match tag {
            1 => Value::Shared(length),
            2 => Value::Text(start, length),
            3 => Value::Float(f64::from_bits(bits)),
            4 => Value::Bool(bits != 0),
            5 => Value::Datetime(bits as i64),
            6 => Value::Date(bits as i64),
            7 => Value::Time(bits as i64),
            8 => Value::Span(bits as i64),
            9 => Value::Error(start, length),
            10 => Value::Formula(start, length),
            11 => Value::Empty,
            _ => Value::Blank,
        }
    }
}

/// A column of a chunk. It is as long as its last filled cell needs.
#[derive(Debug)]
pub enum ChunkColumn {
    Shared(Vec<u32>),
    Mixed(Vec<u8>, Vec<u64>),
}

impl ChunkColumn {
    fn len(&self) -> usize {
        match self {
            ChunkColumn::Shared(numbers) => numbers.len(),
            ChunkColumn::Mixed(tags, _) => tags.len(),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            ChunkColumn::Shared(numbers) => numbers.capacity() * size_of::<u32>(),
            ChunkColumn::Mixed(tags, bits) => tags.capacity() + bits.capacity() * size_of::<u64>(),
        }
    }

    /// The cell in a row of the chunk.
    #[inline]
    pub fn get(&self, row: usize) -> Value {
        match self {
            ChunkColumn::Shared(numbers) => match numbers.get(row) {
                None | Some(&NO_STRING) => Value::Blank,
                Some(&number) => Value::Shared(number),
            },
            ChunkColumn::Mixed(tags, bits) => match (tags.get(row), bits.get(row)) {
                (Some(&tag), Some(&bits)) => Value::unpacked(tag, bits),
                _ => Value::Blank,
            },
        }
    }

    /// Append a cell in a row that is not before the end.
    fn push(&mut self, row: usize, value: Value) {
        if let (ChunkColumn::Shared(numbers), Value::Shared(number)) = (&mut *self, value) {
            numbers.resize(row, NO_STRING);
            numbers.push(number);
            return;
        }
        if let ChunkColumn::Shared(_) = self {
            let (tags, bits) = (0..self.len()).map(|row| self.get(row).packed()).unzip();
            *self = ChunkColumn::Mixed(tags, bits);
        }
        if let ChunkColumn::Mixed(tags, all_bits) = self {
            let (tag, bits) = value.packed();
            tags.resize(row, 0);
            tags.push(tag);
            all_bits.resize(row, 0);
            all_bits.push(bits);
        }
    }
}

/// Rows that follow one another.
#[derive(Debug, Default)]
pub struct Chunk {
    columns: Vec<Option<ChunkColumn>>,
    /// The texts that are not shared strings.
    pub text: String,
    /// Whether any of them holds a NUL.
    has_nul: bool,
}

impl Chunk {
    /// The column with this number; None if none of its cells is filled.
    #[inline]
    pub fn column(&self, column: u32) -> Option<&ChunkColumn> {
        self.columns.get(column as usize).and_then(Option::as_ref)
    }

    /// A text of the chunk's own.
    #[inline]
    pub fn text(&self, start: u32, length: u32) -> &str {
        let start = start as usize;
        self.text.get(start..start + length as usize).unwrap_or("")
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        let columns = self.columns.iter().flatten().map(ChunkColumn::bytes).sum::<usize>();
        columns + self.columns.capacity() * size_of::<Option<ChunkColumn>>() + self.text.capacity()
    }

    /// The same chunk with the strings in it that are not in memory as texts of its own; None if it holds no such string.
    pub fn loaded(&self, strings: &Strings) -> Result<Option<Self>> {
        let first = strings.in_memory();
        let is_outside = |value: &Value| matches!(value, Value::Shared(number) if *number >= first);
        let outside = |column: &ChunkColumn| (0..column.len()).map(|row| column.get(row)).filter(is_outside).collect::<Vec<_>>();
        let mut numbers: Vec<u32> = Vec::new();
        for value in self.columns.iter().flatten().flat_map(outside) {
            if let Value::Shared(number) = value {
                numbers.push(number);
            }
        }
        if numbers.is_empty() {
            return Ok(None);
        }
        numbers.sort_unstable();
        numbers.dedup();
        let mut text = self.text.clone();
        let mut places = HashMap::with_capacity(numbers.len());
        strings.load(&numbers, |number, string| {
            let (Ok(start), Ok(length)) = (u32::try_from(text.len()), u32::try_from(string.len())) else {
                return unusual("texts are very long");
            };
            text.push_str(string);
            places.insert(number, Value::Text(start, length));
            Ok(())
        })?;
        let replaced = |column: &ChunkColumn| {
            let mut made = ChunkColumn::Shared(Vec::new());
            for row in 0..column.len() {
                match column.get(row) {
                    Value::Blank => {}
                    Value::Shared(number) if number >= first => {
                        made.push(row, places.get(&number).copied().unwrap_or(Value::Blank));
                    }
                    value => made.push(row, value),
                }
            }
            made
        };
        let columns = self.columns.iter().map(|column| column.as_ref().map(replaced)).collect();
        Ok(Some(Self { columns, text, has_nul: self.has_nul || strings.has_nul }))
    }
}

/// The cells of some rows of a sheet. Rows and columns are counted from 0, in the sheet.
#[derive(Debug, Default)]
pub struct Cells {
    strings: Arc<Strings>,
    chunks: Vec<Arc<Chunk>>,
    first_chunk: u32,
    has_nul: bool,
}

impl Cells {
    /// The cells of chunks that follow one another; `first` is the number of the first one.
    pub fn new(strings: Arc<Strings>, first: u32, chunks: Vec<Arc<Chunk>>) -> Self {
        let has_nul = strings.has_nul || chunks.iter().any(|chunk| chunk.has_nul);
        Self { strings, chunks, first_chunk: first, has_nul }
    }

    /// The shared string with this number.
    #[inline]
    pub fn string(&self, number: u32) -> &str {
        self.strings.get(number)
    }

    /// Whether any text may hold a NUL.
    pub fn may_have_nul(&self) -> bool {
        self.has_nul
    }

    /// The chunk with this number in the sheet.
    #[inline]
    pub fn chunk(&self, number: u32) -> Option<&Chunk> {
        self.chunks.get(number.wrapping_sub(self.first_chunk) as usize).map(Arc::as_ref)
    }

    /// The cell in this place, and its chunk.
    #[inline]
    pub fn get(&self, row: u32, column: u32) -> (Value, Option<&Chunk>) {
        let chunk = self.chunk(row / CHUNK_ROWS);
        let cells = chunk.and_then(|chunk| chunk.column(column));
        (cells.map_or(Value::Blank, |cells| cells.get((row % CHUNK_ROWS) as usize)), chunk)
    }
}

/// Where the cells of a sheet are.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// The number of rows up to the last one with a cell.
    pub rows: u32,
    /// The first column with a cell, and the one after the last.
    pub first_column: u32,
    pub end_column: u32,
}

/// Collects the cells of a sheet, row by row and from left to right, and gives them away chunk by chunk.
pub struct Builder {
    pub strings: Arc<Strings>,
    pub extent: Extent,
    /// The chunk that is being filled, and its number.
    chunk: Chunk,
    number: u32,
    finished: Vec<Arc<Chunk>>,
    /// The bytes of XML that there will be.
    xml_bytes: u64,
    /// Places for cells that take memory, filled or not, and how many are allowed.
    slots: u64,
    max_slots: u64,
}

/// The places for cells that an unfilled column of a chunk takes.
const COLUMN_SLOTS: u64 = (size_of::<Option<ChunkColumn>>() / size_of::<u64>()) as u64;

impl Builder {
    /// For the cells of a sheet with so many bytes of XML.
    pub fn new(strings: Arc<Strings>, xml_bytes: u64) -> Self {
        Self {
            strings,
            extent: Extent { rows: 0, first_column: u32::MAX, end_column: 0 },
            chunk: Chunk::default(),
            number: 0,
            finished: Vec::new(),
            xml_bytes,
            slots: 0,
            max_slots: MANY_CELLS,
        }
    }

    /// Add a cell. An empty text is blank, but it belongs to the rectangle of cells. Cells that would take much more memory
    /// than their XML are unusual.
    #[inline]
    pub fn add(&mut self, row: u32, column: u32, value: Value) -> Result<()> {
        self.extent.rows = self.extent.rows.max(row + 1);
        self.extent.first_column = self.extent.first_column.min(column);
        self.extent.end_column = self.extent.end_column.max(column + 1);
        if let Value::Blank | Value::Text(_, 0) = value {
            return Ok(());
        }
        let mut slots = 0;
        let chunk = self.chunk(row)?;
        if chunk.columns.len() <= column as usize {
            slots += (u64::from(column) + 1 - chunk.columns.len() as u64) * COLUMN_SLOTS;
            chunk.columns.resize_with(column as usize + 1, || None);
        }
        let cells = chunk.columns[column as usize].get_or_insert_with(|| ChunkColumn::Shared(Vec::new()));
        let before = cells.len();
        cells.push((row % CHUNK_ROWS) as usize, value);
        slots += (cells.len() - before) as u64;
        self.slots += slots;
        if self.slots > self.max_slots {
            return unusual("the sheet is nearly empty");
        }
        Ok(())
    }

    /// Keep a text that is no shared string; returns its place.
    pub fn keep(&mut self, row: u32, text: &[u8]) -> Result<(u32, u32)> {
        match std::str::from_utf8(text) {
            Ok(text) => self.keep_text(row, text),
            Err(_) => unusual("a text is not in UTF-8"),
        }
    }

    /// The same for text that is known to be UTF-8.
    #[inline]
    pub fn keep_text(&mut self, row: u32, text: &str) -> Result<(u32, u32)> {
        let chunk = self.chunk(row)?;
        let start = chunk.text.len();
        if start + text.len() > u32::MAX as usize {
            return unusual("texts are very long");
        }
        chunk.text.push_str(text);
        Ok((start as u32, text.len() as u32))
    }

    /// So many bytes of XML are about to be read, all in all.
    pub fn expect(&mut self, xml_bytes: u64) {
        self.max_slots = MANY_CELLS.max(xml_bytes / BYTES_PER_CELL);
    }

    /// The chunks that are complete and were not taken yet.
    pub fn take(&mut self) -> Vec<Arc<Chunk>> {
        std::mem::take(&mut self.finished)
    }

    /// End the last chunk; returns where the cells are.
    pub fn finish(&mut self) -> Result<Extent> {
        self.check_extent()?;
        self.end_chunk();
        let first_column = self.extent.first_column.min(self.extent.end_column);
        Ok(Extent { first_column, ..self.extent })
    }

    #[inline]
    fn chunk(&mut self, row: u32) -> Result<&mut Chunk> {
        if row / CHUNK_ROWS > self.number {
            self.check_extent()?;
            while row / CHUNK_ROWS > self.number {
                self.end_chunk();
            }
        }
        Ok(&mut self.chunk)
    }

    fn end_chunk(&mut self) {
        self.chunk.text.shrink_to_fit();
        self.chunk.has_nul = memchr::memchr(0, self.chunk.text.as_bytes()).is_some();
        self.finished.push(Arc::new(std::mem::take(&mut self.chunk)));
        self.number += 1;
    }

    /// Check that there is not much more space than XML.
    fn check_extent(&self) -> Result<()> {
        let columns = u64::from(self.extent.end_column).max(NEAR_COLUMNS);
        let cells = u64::from(self.extent.rows) * columns;
        if cells > MANY_CELLS && cells > self.xml_bytes / BYTES_PER_CELL {
            return unusual("the sheet is nearly empty");
        }
        Ok(())
    }
}
