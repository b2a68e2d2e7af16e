//! The shared strings of a workbook, decoded. Those beyond a certain size are kept in a temporary file, which has no name
//! and only this process can read.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Mutex, PoisonError};

use crate::unusual::{unusual, Result};

/// Bytes of strings, and of the list of where they begin, that are kept in memory.
const IN_MEMORY: usize = 144 << 20;
/// In the file, the place of one string in so many is known; the others are found by the lengths that precede them.
const STRINGS_PER_PLACE: u32 = 16;
/// Bytes that are written to the file at once, and those that are read at once from one place.
const WRITTEN: usize = 1 << 20;
const READ: u64 = 16 << 10;

/// The shared strings of a workbook.
#[derive(Debug, Default)]
pub struct Strings {
    text: String,
    /// Where each begins, and where the last one ends.
    starts: Vec<u32>,
    outside: Option<Outside>,
    /// Whether any of them holds a NUL.
    pub has_nul: bool,
}

/// The strings that are in the file, after those in memory. Each is preceded by its length.
#[derive(Debug)]
struct Outside {
    file: Mutex<File>,
    length: u64,
    places: Vec<u64>,
    /// A bit for each string: whether it is empty.
    empty: Vec<u8>,
    count: u32,
}

impl Strings {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.in_memory() as usize + self.outside.as_ref().map_or(0, |outside| outside.count as usize)
    }

    /// How many are in memory: those with lower numbers.
    #[inline]
    pub fn in_memory(&self) -> u32 {
        self.starts.len().saturating_sub(1) as u32
    }

    /// Whether all are.
    pub fn are_in_memory(&self) -> bool {
        self.outside.is_none()
    }

    /// Whether the string with this number is empty.
    #[inline]
    pub fn is_empty_string(&self, number: u32) -> bool {
        let place = number as usize;
        match self.starts.get(place..place + 2) {
            Some(&[start, end]) => start == end,
            _ => self.outside.as_ref().is_some_and(|outside| outside.is_empty_string(number - self.in_memory())),
        }
    }

    /// The string with this number, if it is in memory; else an empty one.
    #[inline]
    pub fn get(&self, number: u32) -> &str {
        let number = number as usize;
        match self.starts.get(number..number + 2) {
            Some(&[start, end]) => self.text.get(start as usize..end as usize).unwrap_or(""),
            _ => "",
        }
    }

    /// Call a function for the strings with these numbers, which ascend and are not in memory.
    pub fn load(&self, numbers: &[u32], mut call: impl FnMut(u32, &str) -> Result<()>) -> Result<()> {
        let Some(outside) = &self.outside else {
            return unusual("there is no such shared string");
        };
        let mut reading = FileReading { outside, buffer: Vec::new(), start: 0 };
        let mut next: Option<(u32, u64)> = None;
        for &number in numbers {
            let wanted = number - self.in_memory();
            let Some(&place) = outside.places.get((wanted / STRINGS_PER_PLACE) as usize) else {
                return unusual("there is no such shared string");
            };
            let known = wanted / STRINGS_PER_PLACE * STRINGS_PER_PLACE;
            let (mut current, mut place) = next.filter(|&(next, _)| next >= known && next <= wanted).unwrap_or((known, place));
            while current < wanted {
                (_, place) = reading.length(place)?;
                current += 1;
            }
            let (start, end) = reading.length(place)?;
            let bytes = reading.bytes(start, (end - start) as usize)?;
            let Ok(text) = std::str::from_utf8(bytes) else {
                return unusual("the temporary file is damaged");
            };
            call(number, text)?;
            next = Some((wanted + 1, end));
        }
        Ok(())
    }
}

impl Outside {
    fn is_empty_string(&self, number: u32) -> bool {
        self.empty.get((number / 8) as usize).is_some_and(|bits| bits & (1 << (number % 8)) != 0)
    }
}

/// Reads the file piece by piece.
struct FileReading<'a> {
    outside: &'a Outside,
    buffer: Vec<u8>,
    start: u64,
}

impl FileReading<'_> {
    /// Bytes of the file.
    fn bytes(&mut self, place: u64, length: usize) -> Result<&[u8]> {
        let end = self.start + self.buffer.len() as u64;
        if place < self.start || place + length as u64 > end {
            let wanted = (length as u64).max(READ).min(self.outside.length.saturating_sub(place));
            if wanted < length as u64 {
                return unusual("the temporary file is damaged");
            }
            self.buffer.resize(wanted as usize, 0);
            self.start = place;
            let mut file = self.outside.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(place))?;
            file.read_exact(&mut self.buffer)?;
        }
        let begin = (place - self.start) as usize;
        Ok(&self.buffer[begin..begin + length])
    }

    /// Where the string begins whose length is in this place, and where it ends.
    fn length(&mut self, place: u64) -> Result<(u64, u64)> {
        let most = MAX_VARINT.min(self.outside.length.saturating_sub(place) as usize);
        let bytes = self.bytes(place, most)?;
        let mut length = 0_u64;
        for (number, &byte) in bytes.iter().enumerate() {
            length |= u64::from(byte & 0x7f) << (7 * number);
            if byte < 0x80 {
                let start = place + number as u64 + 1;
                return Ok((start, start + length));
            }
        }
        unusual("the temporary file is damaged")
    }
}

/// A file that only this user can read, and that nobody can find.
fn private_file() -> Result<File> {
    if cfg!(unix) {
        let (file, path) = tempfile::NamedTempFile::new()?.into_parts();
        path.close()?; // removes its name
        return Ok(file);
    }
    Ok(tempfile::tempfile()?)
}

/// The bytes of the longest length.
const MAX_VARINT: usize = 5;

