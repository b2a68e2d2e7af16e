//! The cells of a sheet (ECMA-376 part 1, 18.3.1.73 `row`, 18.3.1.4 `c`).
//!
//! Cells as most programs write them are matched byte by byte; any other cell goes through a tokenizer, and what that does
//! not know is unusual. Rows and cells must come in order, each place at most once.

use std::sync::Arc;

use memchr::{memchr, memmem};

use crate::cells::{Builder, Chunk, Extent, Value, MAX_COLUMNS, MAX_ROWS};
use crate::formats::{self, Shown};
use crate::package::{Package, Pieces};
use crate::shared::Strings;
use crate::strings::{push_text, read_string};
use crate::unusual::{unusual, Result};
use crate::xml::{self, attribute, decode, Attributes, Token, Tokens};

/// No program writes a larger row, or so much XML before or after the rows, in bytes.
const MAX_ROW: usize = 32 << 20;
/// The errors that the built-in reader knows.
const ERRORS: [&[u8]; 7] = [b"#DIV/0!", b"#N/A", b"#NAME?", b"#NULL!", b"#NUM!", b"#REF!", b"#VALUE!"];
/// The error of a cell that does not say which.
const SOME_ERROR: &[u8] = b"#ERROR!";
/// Up to so many digits, a whole number is a double as it is.
const EXACT_DIGITS: usize = 15;

/// A merged range: first and last row, first and last column, from 0.
pub type Merged = (u32, u32, u32, u32);

/// What the cells of a sheet refer to.
#[derive(Clone)]
pub struct Context {
    pub strings: Arc<Strings>,
    pub styles: Arc<Vec<Option<Shown>>>,
    pub date1904: bool,
}

/// What is known at the end of a sheet.
pub struct End {
    pub extent: Extent,
    pub merged: Vec<Merged>,
}

/// One reading of a sheet from its beginning, piece by piece.
pub struct Pass {
    pieces: Pieces,
    reading: Reading,
    buffer: Vec<u8>,
    row_end: Option<Vec<u8>>,
    xml_bytes: u64,
}

impl Pass {
    pub fn new(package: &Package, part: &str, context: &Context) -> Result<Self> {
        Ok(Self {
            pieces: package.pieces(part)?,
            reading: Reading::new(context, package.size(part)),
            buffer: Vec::new(),
            row_end: None,
            xml_bytes: 0,
        })
    }

    /// Read some rows; returns what is known at the end, if it is reached. The sheet must not be read further then.
    pub fn advance(&mut self) -> Result<Option<End>> {
        let Self { pieces, reading, buffer, row_end, xml_bytes } = self;
        let checked = buffer.len();
        let more = pieces.read(buffer)?;
        if xml::has_control_characters(&buffer[checked..]) {
            return unusual("the sheet holds control characters");
        }
        *xml_bytes += (buffer.len() - checked) as u64;
        if row_end.is_none() {
            if let Some(head) = head(buffer)? {
                buffer.drain(..head.length);
                *row_end = Some([b"</", &head.prefix[..], b"row>"].concat());
            }
        }
        let mut cut = 0;
        if let Some(row_end) = row_end {
            if !reading.ended {
                cut = memmem::rfind(buffer, row_end).map_or(0, |place| place + row_end.len());
                if !more {
                    cut = buffer.len();
                }
                reading.builder.expect(*xml_bytes);
                cut = reading.rows(&buffer[..cut])?;
                buffer.drain(..cut);
            }
        }
        if more {
            return if cut == 0 && buffer.len() > MAX_ROW { unusual("a row is very long") } else { Ok(None) };
        }
        if !reading.ended {
            return unusual("the rows do not end");
        }
        let merged = merged_ranges(buffer)?;
        Ok(Some(End { extent: reading.builder.finish()?, merged }))
    }

    /// The chunks that were read and not taken yet, and where their cells are so far.
    pub fn take(&mut self) -> (Vec<Arc<Chunk>>, Extent) {
        (self.reading.builder.take(), self.reading.builder.extent)
    }
}

