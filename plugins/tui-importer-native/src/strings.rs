//! The shared strings of a workbook (ECMA-376 part 1, 18.4).

use std::sync::atomic::{AtomicBool, Ordering};

use memchr::{memchr, memchr3, memmem};

use crate::package::Package;
use crate::shared::{Strings, StringsBuilder};
use crate::unusual::{unusual, Result};
use crate::xml::{self, attribute, Token, Tokens};

/// No program writes a string with so much XML.
const MAX_STRING: usize = 32 << 20;
/// Without the count of strings in this part of the XML, there is none.
const HEAD: usize = 4 << 10;
/// The XML of the shortest string, `<si/>`.
const SHORTEST: u64 = 5;

/// Read the shared strings of a part, unless that is `cancelled` meanwhile, and keep so many bytes of them in memory.
pub fn read(package: &Package, part: &str, kept: Option<usize>, cancelled: &AtomicBool) -> Result<Strings> {
    let mut pieces = package.pieces(part)?;
    let mut reading = Reading { strings: StringsBuilder::new(kept), scratch: Vec::new() };
    let mut empty = false;
    let mut buffer = Vec::new();
    let mut end_tag: Option<Vec<u8>> = None;
    loop {
        let checked = buffer.len();
        let more = pieces.read(&mut buffer)?;
        if cancelled.load(Ordering::Relaxed) {
            return unusual("it is not needed any more");
        }
        if xml::has_control_characters(&buffer[checked..]) {
            return unusual("the shared strings hold control characters");
        }
        if end_tag.is_none() {
            if more && buffer.len() < HEAD {
                continue;
            }
            let (prefix, length);
            (prefix, length, empty) = head(&buffer, package.size(part))?;
            buffer.drain(..length);
            end_tag = Some([b"</", &prefix[..], b"si>"].concat());
        }
        let Some(end_tag) = &end_tag else { continue };
        if empty {
            return if more || !buffer.iter().all(u8::is_ascii_whitespace) {
                unusual("something follows the shared strings")
            } else {
                reading.strings.finish()
            };
        }
        let cut = if more { memmem::rfind(&buffer, end_tag).map(|place| place + end_tag.len()) } else { Some(buffer.len()) };
        if let Some(cut) = cut {
            reading.window(&buffer[..cut], !more)?;
            buffer.drain(..cut);
        }
        if !more {
            return reading.strings.finish();
        }
        if buffer.len() > MAX_STRING {
            return unusual("a shared string is very long");
        }
    }
}

/// The prefix of the elements, with its colon, the length of what precedes the first string, and whether there is none.
fn head(buffer: &[u8], size: u64) -> Result<(Vec<u8>, usize, bool)> {
    let body = xml::body(buffer)?;
    let mut tokens = Tokens::new(body, 0);
    let (root, empty) = loop {
        match tokens.next()? {
            Some(Token::Text(text)) if text.iter().all(u8::is_ascii_whitespace) => {}
            Some(Token::Start { name: b"sst", attributes, empty }) => break (attributes, empty),
            _ => return unusual("the shared strings are none"),
        }
    };
    if let Some(count) = attribute(root, b"uniqueCount")? {
        let count: Option<u64> = std::str::from_utf8(count).ok().and_then(|count| count.parse().ok());
        if count.is_none_or(|count| count.saturating_mul(SHORTEST) > size) {
            return unusual("there are fewer shared strings than the part says");
        }
    }
    let begin = memmem::find(body, b"sst").unwrap_or_default();
    let prefix = body[..begin].rsplit(|&byte| byte == b'<').next().unwrap_or_default();
    Ok((prefix.to_vec(), buffer.len() - body.len() + tokens.place, empty))
}

struct Reading {
    strings: StringsBuilder,
    scratch: Vec<u8>,
}

