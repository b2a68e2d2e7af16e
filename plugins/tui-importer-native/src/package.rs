//! A workbook as a ZIP archive: its directory, and its parts inflated piece by piece.
//!
//! PKWARE APPNOTE 4.3 (records), 4.4 (fields); ECMA-376 part 2 (part names are case-insensitive). ZIP64, encryption and
//! other methods than deflate are unusual: no spreadsheet program needs them below 4 GB.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use flate2::{Decompress, FlushDecompress, Status};
use memchr::memmem;

use crate::unusual::{unusual, Result};

/// Bytes of XML that are processed at once: they fit into a processor's cache.
pub const PIECE: usize = 256 << 10;
/// Packed bytes that are read at once.
const PACKED_PIECE: usize = 64 << 10;
/// Parts other than sheets and shared strings are not larger than this.
const MAX_SMALL_PART: u64 = 64 << 20;
/// As in the built-in reader: a part that unpacks to more bytes than this, and by more than this ratio, is a ZIP bomb.
const BOMB_BYTES: u64 = 512 << 20;
const BOMB_RATIO: u64 = 100;

/// The bytes of a part that show its encoding, and of how many parts they are looked at.
const FIRST_BYTES: usize = 16;
const MAX_ENCODINGS: usize = 256;

const END_SIGNATURE: &[u8] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const MAX_COMMENT: usize = 0xffff;
const ENTRY_SIGNATURE: &[u8] = b"PK\x01\x02";
const ENTRY_SIZE: usize = 46;
const LOCAL_SIGNATURE: &[u8] = b"PK\x03\x04";
const LOCAL_SIZE: usize = 30;
const ENCRYPTED: u16 = 0x1;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
/// A 32 bit field with this value refers to a ZIP64 record.
const ZIP64: u32 = u32::MAX;

/// An entry of the archive's directory.
#[derive(Debug, Clone, Copy)]
struct Entry {
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    header: u64,
}

/// The entries of an archive by the names of their parts, in lower case.
type Entries = HashMap<String, Entry>;

/// An open workbook file.
pub struct Package {
    file: Arc<Mutex<File>>,
    entries: Entries,
}

impl Package {
    /// Open the file and read its directory.
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path)?;
        if !file.metadata()?.is_file() {
            return unusual("no regular file");
        }
        let mut signature = [0; 4];
        file.read_exact(&mut signature)?;
        if signature != LOCAL_SIGNATURE {
            return unusual("no ZIP archive");
        }
        let entries = read_directory(&mut file)?;
        let package = Self { file: Arc::new(Mutex::new(file)), entries };
        package.check_encodings()?;
        Ok(package)
    }

    /// Check that no part is in UTF-16, not even one that is not read: the built-in reader has something to say of that.
    fn check_encodings(&self) -> Result<()> {
        let is_xml = |part: &&String| part.ends_with(".xml") || part.ends_with(".rels");
        for part in self.entries.keys().filter(is_xml).take(MAX_ENCODINGS) {
            let begins: &[&[u8]] = &[b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<"];
            let mut begin = Vec::new();
            let mut pieces = self.pieces(part)?;
            if pieces.entry.size > 0 {
                pieces.step(&mut begin, FIRST_BYTES)?;
            }
            if begins.iter().any(|bytes| begin.starts_with(bytes)) {
                return unusual("a part is in UTF-16");
            }
        }
        Ok(())
    }

    /// Whether the archive has a part of this name.
    pub fn has(&self, part: &str) -> bool {
        self.entries.contains_key(&part.to_lowercase())
    }

    /// The unpacked size that the directory claims.
    pub fn size(&self, part: &str) -> u64 {
        self.entries.get(&part.to_lowercase()).map_or(0, |entry| entry.size)
    }

    /// A small part as a whole.
    pub fn small_part(&self, part: &str) -> Result<Vec<u8>> {
        if self.size(part) > MAX_SMALL_PART {
            return unusual(format!("part {part} is very large"));
        }
        let mut pieces = self.pieces(part)?;
        let mut whole = Vec::new();
        while pieces.read(&mut whole)? {}
        Ok(whole)
    }

    /// A part piece by piece.
    pub fn pieces(&self, part: &str) -> Result<Pieces> {
        let Some(&entry) = self.entries.get(&part.to_lowercase()) else {
            return unusual(format!("no part {part}"));
        };
        let mut header = [0; LOCAL_SIZE];
        read_at(&self.file, entry.header, &mut header)?;
        if !header.starts_with(LOCAL_SIGNATURE) {
            return unusual("the archive's directory leads nowhere");
        }
        let skipped = u64::from(u16_at(&header, 26)) + u64::from(u16_at(&header, 28));
        Ok(Pieces {
            file: Arc::clone(&self.file),
            position: entry.header + LOCAL_SIZE as u64 + skipped,
            left: entry.packed,
            entry,
            inflate: (entry.method == DEFLATED).then(|| Decompress::new(false)),
            packed: Vec::new(),
            used: 0,
            unpacked: 0,
            digest: crc32fast::Hasher::new(),
            ended: false,
        })
    }
}

