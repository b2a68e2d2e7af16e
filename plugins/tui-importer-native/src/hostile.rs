//! Hostile input, for the fuzzers in `fuzz` and for the test below: nothing panics, hangs or takes much memory, and the same
//! cells are found whatever is kept in memory and however many rows are asked for at once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use flate2::{write::DeflateEncoder, Compression};
use memchr::memmem;
use tempfile::NamedTempFile;

use crate::cells::{Cells, Value};
use crate::delimited::{self, Dialect, Records};
use crate::package::{self, Package};
use crate::stream::{guarded, Blocks, Shared, Stream, PANICKED};
use crate::unusual::{Result, Unusual};
use crate::workbook::Workbook;

/// What parts of a workbook are separated by.
const SEPARATOR: &[u8] = b"\n----\n";
/// Cells beyond so many are only counted.
const COMPARED: u64 = 1 << 16;

const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

/// Read a file as a workbook.
pub fn archive(bytes: &[u8]) {
    let file = written(bytes);
    let whole = checked(workbook_cells(file.path(), None, 1000));
    let streamed = checked(workbook_cells(file.path(), Some(0), 7));
    assert_eq!(whole.is_ok(), streamed.is_ok(), "{whole:?} {streamed:?}");
    if whole.is_ok() {
        assert_eq!(whole, streamed);
    }
}

/// Read a workbook with these parts, with separators between them: a sheet, the shared strings, the styles and the list of
/// sheets. The first bytes say how they are packed, and how far from the end of what is read at once the first row begins.
pub fn workbook(bytes: &[u8]) {
    let [how, distance, rest @ ..] = bytes else { return };
    let [sheet, strings, styles, sheets] = parts(rest);
    let mut sheet = sheet.to_vec();
    if let (true, Some(place)) = (how & 0x71 == 0x31, memmem::find(&sheet, b"<row")) {
        let blanks = package::PIECE.saturating_sub(place + usize::from(*distance));
        sheet.splice(place..place, std::iter::repeat_n(b' ', blanks));
    }
    archive(&zip(&sheet, strings, styles, sheets, how & 2 != 0));
}

fn parts(mut rest: &[u8]) -> [&[u8]; 4] {
    [(); 4].map(|()| match memmem::find(rest, SEPARATOR) {
        Some(place) => {
            let part = &rest[..place];
            rest = &rest[place + SEPARATOR.len()..];
            part
        }
        None => std::mem::take(&mut rest),
    })
}

/// Read a file as delimited text. The first bytes say how it is written, and how far from the end of what is read at once it
/// begins.
pub fn text(bytes: &[u8]) {
    let [how, distance, rest @ ..] = bytes else { return };
    let dialect = Dialect {
        delimiter: b",;\t|"[usize::from(how & 3)],
        quote: (how & 4 != 0).then_some(b'"'),
        separator_line: how & 8 != 0,
    };
    let mut contents = Vec::new();
    if how & 0x70 == 0x50 {
        contents.resize(delimited::PIECE - usize::from(*distance), b'x');
        contents.push(b'\n');
    }
    contents.extend_from_slice(rest);
    let file = written(&contents);
    let many = checked(text_cells(file.path(), dialect, 1000));
    let few = checked(text_cells(file.path(), dialect, 1));
    assert_eq!(many.is_ok(), few.is_ok(), "{many:?} {few:?}");
    if many.is_ok() {
        assert_eq!(many, few);
    }
    let (is_utf8, _) = checked(guarded(|| delimited::examine(file.path()))).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(is_utf8, std::str::from_utf8(&contents).is_ok());
}

/// What was read: the number of rows, and a sum over the cells.
type Found = (u32, u64);

/// A result which is not that of a panic.
fn checked<T>(result: Result<T>) -> Result<T> {
    if let Err(Unusual(why)) = &result {
        assert_ne!(why, PANICKED);
    }
    result
}

fn workbook_cells(path: &Path, kept: Option<usize>, rows: u32) -> Result<Vec<Found>> {
    let read = || {
        let package = Package::open(path)?;
        let contents = Workbook::read(&package)?;
        Ok(Arc::new(Shared::new(package, contents, kept)))
    };
    let shared = guarded(read)?;
    let parts = shared.contents.sheets.iter().map(|sheet| sheet.part.as_str());
    parts.map(|part| sheet_cells(&shared, part, kept, rows)).collect()
}

