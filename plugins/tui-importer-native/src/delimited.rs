//! Delimited text (RFC 4180, with any delimiter and quote), cut into records as Python's csv module does it in its strict
//! mode. Which delimiter and quote a file has is found out by the built-in reader, and a record that is not well-formed is
//! left to it.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use memchr::{memchr, memchr3, memmem};

use crate::cells::{Builder, Cells, Value, MAX_COLUMNS};
use crate::unusual::{unusual, Result};

/// Bytes that are read at once.
pub const PIECE: usize = 1 << 20;
/// The bytes of the longest record; in longer ones, a quote is perhaps never closed.
const MAX_RECORD: usize = 32 << 20;
/// The rows of a block take at most about so many bytes of text.
const BLOCK: usize = 24 << 20;
/// The byte order mark, which is no part of the text.
const MARK: char = '\u{feff}';

/// How records are written.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    pub delimiter: u8,
    pub quote: Option<u8>,
    /// Whether the first record is none.
    pub separator_line: bool,
}

/// Reads the records of a file from its beginning, block by block.
pub struct Records {
    file: File,
    dialect: Dialect,
    /// What was read, and the place up to which it was cut.
    text: String,
    place: usize,
    /// The first bytes of a character that was not read to its end.
    cut_off: Vec<u8>,
    ended: bool,
    /// The number of records so far, and how many cells the longest one has.
    rows: u32,
    width: u32,
}

/// A block of records: its first row, how many there are, and how many cells the longest one so far has.
pub struct Block {
    pub cells: Cells,
    pub first_row: u32,
    pub rows: u32,
    pub width: u32,
}

/// A cell of a record.
enum Cell {
    /// Where it begins and ends.
    Plain(usize, usize),
    /// The same for a quoted one, without its quotes; whether quotes are in it, which are doubled.
    Quoted(usize, usize, bool),
}

impl Records {
    pub fn open(path: &Path, dialect: Dialect) -> Result<Self> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return unusual("no regular file");
        }
        let mut records = Self {
            file,
            dialect,
            text: String::new(),
            place: 0,
            cut_off: Vec::new(),
            ended: false,
            rows: 0,
            width: 1,
        };
        records.refill()?;
        if records.text.starts_with(MARK) {
            records.place = MARK.len_utf8();
        }
        Ok(records)
    }

    /// The next block of at most so many records; None at the end.
    pub fn next(&mut self, rows: u32) -> Result<Option<Block>> {
        let rows = rows.max(1);
        let mut builder = Builder::new(Arc::default(), u64::MAX);
        builder.expect(u64::MAX);
        let mut cells = Vec::new();
        let mut scratch = String::new();
        let (mut row, mut bytes) = (0, 0);
        while row < rows && bytes < BLOCK {
            if self.place == self.text.len() && self.ended {
                break;
            }
            cells.clear();
            let Some(end) = self.dialect.record(self.text.as_bytes(), self.place, self.ended, &mut cells)? else {
                if self.ended {
                    return unusual("a quote is never closed");
                }
                self.refill()?;
                continue;
            };
            if cells.len() > MAX_COLUMNS as usize {
                return unusual("a record has very many cells");
            }
            let is_separator = self.dialect.separator_line && self.rows == 0 && row == 0;
            if !is_separator {
                self.add(&mut builder, row, &cells, &mut scratch)?;
            }
            bytes += end - self.place;
            self.place = end;
            row += 1;
        }
        if row == 0 {
            return Ok(None);
        }
        builder.finish()?;
        let first_row = self.rows;
        self.rows = match first_row.checked_add(row) {
            Some(rows) => rows,
            None => return unusual("there are very many records"),
        };
        let cells = Cells::new(Arc::default(), 0, builder.take());
        Ok(Some(Block { cells, first_row, rows: row, width: self.width }))
    }

    /// Add the cells of a record. Nothing between two delimiters is a blank cell, two quotes are an empty text.
    #[inline]
    fn add(&mut self, builder: &mut Builder, row: u32, cells: &[Cell], scratch: &mut String) -> Result<()> {
        self.width = self.width.max(cells.len() as u32);
        for (column, cell) in (0..).zip(cells) {
            let text = match *cell {
                Cell::Plain(start, end) if start == end => continue,
                Cell::Quoted(start, end, _) if start == end => {
                    builder.add(row, column, Value::Empty)?;
                    continue;
                }
                Cell::Plain(start, end) | Cell::Quoted(start, end, false) => &self.text[start..end],
                Cell::Quoted(start, end, true) => {
                    scratch.clear();
                    let quote = char::from(self.dialect.quote.unwrap_or_default());
                    let mut second = false;
                    for character in self.text[start..end].chars() {
                        second = character == quote && !second;
                        if character != quote || second {
                            scratch.push(character);
                        }
                    }
                    &*scratch
                }
            };
            let (start, length) = builder.keep_text(row, text)?;
            builder.add(row, column, Value::Text(start, length))?;
        }
        Ok(())
    }

    /// Read more.
    fn refill(&mut self) -> Result<()> {
        self.text.drain(..self.place);
        self.place = 0;
        if self.text.len() > MAX_RECORD {
            return unusual("a record is very long");
        }
        // A record that goes on for long is not looked at again for each piece.
        let wanted = PIECE.max(self.text.len());
        let mut bytes = std::mem::take(&mut self.cut_off);
        let before = bytes.len();
        (&mut self.file).take(wanted as u64).read_to_end(&mut bytes)?;
        self.ended = bytes.len() - before < wanted;
        let valid = match simdutf8::compat::from_utf8(&bytes) {
            Ok(text) => text,
            Err(error) if error.error_len().is_none() && !self.ended => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                self.cut_off = rest.to_vec();
                simdutf8::basic::from_utf8(valid).unwrap_or_default()
            }
            Err(_) => return unusual("the text is not in UTF-8"),
        };
        self.text.push_str(valid);
        Ok(())
    }
}