impl Reading {
    /// Read whole strings; at the `end`, the end of the root, too.
    fn window(&mut self, window: &[u8], end: bool) -> Result<()> {
        let mut place = 0;
        loop {
            while window.get(place).is_some_and(u8::is_ascii_whitespace) {
                place += 1;
            }
            if place == window.len() {
                return if end { unusual("the shared strings do not end") } else { Ok(()) };
            }
            if let Some(next) = self.plain(window, place)? {
                place = next;
                continue;
            }
            let mut tokens = Tokens::new(window, place);
            match tokens.next()? {
                Some(Token::Start { name: b"si", empty, .. }) => {
                    if !empty {
                        read_string(&mut tokens, b"si", &mut self.strings.text, &mut self.scratch)?;
                    }
                    self.strings.end_string()?;
                    place = tokens.place;
                }
                Some(Token::End { name: b"sst" }) if end => {
                    return if window[tokens.place..].iter().all(u8::is_ascii_whitespace) {
                        Ok(())
                    } else {
                        unusual("something follows the shared strings")
                    };
                }
                _ => return unusual("there is something among the shared strings"),
            }
        }
    }

    /// Read a string of the usual form; None if it has another one.
    #[inline]
    fn plain(&mut self, window: &[u8], place: usize) -> Result<Option<usize>> {
        let rest = &window[place..];
        let (text, keep) = if let Some(text) = rest.strip_prefix(b"<si><t>") {
            (text, false)
        } else if let Some(text) = rest.strip_prefix(br#"<si><t xml:space="preserve">"#) {
            (text, true)
        } else {
            return Ok(None);
        };
        let Some(length) = memchr(b'<', text) else { return Ok(None) };
        let (text, after) = text.split_at(length);
        if !after.starts_with(b"</t></si>") {
            return Ok(None);
        }
        push_text(text, keep, &mut self.strings.text, &mut self.scratch)?;
        self.strings.end_string()?;
        Ok(Some(window.len() - after.len() + b"</t></si>".len()))
    }
}

/// Append a text as it is in the XML, without the white space around it unless that is to be kept.
pub fn push_text(raw: &[u8], keep: bool, out: &mut Vec<u8>, scratch: &mut Vec<u8>) -> Result<()> {
    if memchr3(b'&', b'\r', b'_', raw).is_none() {
        out.extend_from_slice(if keep { raw } else { trimmed(raw) });
        return Ok(());
    }
    scratch.clear();
    xml::decode(raw, scratch)?;
    let text = if keep { scratch } else { trimmed(scratch) };
    match xml::unescape(text) {
        Some(text) => out.extend_from_slice(&text),
        None => out.extend_from_slice(text),
    }
    Ok(())
}

/// Without white space at the edges. `trim_ascii` would take form feeds away, too.
fn trimmed(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    if !text.first().is_some_and(is_space) && !text.last().is_some_and(is_space) {
        return text;
    }
    let Some(start) = text.iter().position(|byte| !is_space(byte)) else { return &[] };
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// Append the text of a string, plain or rich, up to the end of its element: phonetic runs are no part of it (18.4.6).
pub fn read_string(tokens: &mut Tokens<'_>, element: &[u8], out: &mut Vec<u8>, scratch: &mut Vec<u8>) -> Result<()> {
    let mut open: Vec<&[u8]> = Vec::new();
    loop {
        match tokens.next()? {
            Some(Token::Start { name: b"t", attributes, empty }) => {
                let keep = attribute(attributes, b"xml:space")? == Some(b"preserve");
                let raw = if empty { b"" } else { tokens.text_of(b"t")? };
                if !open.contains(&&b"rPh"[..]) {
                    push_text(raw, keep, out, scratch)?;
                }
            }
            Some(Token::Start { name: b"si" | b"is" | b"c", .. }) => return unusual("strings hold one another"),
            Some(Token::Start { name: b"rPh", .. }) if open.contains(&&b"rPh"[..]) => {
                return unusual("phonetic runs hold one another");
            }
            Some(Token::Start { name, empty: false, .. }) => open.push(name),
            Some(Token::End { name }) => match open.pop() {
                None if name == element => return Ok(()),
                Some(last) if last == name => {}
                _ => return unusual("a string does not end"),
            },
            Some(_) => {}
            None => return unusual("a string does not end"),
        }
    }
}