fn sheet_cells(shared: &Arc<Shared>, part: &str, kept: Option<usize>, rows: u32) -> Result<Found> {
    let stream = Stream::begin(shared, part, kept)?;
    let all = || -> Result<Found> {
        let mut blocks = Blocks::new(&stream);
        let mut found: Found = (0, 0);
        while let Some(block) = blocks.next(rows)? {
            assert!(block.rows > 0 && block.rows <= rows);
            assert_eq!(block.first_row, found.0);
            found.0 += block.rows;
            found.1 = found.1.wrapping_add(sum(&block.cells, block.first_row, 0, block.rows, block.end_column));
        }
        Ok(found)
    };
    let read = || {
        let found = all()?;
        assert_eq!(all()?, found); // what is not kept is read once more
        stream.merged()?;
        stream.dimension()?;
        Ok(found)
    };
    let found = guarded(read);
    stream.cancel();
    found
}

fn text_cells(path: &Path, dialect: Dialect, rows: u32) -> Result<Found> {
    guarded(|| {
        let mut records = Records::open(path, dialect)?;
        let mut found: Found = (0, 0);
        while let Some(block) = records.next(rows)? {
            assert!(block.rows > 0 && block.rows <= rows);
            assert_eq!(block.first_row, found.0);
            found.0 += block.rows;
            found.1 = found.1.wrapping_add(sum(&block.cells, 0, block.first_row, block.rows, block.width));
        }
        Ok(found)
    })
}

/// A sum over cells. `first`: the number of the first row within the cells; `before`: the rows before the cells.
fn sum(cells: &Cells, first: u32, before: u32, rows: u32, columns: u32) -> u64 {
    let mut total = 0_u64;
    for row in first..first + rows {
        let compared = COMPARED / u64::from(before + row + 1);
        for column in 0..columns.min(compared as u32) {
            let (value, chunk) = cells.get(row, column);
            let text = |start, length| chunk.map_or("", |chunk| chunk.text(start, length)).to_owned();
            let shown = match value {
                Value::Blank => continue,
                Value::Shared(number) => cells.string(number).to_owned(),
                Value::Text(start, length) | Value::Error(start, length) | Value::Formula(start, length) => text(start, length),
                other => format!("{other:?}"),
            };
            let mut hasher = DefaultHasher::new();
            (before + row, column, value.kind(), shown).hash(&mut hasher);
            total = total.wrapping_add(hasher.finish());
        }
    }
    total
}

fn written(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("space for it");
    file
}