/// The bytes of a part, in pieces.
pub struct Pieces {
    file: Arc<Mutex<File>>,
    position: u64,
    left: u64,
    entry: Entry,
    inflate: Option<Decompress>,
    packed: Vec<u8>,
    used: usize,
    unpacked: u64,
    digest: crc32fast::Hasher,
    ended: bool,
}

impl Pieces {
    /// Append the next piece to the buffer; false if there is none. A part that does not have the size and the checksum
    /// that the directory claims is unusual.
    pub fn read(&mut self, buffer: &mut Vec<u8>) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        let begin = buffer.len();
        let wanted = PIECE.min((self.entry.size - self.unpacked) as usize);
        buffer.reserve(wanted.max(1));
        while buffer.len() - begin < wanted && !self.ended {
            self.step(buffer, begin + wanted)?;
        }
        let piece = &buffer[begin..];
        self.digest.update(piece);
        self.unpacked += piece.len() as u64;
        if self.unpacked == self.entry.size {
            self.finish()?;
        } else if self.ended {
            return unusual("a part is shorter than it says");
        }
        Ok(buffer.len() > begin)
    }

    /// Append some bytes, so that the buffer is at most as long as `limit`.
    fn step(&mut self, buffer: &mut Vec<u8>, limit: usize) -> Result<()> {
        if self.used == self.packed.len() {
            self.refill()?;
        }
        let packed = &self.packed[self.used..];
        let Some(inflate) = &mut self.inflate else {
            let taken = packed.len().min(limit - buffer.len());
            if taken == 0 {
                return unusual("a part is shorter than it says");
            }
            buffer.extend_from_slice(&packed[..taken]);
            self.used += taken;
            return Ok(());
        };
        let (read, written) = (inflate.total_in(), inflate.total_out());
        let begin = buffer.len();
        buffer.resize(limit, 0);
        let status = inflate.decompress(packed, &mut buffer[begin..], FlushDecompress::None);
        buffer.truncate(begin + (inflate.total_out() - written) as usize);
        self.used += (inflate.total_in() - read) as usize;
        match status {
            Ok(Status::StreamEnd) => self.ended = true,
            Ok(_) if inflate.total_in() == read && inflate.total_out() == written => {
                return unusual("a part is shorter than it says")
            }
            Ok(_) => {}
            Err(error) => return unusual(error.to_string()),
        }
        Ok(())
    }

    fn refill(&mut self) -> Result<()> {
        let length = self.left.min(PACKED_PIECE as u64) as usize;
        self.packed.resize(length, 0);
        self.used = 0;
        read_at(&self.file, self.position, &mut self.packed)?;
        self.position += length as u64;
        self.left -= length as u64;
        Ok(())
    }

    /// Check that the part ends here.
    fn finish(&mut self) -> Result<()> {
        let stream_ended = std::mem::replace(&mut self.ended, true);
        if let Some(mut inflate) = self.inflate.take().filter(|_| !stream_ended) {
            loop {
                let (read, written) = (inflate.total_in(), inflate.total_out());
                let status = inflate.decompress(&self.packed[self.used..], &mut [0; 1], FlushDecompress::None);
                self.used += (inflate.total_in() - read) as usize;
                match status {
                    Ok(Status::StreamEnd) => break,
                    Ok(_) if inflate.total_out() != written => return unusual("a part is longer than it says"),
                    Ok(_) if self.used == self.packed.len() && self.left > 0 => self.refill()?,
                    Ok(_) if inflate.total_in() != read => {}
                    _ => return unusual("a part does not end where it says"),
                }
            }
        }
        if self.digest.clone().finalize() != self.entry.crc {
            return unusual("a part has the wrong checksum");
        }
        Ok(())
    }
}