impl Dialect {
    /// Find the cells of the record that begins in a place; returns the place of the next one, or None if this one is not
    /// complete. `whole`: nothing follows these bytes.
    #[inline]
    fn record(self, bytes: &[u8], mut place: usize, whole: bool, cells: &mut Vec<Cell>) -> Result<Option<usize>> {
        loop {
            if self.quote.is_some() && bytes.get(place).copied() == self.quote {
                let start = place + 1;
                let Some((end, doubled)) = self.quoted_end(bytes, start, whole) else { return Ok(None) };
                cells.push(Cell::Quoted(start, end, doubled));
                place = end + 1;
            } else {
                let start = place;
                match memchr3(self.delimiter, b'\n', b'\r', &bytes[start..]) {
                    Some(length) => place = start + length,
                    None if whole => place = bytes.len(),
                    None => return Ok(None),
                }
                cells.push(Cell::Plain(start, place));
            }
            match bytes.get(place) {
                Some(&byte) if byte == self.delimiter => place += 1,
                Some(b'\n') => return Ok(Some(place + 1)),
                Some(b'\r') => {
                    return match bytes.get(place + 1) {
                        Some(b'\n') => Ok(Some(place + 2)),
                        Some(_) => Ok(Some(place + 1)),
                        None if whole => Ok(Some(place + 1)),
                        None => Ok(None),
                    };
                }
                None if whole => return Ok(Some(place)),
                None => return Ok(None),
                Some(_) => return unusual("text follows a closing quote"),
            }
            if place == bytes.len() && whole {
                // The last cell is an empty one.
                cells.push(Cell::Plain(place, place));
                return Ok(Some(place));
            }
        }
    }

    /// The place of the closing quote of a cell that begins in a place, and whether quotes are in it; None if it is not
    /// there yet.
    fn quoted_end(self, bytes: &[u8], start: usize, whole: bool) -> Option<(usize, bool)> {
        let quote = self.quote?;
        let (mut place, mut doubled) = (start, false);
        loop {
            let end = place + memchr(quote, &bytes[place..])?;
            match bytes.get(end + 1) {
                Some(&next) if next == quote => {
                    doubled = true;
                    place = end + 2;
                }
                None if !whole => return None,
                _ => return Some((end, doubled)),
            }
        }
    }
}

/// Whether a file is in UTF-8, and whether a backslash stands in front of a quote somewhere in it.
pub fn examine(path: &Path) -> Result<(bool, bool)> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    let mut escapes = false;
    loop {
        let before = bytes.len();
        (&mut file).take(PIECE as u64).read_to_end(&mut bytes)?;
        let ended = bytes.len() - before < PIECE;
        escapes = escapes || memmem::find(&bytes, b"\\\"").is_some();
        let valid = match simdutf8::compat::from_utf8(&bytes) {
            Ok(_) if ended => return Ok((true, escapes)),
            Ok(_) => bytes.len(),
            Err(error) if error.error_len().is_none() && !ended => error.valid_up_to(),
            Err(_) => return Ok((false, escapes)),
        };
        // A backslash at the end may stand in front of a quote.
        let kept = usize::from(valid > 0 && bytes.get(valid - 1) == Some(&b'\\'));
        bytes.drain(..valid - kept);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn examined(bytes: &[u8]) -> (bool, bool) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        examine(file.path()).unwrap()
    }

    #[test]
    fn what_crosses_the_end_of_a_piece_is_found() {
        for before in PIECE - 4..PIECE + 3 {
            let filled = |text: &[u8]| [&vec![b'x'; before], text, &vec![b'y'; PIECE]].concat();
            assert_eq!(examined(&filled("😀é".as_bytes())), (true, false));
            assert_eq!(examined(&filled(b"\\\"")), (true, true));
            assert_eq!(examined(&filled(b"\\")), (true, false));
            assert_eq!(examined(&filled(b"\xf0\x9f")).0, false);
            assert_eq!(examined(&[&vec![b'x'; before], "é".as_bytes()].concat()), (true, false));
            assert_eq!(examined(&[&vec![b'x'; before], &"é".as_bytes()[..1]].concat()).0, false);
        }
        assert_eq!(examined(b""), (true, false));
    }
}