/// A workbook with these parts, as a ZIP archive; empty ones are left out, and without a list of sheets there is one.
fn zip(sheet: &[u8], strings: &[u8], styles: &[u8], sheets: &[u8], deflated: bool) -> Vec<u8> {
    let relation = |number: u8, kind: &str, target: &str| {
        format!(r#"<Relationship Id="r{number}" Type="{RELATIONS}/{kind}" Target="{target}"/>"#)
    };
    let relations = |all: &str| format!("<Relationships>{all}</Relationships>");
    let mut targets = relation(1, "worksheet", "worksheets/sheet1.xml");
    if !strings.is_empty() {
        targets += &relation(2, "sharedStrings", "sharedStrings.xml");
    }
    if !styles.is_empty() {
        targets += &relation(3, "styles", "styles.xml");
    }
    let one = format!(
        r#"<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets><sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>"#
    );
    let parts: [(&str, &[u8]); 6] = [
        ("_rels/.rels", &relations(&relation(1, "officeDocument", "xl/workbook.xml")).into_bytes()),
        ("xl/workbook.xml", if sheets.is_empty() { one.as_bytes() } else { sheets }),
        ("xl/_rels/workbook.xml.rels", &relations(&targets).into_bytes()),
        ("xl/worksheets/sheet1.xml", sheet),
        ("xl/sharedStrings.xml", strings),
        ("xl/styles.xml", styles),
    ];
    let (mut out, mut directory, mut count) = (Vec::new(), Vec::new(), 0_u16);
    for (name, part) in parts.into_iter().filter(|(_, part)| !part.is_empty()) {
        let packed = if deflated {
            let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(part).and_then(|()| encoder.finish()).expect("memory for it")
        } else {
            part.to_vec()
        };
        let place = out.len() as u32;
        let mut fields = vec![20, 0, 0, 0, if deflated { 8 } else { 0 }, 0, 0, 0, 0, 0];
        for number in [crc32fast::hash(part), packed.len() as u32, part.len() as u32] {
            fields.extend_from_slice(&number.to_le_bytes());
        }
        fields.extend_from_slice(&(name.len() as u16).to_le_bytes());
        fields.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&[b"PK\x03\x04", &fields[..], name.as_bytes(), &packed].concat());
        directory.extend_from_slice(&[b"PK\x01\x02\x14\0", &fields[..], &[0; 10], &place.to_le_bytes(), name.as_bytes()].concat());
        count += 1;
    }
    let start = out.len() as u32;
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&[count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    out.extend_from_slice(&[&start.to_le_bytes()[..], &[0, 0]].concat());
    out
}

#[cfg(test)]
mod tests {
    use std::panic::{catch_unwind, AssertUnwindSafe};
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use super::*;

    /// So many inputs of each kind are tried, always the same ones, and then others for as many seconds as this says.
    const INPUTS: usize = 1500;
    const SECONDS: &str = "TUI_IMPORTER_FUZZ_SECONDS";
    /// No input takes longer, on a machine that does something else, too.
    const PATIENCE: Duration = Duration::from_secs(20);
    /// Nor more memory, in kB: places for cells are bounded at 256 MB.
    const MAX_KILOBYTES: u64 = 1 << 20;

    /// A xorshift generator: the same numbers each time.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 11) as usize % limit.max(1)
        }
    }

    fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
    }

    fn seeds(kind: &str) -> Vec<Vec<u8>> {
        let mut paths: Vec<_> = std::fs::read_dir(folder().join("seeds").join(kind)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(!paths.is_empty());
        paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
    }

    fn words() -> Vec<Vec<u8>> {
        let lines = std::fs::read_to_string(folder().join("words.dict")).unwrap();
        let quoted = lines.lines().filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
        quoted.map(|word| word.replace("\\\"", "\"").replace("\\x0d", "\r").replace("\\x0a", "\n").into_bytes()).collect()
    }

    /// An attribute's value, a tag or a text: what stands between two of these characters.
    fn span(bytes: &[u8], random: &mut Random) -> std::ops::Range<usize> {
        let is_edge = |byte: &u8| matches!(byte, b'"' | b'<' | b'>' | b'\n' | b',');
        let from = random.below(bytes.len() + 1);
        let start = bytes[from..].iter().position(is_edge).map_or(bytes.len(), |place| from + place + 1);
        let end = bytes[start..].iter().position(is_edge).map_or(bytes.len(), |place| start + place);
        start..end
    }

    fn mutated(seeds: &[Vec<u8>], words: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
        let mut bytes = seeds[random.below(seeds.len())].clone();
        for _ in 0..=random.below(3) {
            let word = &words[random.below(words.len())];
            let (start, length) = (random.below(bytes.len() + 1), random.below(40));
            let end = (start + length).min(bytes.len());
            match random.below(8) {
                0 if start < end => bytes[start] = random.below(256) as u8,
                1 => drop(bytes.drain(start..end)),
                2 => drop(bytes.splice(start..start, bytes[start..end].repeat(1 + random.below(9)))),
                3 => drop(bytes.splice(start..start, word.clone())),
                4 | 5 => {
                    let place = span(&bytes, random);
                    bytes.splice(place, word.clone());
                }
                _ => {
                    let (place, other) = (span(&bytes, random), &seeds[random.below(seeds.len())]);
                    bytes.splice(place, other[span(other, random)].to_vec());
                }
            }
        }
        bytes
    }

    fn peak_kilobytes() -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
    }

    fn try_all(kind: &str, read: fn(&[u8])) {
        let (seeds, words) = (seeds(kind), words());
        let seconds = std::env::var(SECONDS).map_or(0.0, |seconds| seconds.parse().unwrap());
        let began = Instant::now();
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let inputs = seeds.iter().cloned().chain(std::iter::from_fn(|| Some(mutated(&seeds, &words, &mut random))));
        let mut count = 0;
        for bytes in inputs {
            let before = Instant::now();
            let result = catch_unwind(AssertUnwindSafe(|| read(&bytes)));
            if result.is_err() || before.elapsed() > PATIENCE {
                let kept = folder().join(format!("found-{kind}"));
                std::fs::write(&kept, &bytes).unwrap();
                panic!("{}: {:?} after {:?}", kept.display(), result.err().map(|_| "failed"), before.elapsed());
            }
            count += 1;
            if count >= INPUTS && began.elapsed().as_secs_f64() > seconds {
                break;
            }
        }
        println!("{count} inputs, {:?} kB at most", peak_kilobytes());
        assert!(peak_kilobytes().is_none_or(|peak| peak < MAX_KILOBYTES));
    }

    #[test]
    fn hostile_archives_are_survived() {
        try_all("archive", archive);
    }

    #[test]
    fn hostile_workbooks_are_survived() {
        try_all("workbook", workbook);
    }

    #[test]
    fn hostile_texts_are_survived() {
        try_all("text", text);
    }

    #[test]
    fn seeds_are_read() {
        for bytes in seeds("archive") {
            assert!(workbook_cells(written(&bytes).path(), None, 1000).is_ok());
        }
        for bytes in seeds("workbook") {
            let [sheet, strings, styles, sheets] = parts(&bytes[2..]);
            let file = written(&zip(sheet, strings, styles, sheets, true));
            let found = workbook_cells(file.path(), None, 1000).unwrap();
            assert!(found.iter().all(|&(rows, _)| rows > 0));
        }
    }
}
