//! What reads files, without Python: the plugin itself is a library for Python alone, so its modules are compiled once more.
#![allow(dead_code)]

#[path = "../../src/cells.rs"]
mod cells;
#[path = "../../src/delimited.rs"]
mod delimited;
#[path = "../../src/formats.rs"]
mod formats;
#[path = "../../src/hostile.rs"]
pub mod hostile;
#[path = "../../src/package.rs"]
mod package;
#[path = "../../src/shared.rs"]
mod shared;
#[path = "../../src/sheet.rs"]
mod sheet;
#[path = "../../src/stream.rs"]
mod stream;
#[path = "../../src/strings.rs"]
mod strings;
#[path = "../../src/unusual.rs"]
mod unusual;
#[path = "../../src/workbook.rs"]
mod workbook;
#[path = "../../src/xml.rs"]
mod xml;