/// The range of cells that a sheet declares, which may be wrong; None if it declares none.
pub fn dimension(package: &Package, part: &str) -> Result<Option<Merged>> {
    let mut pieces = package.pieces(part)?;
    let mut buffer = Vec::new();
    while pieces.read(&mut buffer)? && buffer.len() <= MAX_ROW {
        if let Some(head) = head(&buffer)? {
            return Ok(head.dimension);
        }
    }
    Ok(None)
}

/// The merged ranges of a sheet, whose cells are not read.
pub fn merged(package: &Package, part: &str) -> Result<Vec<Merged>> {
    let mut pieces = package.pieces(part)?;
    let mut buffer = Vec::new();
    let mut end_tag: Option<Vec<u8>> = None;
    let mut ended = false;
    loop {
        let more = pieces.read(&mut buffer)?;
        if end_tag.is_none() {
            if let Some(head) = head(&buffer)? {
                ended = head.empty;
                buffer.drain(..head.length);
                end_tag = Some([b"</", &head.prefix[..], b"sheetData"].concat());
            }
        }
        if let (Some(end_tag), false) = (&end_tag, ended) {
            if let Some(place) = memmem::find(&buffer, end_tag) {
                let length = memchr(b'>', &buffer[place..]).map(|length| place + length + 1);
                ended = length.is_some();
                buffer.drain(..length.unwrap_or(place));
            } else {
                // The tag may begin in this piece and end in the next one.
                buffer.drain(..buffer.len().saturating_sub(end_tag.len()));
            }
        }
        if !more {
            return if ended { merged_ranges(&buffer) } else { unusual("the rows do not end") };
        }
        if buffer.len() > MAX_ROW {
            return unusual("there is much XML after the rows");
        }
    }
}

/// What precedes the first row.
struct Head {
    /// The prefix of the elements, with its colon.
    prefix: Vec<u8>,
    length: usize,
    dimension: Option<Merged>,
    /// Whether there are no rows; then the element is not part of the head.
    empty: bool,
}

/// What precedes the first row; None if it is not there yet.
fn head(buffer: &[u8]) -> Result<Option<Head>> {
    let Some(place) = memmem::find(buffer, b"sheetData") else { return Ok(None) };
    let Some(length) = memchr(b'>', &buffer[place..]) else { return Ok(None) };
    let whole = &buffer[..place + length + 1];
    let body = xml::body(whole)?;
    let mut tokens = Tokens::new(body, 0);
    let mut root = false;
    let mut dimension = None;
    loop {
        let begin = tokens.place;
        match tokens.next()? {
            Some(Token::Start { name: b"sheetData", empty, .. }) if root => {
                let name = &body[begin + 1..];
                let end = memmem::find(name, b"sheetData").unwrap_or_default();
                // An empty element is left for the rows, which end with it.
                let rows = if empty { begin } else { tokens.place };
                let length = whole.len() - body.len() + rows;
                return Ok(Some(Head { prefix: name[..end].to_vec(), length, dimension, empty }));
            }
            Some(Token::Start { name: b"worksheet", empty: false, .. }) if !root => root = true,
            Some(Token::Start { name: b"dimension", attributes, .. }) => {
                dimension = attribute(attributes, b"ref")?.and_then(range_of);
                if dimension.is_none() {
                    return unusual("the dimension is none");
                }
            }
            Some(Token::Start { name: b"row" | b"c" | b"mergeCells", .. }) | None => return unusual("the sheet is none"),
            Some(Token::Start { .. }) if !root => return unusual("the sheet is none"),
            Some(_) => {}
        }
    }
}

/// A range like `A1:B2` or `A1`, as (first row, last row, first column, last column).
fn range_of(text: &[u8]) -> Option<Merged> {
    let (first, last) = match memchr(b':', text) {
        Some(place) => (&text[..place], &text[place + 1..]),
        None => (text, text),
    };
    let upper = text.iter().all(|byte| !byte.is_ascii_lowercase());
    let (first, last) = (reference(first)?, reference(last)?);
    (upper && first.0 <= last.0 && first.1 <= last.1).then_some((first.0, last.0, first.1, last.1))
}