fn push_varint(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Collects the strings in their order.
pub struct StringsBuilder {
    /// The text of the next string is appended here.
    pub text: Vec<u8>,
    starts: Vec<u32>,
    limit: usize,
    /// The strings that are complete and in memory, as soon as some are not.
    kept: Option<(String, Vec<u32>)>,
    outside: Option<(File, Outside)>,
    written: Vec<u8>,
    has_nul: bool,
}

impl StringsBuilder {
    /// For strings of which so many bytes are kept in memory (by default as many as is sensible).
    pub fn new(limit: Option<usize>) -> Self {
        let limit = limit.unwrap_or(IN_MEMORY);
        Self { text: Vec::new(), starts: vec![0], limit, kept: None, outside: None, written: Vec::new(), has_nul: false }
    }

    /// End the string that was appended to the text.
    #[inline]
    pub fn end_string(&mut self) -> Result<()> {
        match u32::try_from(self.text.len()) {
            Ok(end) => self.starts.push(end),
            Err(_) => return unusual("there are very many shared strings"),
        }
        if self.text.len() + self.starts.len() * size_of::<u32>() >= self.limit {
            self.set_aside()?;
        }
        Ok(())
    }

    /// All strings that were ended.
    pub fn finish(mut self) -> Result<Strings> {
        if self.kept.is_none() {
            let (text, starts) = self.take()?;
            return Ok(Strings { text, starts, outside: None, has_nul: self.has_nul });
        }
        self.set_aside()?;
        let (text, starts) = self.kept.unwrap_or_default();
        let outside = match self.outside {
            None => None,
            Some((mut file, mut outside)) => {
                file.write_all(&self.written)?;
                outside.length += self.written.len() as u64;
                outside.file = Mutex::new(file);
                Some(outside)
            }
        };
        Ok(Strings { text, starts, outside, has_nul: self.has_nul })
    }

    /// The collected strings, which must be UTF-8 each.
    fn take(&mut self) -> Result<(String, Vec<u32>)> {
        let Ok(text) = String::from_utf8(std::mem::take(&mut self.text)) else {
            return unusual("the shared strings are not in UTF-8");
        };
        let starts = std::mem::replace(&mut self.starts, vec![0]);
        if !starts.iter().all(|&start| text.is_char_boundary(start as usize)) {
            return unusual("the shared strings are not in UTF-8");
        }
        self.has_nul |= memchr::memchr(0, text.as_bytes()).is_some();
        Ok((text, starts))
    }

    /// Keep the first strings, and write later ones into the file.
    fn set_aside(&mut self) -> Result<()> {
        let (text, starts) = self.take()?;
        if self.kept.is_none() {
            self.kept = Some((text, starts));
            // From now on few are collected before they are written.
            self.limit = self.limit.min(WRITTEN);
            return Ok(());
        }
        if self.outside.is_none() {
            let file = private_file()?;
            let outside = Outside { file: Mutex::new(file.try_clone()?), length: 0, places: Vec::new(), empty: Vec::new(), count: 0 };
            self.outside = Some((file, outside));
        }
        let Some((file, outside)) = &mut self.outside else { return Ok(()) };
        for bounds in starts.windows(2) {
            let string = &text.as_bytes()[bounds[0] as usize..bounds[1] as usize];
            if outside.count % STRINGS_PER_PLACE == 0 {
                outside.places.push(outside.length + self.written.len() as u64);
            }
            if outside.count % 8 == 0 {
                outside.empty.push(0);
            }
            if let (true, Some(bits)) = (string.is_empty(), outside.empty.last_mut()) {
                *bits |= 1 << (outside.count % 8);
            }
            push_varint(string.len() as u32, &mut self.written);
            self.written.extend_from_slice(string);
            outside.count += 1;
            if self.written.len() >= WRITTEN {
                file.write_all(&self.written)?;
                outside.length += self.written.len() as u64;
                self.written.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(limit: usize, strings: &[String]) -> Strings {
        let mut builder = StringsBuilder::new(Some(limit));
        for string in strings {
            builder.text.extend_from_slice(string.as_bytes());
            builder.end_string().unwrap();
        }
        builder.finish().unwrap()
    }

    #[test]
    fn strings_outside_of_memory_are_the_same() {
        let strings: Vec<String> = (0..5000).map(|number| "é".repeat(number * number % 301 % 40)).collect();
        let all = built(usize::MAX, &strings);
        assert!(all.are_in_memory());
        for limit in [0, 100, 7000] {
            let some = built(limit, &strings);
            assert!(!some.are_in_memory() && some.len() == strings.len());
            let first = some.in_memory();
            for step in [1, 3, 17, 1000] {
                let numbers: Vec<u32> = (first..5000).step_by(step).collect();
                let mut found = Vec::new();
                some.load(&numbers, |number, text| {
                    found.push((number, text.to_owned()));
                    Ok(())
                })
                .unwrap();
                assert_eq!(found.iter().map(|each| each.0).collect::<Vec<_>>(), numbers);
                assert!(found.iter().all(|(number, text)| *text == strings[*number as usize]));
            }
            for (number, string) in (0..).zip(&strings) {
                assert_eq!(some.is_empty_string(number), string.is_empty());
                assert_eq!(some.get(number), if number < first { string } else { "" });
                assert_eq!(all.get(number), string);
            }
        }
    }

    #[test]
    fn a_string_alone_must_be_utf_8() {
        for limit in [0, usize::MAX] {
            let mut builder = StringsBuilder::new(Some(limit));
            let cut = "é".as_bytes().iter().try_for_each(|&byte| {
                builder.text.push(byte);
                builder.end_string()
            });
            assert!(cut.and_then(|()| builder.finish().map(|_| ())).is_err());
        }
    }
}
