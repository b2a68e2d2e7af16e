//! The tags and texts of XML in UTF-8. Comments, CDATA, processing instructions and document types are unusual.

use memchr::{memchr, memchr3};

use crate::unusual::{unusual, Result};

/// A tag or a text between two tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Token<'a> {
    /// A start tag: its name without a prefix, and its attributes. An `empty` element has no end tag.
    Start { name: &'a [u8], attributes: &'a [u8], empty: bool },
    /// An end tag: its name without a prefix.
    End { name: &'a [u8] },
    /// The characters between two tags, not decoded yet.
    Text(&'a [u8]),
}

/// Reads tokens from bytes.
pub struct Tokens<'a> {
    bytes: &'a [u8],
    /// The place of the next token.
    pub place: usize,
}

impl<'a> Tokens<'a> {
    pub fn new(bytes: &'a [u8], place: usize) -> Self {
        Self { bytes, place }
    }

    /// The next token; None at the end.
    pub fn next(&mut self) -> Result<Option<Token<'a>>> {
        let bytes = self.bytes;
        let Some(&first) = bytes.get(self.place) else {
            return Ok(None);
        };
        if first != b'<' {
            let end = memchr(b'<', &bytes[self.place..]).map_or(bytes.len(), |length| self.place + length);
            let text = &bytes[self.place..end];
            self.place = end;
            return Ok(Some(Token::Text(text)));
        }
        let begin = self.place + 1;
        let Some(end) = tag_end(bytes, begin) else {
            return unusual("a tag does not end");
        };
        self.place = end + 1;
        let tag = &bytes[begin..end];
        match tag.first() {
            Some(b'!' | b'?') | None => unusual("there is a comment, CDATA, an instruction or a document type"),
            Some(b'/') => Ok(Some(Token::End { name: local(tag[1..].trim_ascii_end())? })),
            Some(first) if !first.is_ascii_alphabetic() && *first != b'_' => unusual("a name is unusual"),
            Some(_) => {
                let (tag, empty) = tag.strip_suffix(b"/").map_or((tag, false), |tag| (tag, true));
                let name_end = tag.iter().position(u8::is_ascii_whitespace).unwrap_or(tag.len());
                let (name, attributes) = tag.split_at(name_end);
                Ok(Some(Token::Start { name: local(name)?, attributes, empty }))
            }
        }
    }

    /// The text of an element that holds nothing else, up to its end.
    pub fn text_of(&mut self, element: &[u8]) -> Result<&'a [u8]> {
        let mut found: &[u8] = b"";
        loop {
            match self.next()? {
                Some(Token::Text(text)) => found = text,
                Some(Token::End { name }) if name == element => return Ok(found),
                _ => return unusual("a text holds elements"),
            }
        }
    }
}

/// Call a function for each start tag of a whole part, with its name and attributes, and for each end tag, without any.
/// What is not well-formed is unusual, as far as tags, attributes and UTF-8 go.
pub fn for_each_tag(bytes: &[u8], mut call: impl FnMut(&[u8], Option<&[u8]>) -> Result<()>) -> Result<()> {
    if std::str::from_utf8(bytes).is_err() || has_control_characters(bytes) {
        return unusual("a part is not in UTF-8");
    }
    let mut tokens = Tokens::new(body(bytes)?, 0);
    let mut open: Vec<&[u8]> = Vec::new();
    let mut ended = false;
    let mut names: Vec<&[u8]> = Vec::new();
    while let Some(token) = tokens.next()? {
        match token {
            Token::Start { .. } if ended => return unusual("a part has two roots"),
            Token::Start { name, .. } if open.first() == Some(&name) => return unusual("a part is in another one"),
            Token::Start { name, attributes, empty } => {
                names.clear();
                let mut all = Attributes(attributes);
                while let Some((name, _)) = all.next()? {
                    if names.contains(&name) {
                        return unusual("an attribute is there twice");
                    }
                    names.push(name);
                }
                call(name, Some(attributes))?;
                if empty {
                    call(name, None)?;
                    ended = open.is_empty();
                } else {
                    open.push(name);
                }
            }
            Token::End { name } => {
                if open.pop() != Some(name) {
                    return unusual("a part has other ends than beginnings");
                }
                call(name, None)?;
                ended = open.is_empty();
            }
            Token::Text(text) if open.is_empty() && !text.iter().all(u8::is_ascii_whitespace) => {
                return unusual("there is text outside of the root");
            }
            Token::Text(_) => {}
        }
    }
    if ended {
        Ok(())
    } else {
        unusual("a part does not end")
    }
}

/// The place of the `>` that ends a tag.
fn tag_end(bytes: &[u8], mut place: usize) -> Option<usize> {
    loop {
        let found = place + memchr3(b'>', b'"', b'\'', bytes.get(place..)?)?;
        match bytes[found] {
            b'>' => return Some(found),
            quote => place = found + 1 + memchr(quote, &bytes[found + 1..])? + 1,
        }
    }
}

/// A name without its prefix.
fn local(name: &[u8]) -> Result<&[u8]> {
    let name = memchr(b':', name).map_or(name, |place| &name[place + 1..]);
    if name.is_empty() || name.contains(&b':') {
        return unusual("a name is unusual");
    }
    Ok(name)
}