/// A cell's row and column, from 0, by a reference like `B12`.
fn reference(text: &[u8]) -> Option<(u32, u32)> {
    let letters = text.iter().position(|byte| !byte.is_ascii_alphabetic())?;
    let (letters, digits) = text.split_at(letters);
    if !(1..=3).contains(&letters.len()) || !(1..=7).contains(&digits.len()) || digits[0] == b'0' {
        return None;
    }
    let mut column = 0;
    for letter in letters {
        column = column * 26 + u32::from(letter.to_ascii_uppercase() - b'A') + 1;
    }
    let row = whole_number(digits)?;
    ((1..=MAX_ROWS).contains(&row) && column <= MAX_COLUMNS).then(|| (row - 1, column - 1))
}

/// A number of at most nine digits.
fn whole_number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    digits.iter().try_fold(0, |number, &digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
}

/// The merged ranges in the XML after the rows.
fn merged_ranges(rest: &[u8]) -> Result<Vec<Merged>> {
    let mut merged = Vec::new();
    if memmem::find(rest, b"mergeCells").is_none() {
        return Ok(merged);
    }
    let mut tokens = Tokens::new(rest, 0);
    let mut inside = None;
    while let Some(token) = tokens.next()? {
        match token {
            Token::Start { name: b"mergeCells", empty, .. } => match inside {
                None => inside = Some(!empty),
                Some(_) => return unusual("there are several lists of merged cells"),
            },
            Token::End { name: b"mergeCells" } => inside = Some(false),
            Token::Start { name: b"mergeCell", attributes, .. } if inside == Some(true) => {
                match attribute(attributes, b"ref")?.and_then(range_of) {
                    Some(range) => merged.push(range),
                    None => return unusual("a merged range is none"),
                }
            }
            _ => {}
        }
    }
    Ok(merged)
}

/// The attributes of a cell.
#[derive(Clone, Copy)]
struct Tag<'a> {
    column: u32,
    style: Option<u32>,
    kind: &'a [u8],
    rich: bool,
}

struct Reading {
    builder: Builder,
    styles: Arc<Vec<Option<Shown>>>,
    date1904: bool,
    /// Whether a number without a style would be a date, of which the built-in reader's parts think differently.
    odd_default: bool,
    shared_strings: u32,
    /// The current row, from 0, its number in digits, and the next row and column.
    row: u32,
    digits: Vec<u8>,
    next_row: u32,
    next_column: u32,
    in_row: bool,
    ended: bool,
    text: Vec<u8>,
    scratch: Vec<u8>,
}

