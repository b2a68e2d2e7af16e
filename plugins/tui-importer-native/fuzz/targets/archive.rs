//! A file as a workbook: see `src/hostile.rs` of the plugin.
#![no_main]

use tui_importer_native_fuzz::hostile;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hostile::archive(bytes));