/// Fill the buffer from a place of a file that other threads read, too.
fn read_at(file: &Mutex<File>, place: u64, buffer: &mut [u8]) -> Result<()> {
    let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
    file.seek(SeekFrom::Start(place))?;
    file.read_exact(buffer)?;
    Ok(())
}

fn read_directory(file: &mut File) -> Result<Entries> {
    let length = file.seek(SeekFrom::End(0))?;
    let tail_length = length.min((END_SIZE + MAX_COMMENT) as u64);
    file.seek(SeekFrom::End(-(tail_length as i64)))?;
    let mut tail = Vec::new();
    file.take(tail_length).read_to_end(&mut tail)?;
    let Some(place) = memmem::rfind(&tail, END_SIGNATURE).filter(|place| place + END_SIZE <= tail.len()) else {
        return unusual("the archive has no directory");
    };
    let end = &tail[place..];
    let (count, size, start) = (u16_at(end, 10), u32_at(end, 12), u32_at(end, 16));
    if usize::from(u16_at(end, 20)) + END_SIZE != end.len() || u16_at(end, 4) != 0 || u16_at(end, 8) != count {
        return unusual("the archive's directory is unusual");
    }
    let end_place = length - tail_length + place as u64;
    if start == ZIP64 || count == u16::MAX || u64::from(start) + u64::from(size) != end_place {
        return unusual("the archive is a large one, or does not begin with its first part");
    }
    file.seek(SeekFrom::Start(start.into()))?;
    let mut directory = Vec::new();
    file.take(size.into()).read_to_end(&mut directory)?;
    parse_directory(&directory, count)
}

fn parse_directory(mut rest: &[u8], count: u16) -> Result<Entries> {
    let mut entries = HashMap::new();
    for _ in 0..count {
        if rest.len() < ENTRY_SIZE || !rest.starts_with(ENTRY_SIGNATURE) {
            return unusual("the archive's directory is damaged");
        }
        let name_end = ENTRY_SIZE + usize::from(u16_at(rest, 28));
        let entry_end = name_end + usize::from(u16_at(rest, 30)) + usize::from(u16_at(rest, 32));
        let (Some(name), Some(following)) = (rest.get(ENTRY_SIZE..name_end), rest.get(entry_end..)) else {
            return unusual("the archive's directory is damaged");
        };
        let Ok(name) = std::str::from_utf8(name) else {
            return unusual("a part's name is not in UTF-8");
        };
        let (packed, size, header) = (u32_at(rest, 20), u32_at(rest, 24), u32_at(rest, 42));
        if [packed, size, header].contains(&ZIP64) {
            return unusual("the archive is a large one");
        }
        let (flags, method) = (u16_at(rest, 8), u16_at(rest, 10));
        if flags & ENCRYPTED != 0 || !(method == DEFLATED || (method == STORED && packed == size)) {
            return unusual("a part is encrypted or compressed in an unusual way");
        }
        if name.contains('\\') || name.starts_with('/') {
            return unusual("a part's name is unusual");
        }
        let entry = Entry {
            method,
            crc: u32_at(rest, 16),
            packed: packed.into(),
            size: size.into(),
            header: header.into(),
        };
        if entry.size > BOMB_BYTES && entry.size > entry.packed * BOMB_RATIO {
            return unusual("a part unpacks to an implausible size");
        }
        if entries.insert(name.to_lowercase(), entry).is_some() {
            return unusual("two parts have the same name");
        }
        rest = following;
    }
    Ok(entries)
}

fn u16_at(bytes: &[u8], place: usize) -> u16 {
    u16::from_le_bytes([bytes[place], bytes[place + 1]])
}

fn u32_at(bytes: &[u8], place: usize) -> u32 {
    u32::from_le_bytes([bytes[place], bytes[place + 1], bytes[place + 2], bytes[place + 3]])
}