impl Reading {
    fn new(context: &Context, xml_bytes: u64) -> Self {
        Self {
            shared_strings: context.strings.len().try_into().unwrap_or(u32::MAX),
            builder: Builder::new(Arc::clone(&context.strings), xml_bytes),
            styles: Arc::clone(&context.styles),
            date1904: context.date1904,
            odd_default: context.styles.first().copied().flatten().is_some(),
            row: 0,
            digits: Vec::new(),
            next_row: 0,
            next_column: 0,
            in_row: false,
            ended: false,
            text: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Read whole rows, and stop after the end of all of them; returns how many bytes were read.
    fn rows(&mut self, window: &[u8]) -> Result<usize> {
        if simdutf8::basic::from_utf8(window).is_err() {
            return unusual("the sheet is not in UTF-8");
        }
        let mut place = 0;
        loop {
            while window.get(place).is_some_and(u8::is_ascii_whitespace) {
                place += 1;
            }
            if place == window.len() {
                return if self.in_row { unusual("a row does not end") } else { Ok(place) };
            }
            if self.in_row {
                if let Some(next) = self.plain_cell(window, place)? {
                    place = next;
                    continue;
                }
            }
            let mut tokens = Tokens::new(window, place);
            match tokens.next()? {
                Some(Token::Start { name: b"c", attributes, empty }) if self.in_row => {
                    let tag = self.tag(attributes)?;
                    self.cell(&tag, empty, &mut tokens)?;
                }
                Some(Token::End { name: b"row" }) if self.in_row => self.in_row = false,
                Some(Token::Start { name: b"row", attributes, empty }) if !self.in_row => {
                    self.begin_row(attributes)?;
                    self.in_row = !empty;
                }
                Some(Token::Start { name: b"sheetData", empty: true, .. } | Token::End { name: b"sheetData" }) if !self.in_row => {
                    self.ended = true;
                    return Ok(tokens.place);
                }
                _ => return unusual("there is something among the rows"),
            }
            place = tokens.place;
        }
    }

    fn begin_row(&mut self, attributes: &[u8]) -> Result<()> {
        self.row = match attribute(attributes, b"r")? {
            None => self.next_row,
            Some(digits) => match whole_number(digits) {
                Some(number) if number > self.next_row && digits[0] != b'0' => number - 1,
                _ => return unusual("rows are not in order"),
            },
        };
        if self.row >= MAX_ROWS {
            return unusual("a row lies beyond the last one of a sheet");
        }
        self.digits.clear();
        self.digits.extend_from_slice((self.row + 1).to_string().as_bytes());
        self.next_row = self.row + 1;
        self.next_column = 0;
        Ok(())
    }

    /// Read a cell of the usual form: plain attributes in their usual order, and a value or an inline text. Returns the
    /// place after it; None if it has another form.
    #[inline]
    fn plain_cell(&mut self, window: &[u8], begin: usize) -> Result<Option<usize>> {
        let Some(rest) = window[begin..].strip_prefix(b"<c r=\"") else { return Ok(None) };
        let mut column = 0_u32;
        let mut letters = 0;
        while let Some(letter @ b'A'..=b'Z') = rest.get(letters) {
            column = column * 26 + u32::from(letter - b'A') + 1;
            letters += 1;
            if letters > 3 {
                return Ok(None);
            }
        }
        let Some(rest) = rest[letters..].strip_prefix(&self.digits[..]) else { return Ok(None) };
        let Some(mut rest) = rest.strip_prefix(b"\"") else { return Ok(None) };
        if letters == 0 || column > MAX_COLUMNS {
            return Ok(None);
        }
        let mut tag = Tag { column: column - 1, style: None, kind: b"n", rich: false };
        if let Some(after) = rest.strip_prefix(b" s=\"") {
            let Some(length) = after.iter().take(10).position(|&byte| byte == b'"') else { return Ok(None) };
            let Some(style) = whole_number(&after[..length]) else { return Ok(None) };
            tag.style = Some(style);
            rest = &after[length + 1..];
        }
        if let Some(after) = rest.strip_prefix(b" t=\"") {
            let Some(length) = after.iter().take(10).position(|&byte| byte == b'"') else { return Ok(None) };
            tag.kind = &after[..length];
            rest = &after[length + 1..];
        }
        if let Some(rest) = rest.strip_prefix(b"/>") {
            if tag.kind == b"e" {
                return Ok(None);
            }
            // A format without a value.
            self.check_place(tag.column)?;
            return Ok(Some(window.len() - rest.len()));
        }
        let Some(rest) = rest.strip_prefix(b">") else { return Ok(None) };
        if tag.kind == b"inlineStr" {
            return self.plain_inline(&tag, rest).map(|end| end.map(|left| window.len() - left));
        }
        let Some(value) = rest.strip_prefix(b"<v>") else { return Ok(None) };
        let Some(length) = memchr(b'<', value) else { return Ok(None) };
        let (value, after) = value.split_at(length);
        let Some(after) = after.strip_prefix(b"</v></c>") else { return Ok(None) };
        self.check_place(tag.column)?;
        self.value(&tag, value)?;
        Ok(Some(window.len() - after.len()))
    }

    /// Read an inline text of the usual form; returns how many bytes follow it.
    fn plain_inline(&mut self, tag: &Tag<'_>, rest: &[u8]) -> Result<Option<usize>> {
        let (text, keep) = if let Some(text) = rest.strip_prefix(b"<is><t>") {
            (text, false)
        } else if let Some(text) = rest.strip_prefix(br#"<is><t xml:space="preserve">"#) {
            (text, true)
        } else {
            return Ok(None);
        };
        let Some(length) = memchr(b'<', text) else { return Ok(None) };
        let (text, after) = text.split_at(length);
        let Some(after) = after.strip_prefix(b"</t></is></c>") else { return Ok(None) };
        self.check_place(tag.column)?;
        self.text.clear();
        push_text(text, keep, &mut self.text, &mut self.scratch)?;
        self.add_text(tag.column)?;
        Ok(Some(after.len()))
    }

    /// The attributes of any cell.
    fn tag<'t>(&self, attributes: &'t [u8]) -> Result<Tag<'t>> {
        let mut tag = Tag { column: self.next_column, style: None, kind: b"n", rich: false };
        let mut all = Attributes(attributes);
        let (mut place, mut kind) = (None, None);
        while let Some((name, value)) = all.next()? {
            if value.contains(&b'&') {
                return unusual("a cell's attribute holds an entity");
            }
            let repeated = match name {
                b"r" => place.replace(value).is_some(),
                b"t" => kind.replace(value).is_some(),
                b"s" => match whole_number(value) {
                    Some(style) => tag.style.replace(style).is_some(),
                    None => return unusual("a cell's style is none"),
                },
                b"vm" => std::mem::replace(&mut tag.rich, true),
                _ => false,
            };
            if repeated {
                return unusual("an attribute is there twice");
            }
        }
        if let Some(place) = place {
            match reference(place) {
                Some((row, column)) if row == self.row => tag.column = column,
                _ => return unusual("a cell's place is none, or in another row"),
            }
        }
        tag.kind = kind.unwrap_or(b"n");
        Ok(tag)
    }