/// The attributes of a start tag, as (name with its prefix, value that is not decoded yet).
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Attributes<'a> {
    /// The next attribute; None at the end.
    pub fn next(&mut self) -> Result<Option<(&'a [u8], &'a [u8])>> {
        let rest = self.0.trim_ascii_start();
        if rest.is_empty() {
            return Ok(None);
        }
        if rest.len() == self.0.len() {
            return unusual("there is no space before an attribute");
        }
        let Some(equals) = memchr(b'=', rest) else {
            return unusual("an attribute has no value");
        };
        let name = rest[..equals].trim_ascii_end();
        let value = rest[equals + 1..].trim_ascii_start();
        let quote = match value.first() {
            Some(&quote @ (b'"' | b'\'')) => quote,
            _ => return unusual("an attribute has no quotes"),
        };
        let Some(length) = memchr(quote, &value[1..]) else {
            return unusual("an attribute does not end");
        };
        if name.is_empty() || name.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'<')) {
            return unusual("an attribute's name is unusual");
        }
        self.0 = &value[length + 2..];
        Ok(Some((name, &value[1..=length])))
    }
}

/// The value of the attribute with exactly this name.
pub fn attribute<'a>(attributes: &'a [u8], name: &[u8]) -> Result<Option<&'a [u8]>> {
    let mut all = Attributes(attributes);
    let mut found = None;
    while let Some((key, value)) = all.next()? {
        if key == name && found.replace(value).is_some() {
            return unusual("an attribute is there twice");
        }
    }
    Ok(found)
}

/// Decode the characters of a text: entities, character references and line ends (XML 1.0, 2.11 and 4.6).
pub fn decode(raw: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let mut rest = raw;
    while let Some(place) = memchr::memchr2(b'&', b'\r', rest) {
        out.extend_from_slice(&rest[..place]);
        if rest[place] == b'\r' {
            out.push(b'\n');
            rest = &rest[place + 1..];
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            continue;
        }
        let Some(length) = memchr(b';', &rest[place..]) else {
            return unusual("an entity does not end");
        };
        let entity = &rest[place + 1..place + length];
        match entity {
            b"amp" => out.push(b'&'),
            b"lt" => out.push(b'<'),
            b"gt" => out.push(b'>'),
            b"quot" => out.push(b'"'),
            b"apos" => out.push(b'\''),
            _ => {
                let character = reference(entity)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        rest = &rest[place + length + 1..];
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// The character of a reference such as `#10` or `#x0A`.
fn reference(entity: &[u8]) -> Result<char> {
    let (digits, radix) = match entity {
        [b'#', b'x', digits @ ..] => (digits, 16),
        [b'#', digits @ ..] => (digits, 10),
        _ => return unusual("there is an entity of its own"),
    };
    let plain = !digits.is_empty() && digits.len() <= 8 && digits.iter().all(u8::is_ascii_hexdigit);
    let number = std::str::from_utf8(digits).ok().filter(|_| plain).and_then(|text| u32::from_str_radix(text, radix).ok());
    // XML 1.0 allows no other control characters, not even as references.
    match number.and_then(char::from_u32) {
        Some(character) if character >= ' ' || matches!(character, '\t' | '\n' | '\r') => Ok(character),
        _ => unusual("there is a reference to no character"),
    }
}

/// Decode an attribute's value.
pub fn decoded(raw: &[u8]) -> Result<String> {
    if raw.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\t' | b'<')) {
        return unusual("an attribute has line ends");
    }
    let mut out = Vec::with_capacity(raw.len());
    decode(raw, &mut out)?;
    String::from_utf8(out).or_else(|_| unusual("an attribute is not in UTF-8"))
}

/// The XML after its byte order mark and its declaration. Another encoding than UTF-8 is unusual.
pub fn body(bytes: &[u8]) -> Result<&[u8]> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if !bytes.starts_with(b"<?xml") {
        return Ok(bytes);
    }
    let Some(end) = memchr::memmem::find(bytes, b"?>") else {
        return unusual("the XML declaration does not end");
    };
    let mut attributes = Attributes(&bytes[5..end]);
    while let Some((name, value)) = attributes.next()? {
        let plain = match name {
            b"version" => value == b"1.0",
            b"encoding" => [&b"utf-8"[..], b"us-ascii", b"ascii"].iter().any(|known| value.eq_ignore_ascii_case(known)),
            _ => name == b"standalone",
        };
        if !plain {
            return unusual("the XML is not in UTF-8, or of another version");
        }
    }
    Ok(&bytes[end + 2..])
}

/// Whether bytes hold control characters that XML does not have.
pub fn has_control_characters(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, &byte| found | (byte < b' ' && byte != b'\t' && byte != b'\n' && byte != b'\r'))
}

/// Replace what spreadsheet programs write as `_x00HH_` by the character (ECMA-376 part 1, 22.4.2.4, as the built-in
/// reader does it: characters up to U+00FF only).
pub fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    memchr::memmem::find(text, b"_x00")?;
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(&byte) = rest.first() {
        if rest.len() >= 7 && rest.starts_with(b"_x00") && rest[6] == b'_' {
            let digits = std::str::from_utf8(&rest[4..6]).ok();
            if let Some(code) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
                out.extend_from_slice(char::from(code).encode_utf8(&mut [0; 4]).as_bytes());
                rest = &rest[7..];
                continue;
            }
        }
        out.push(byte);
        rest = &rest[1..];
    }
    Some(out)
}