    /// Read the elements of any cell.
    fn cell(&mut self, tag: &Tag<'_>, empty: bool, tokens: &mut Tokens<'_>) -> Result<()> {
        self.check_place(tag.column)?;
        if empty {
            return if tag.kind == b"e" { self.error(tag, b"") } else { Ok(()) };
        }
        let mut formula: Option<&[u8]> = None;
        let mut value: Option<&[u8]> = None;
        let mut inline = false;
        loop {
            match tokens.next()? {
                Some(Token::Text(text)) if text.iter().all(u8::is_ascii_whitespace) => {}
                Some(Token::End { name: b"c" }) => break,
                Some(Token::Start { name: b"f", empty, .. }) if formula.is_none() && value.is_none() && !inline => {
                    formula = Some(if empty { b"" } else { tokens.text_of(b"f")? });
                }
                Some(Token::Start { name: b"v", empty, .. }) if value.is_none() && !inline => {
                    value = Some(if empty { b"" } else { tokens.text_of(b"v")? });
                }
                Some(Token::Start { name: b"is", empty, .. }) if tag.kind == b"inlineStr" && formula.is_none() && value.is_none() && !inline => {
                    inline = true;
                    self.text.clear();
                    if !empty {
                        read_string(tokens, b"is", &mut self.text, &mut self.scratch)?;
                    }
                }
                _ => return unusual("a cell holds something unusual"),
            }
        }
        if inline {
            return self.add_text(tag.column);
        }
        if tag.kind == b"e" {
            return self.error(tag, value.unwrap_or_default());
        }
        if tag.kind == b"inlineStr" {
            return unusual("an inline text has none");
        }
        if let Some(formula) = formula {
            let calculated = if tag.kind == b"str" { value.is_some() } else { value.is_some_and(|value| !value.is_empty()) };
            if !calculated {
                self.text.clear();
                decode(formula, &mut self.text)?;
                let (start, length) = self.builder.keep(self.row, &self.text)?;
                return self.builder.add(self.row, tag.column, Value::Formula(start, length));
            }
        }
        value.map_or(Ok(()), |value| self.value(tag, value))
    }

    /// Check that a cell comes after those before it.
    #[inline]
    fn check_place(&mut self, column: u32) -> Result<()> {
        if column < self.next_column || column >= MAX_COLUMNS {
            return unusual("cells are not in order");
        }
        self.next_column = column + 1;
        Ok(())
    }

    /// Add a cell with a value.
    #[inline]
    fn value(&mut self, tag: &Tag<'_>, raw: &[u8]) -> Result<()> {
        if tag.kind == b"s" {
            return match whole_number(raw) {
                Some(number) if number < self.shared_strings => self.add_shared(tag.column, number),
                None if raw.is_empty() => Ok(()),
                _ => unusual("there is no such shared string"),
            };
        }
        let value = match tag.kind {
            b"n" if raw.is_empty() => return Ok(()),
            b"n" => self.number(tag.style, raw)?,
            b"b" if raw.is_empty() => return Ok(()),
            b"b" => match raw {
                b"0" => Value::Bool(false),
                b"1" => Value::Bool(true),
                _ => return unusual("a truth value is unusual"),
            },
            b"e" => return self.error(tag, raw),
            b"str" => {
                self.text.clear();
                decode(raw, &mut self.text)?;
                if let Some(text) = xml::unescape(&self.text) {
                    self.text = text;
                }
                return self.add_text(tag.column);
            }
            _ => return unusual("a cell is of an unusual type"),
        };
        self.builder.add(self.row, tag.column, value)
    }

    #[inline]
    fn add_shared(&mut self, column: u32, number: u32) -> Result<()> {
        let value = if self.builder.strings.is_empty_string(number) { Value::Text(0, 0) } else { Value::Shared(number) };
        self.builder.add(self.row, column, value)
    }

    /// Add the text that was read last.
    fn add_text(&mut self, column: u32) -> Result<()> {
        let (start, length) = self.builder.keep(self.row, &self.text)?;
        self.builder.add(self.row, column, Value::Text(start, length))
    }

    fn error(&mut self, tag: &Tag<'_>, raw: &[u8]) -> Result<()> {
        if tag.rich {
            return unusual("a cell holds a picture or a data type");
        }
        let code = match raw {
            b"" => SOME_ERROR,
            code if ERRORS.contains(&code) => code,
            _ => return unusual("an error has an unusual name"),
        };
        let (start, length) = self.builder.keep(self.row, code)?;
        self.builder.add(self.row, tag.column, Value::Error(start, length))
    }

    /// The value of a number by its style.
    #[inline]
    fn number(&self, style: Option<u32>, raw: &[u8]) -> Result<Value> {
        let number = float(raw)?;
        let shown = match style {
            Some(style) => self.styles.get(style as usize).copied().flatten(),
            None if self.odd_default => return unusual("a number has no style, and the first one shows dates"),
            None => None,
        };
        shown.map_or(Ok(Value::Float(number)), |shown| formats::value(number, shown, self.date1904))
    }
}

/// A number as programs write it: `-1.5E-3`.
#[inline]
fn float(raw: &[u8]) -> Result<f64> {
    if raw.len() <= EXACT_DIGITS {
        let whole = raw.iter().try_fold(0_u64, |number, &digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')));
        if let Some(number) = whole {
            return Ok(number as f64);
        }
    }
    let plain = raw.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E'));
    let begins = matches!(raw.strip_prefix(b"-").unwrap_or(raw).first(), Some(b'0'..=b'9' | b'.'));
    let number = std::str::from_utf8(raw).ok().filter(|_| plain && begins).and_then(|text| text.parse::<f64>().ok());
    match number {
        Some(number) if number.is_finite() => Ok(number),
        _ => unusual("a number is written in an unusual way"),
    }
}
