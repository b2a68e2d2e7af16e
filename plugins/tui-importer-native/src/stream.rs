//! A sheet that is read while its rows are used.
//!
//! A thread reads ahead and keeps what it has read, up to a certain size. Sheets that are larger than that are read again
//! from their beginning by each who needs the rest, who keeps no more than the rows of a block.

use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crate::cells::{Cells, Chunk, Extent, CHUNK_ROWS};
use crate::package::Package;
use crate::shared::Strings;
use crate::sheet::{self, Context, End, Merged, Pass};
use crate::strings;
use crate::unusual::{unusual, Result, Unusual};
use crate::workbook::Workbook;

/// Bytes of cells that are kept: a sheet of a million rows with nine columns of texts takes half of it.
const KEPT: usize = 80 << 20;
/// The rows of a block take at most about so many bytes.
const BLOCK: usize = 24 << 20;

/// Why a file is left to the built-in reader if this one panics.
pub const PANICKED: &str = "the compiled reader failed";

/// An open workbook, which its sheets share.
pub struct Shared {
    pub package: Package,
    pub contents: Workbook,
    /// The shared strings, once they were read, and how many bytes of them are kept in memory.
    strings: Mutex<Option<Arc<Strings>>>,
    kept_strings: Option<usize>,
}

impl Shared {
    pub fn new(package: Package, contents: Workbook, kept_strings: Option<usize>) -> Self {
        Self { package, contents, strings: Mutex::new(None), kept_strings }
    }

    fn context(&self, cancelled: &AtomicBool) -> Result<Context> {
        let mut known = self.strings.lock().unwrap_or_else(PoisonError::into_inner);
        let strings = match (&*known, &self.contents.strings) {
            (Some(strings), _) => Arc::clone(strings),
            (None, None) => Arc::default(),
            (None, Some(part)) => {
                let read = strings::read(&self.package, part, self.kept_strings, cancelled)?;
                Arc::clone(known.insert(Arc::new(read)))
            }
        };
        Ok(Context { strings, styles: Arc::clone(&self.contents.styles), date1904: self.contents.date1904 })
    }
}

/// Call a function that reads. What makes it panic, which must never happen, is unusual like anything else.
pub fn guarded<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    match catch_unwind(AssertUnwindSafe(read)) {
        Ok(result) => result,
        Err(_) => unusual(PANICKED),
    }
}

#[derive(Default)]
struct State {
    context: Option<Context>,
    /// The first chunks of the sheet, and the bytes that they take.
    chunks: Vec<Arc<Chunk>>,
    bytes: usize,
    /// The columns of these chunks: the one after the last.
    end_column: u32,
    /// Whether the thread has ended.
    stopped: bool,
    /// The reading that goes on after the chunks, if there is more than is kept.
    rest: Option<Box<Pass>>,
    failed: Option<Unusual>,
    end: Option<Arc<End>>,
    /// Whether the chunks are all.
    complete: bool,
}

impl State {
    /// Check that nothing unusual was found.
    fn check(&self) -> Result<()> {
        self.failed.as_ref().map_or(Ok(()), |error| Err(error.clone()))
    }
}

/// A sheet that is being read.
pub struct Stream {
    shared: Arc<Shared>,
    part: String,
    kept: usize,
    state: Mutex<State>,
    changed: Condvar,
    cancelled: AtomicBool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Stream {
    /// Begin to read a sheet, and keep about so many bytes of its cells (by default as many as is sensible).
    pub fn begin(shared: &Arc<Shared>, part: &str, kept: Option<usize>) -> Result<Arc<Self>> {
        let stream = Arc::new(Self {
            shared: Arc::clone(shared),
            part: part.to_owned(),
            kept: kept.unwrap_or(KEPT),
            state: Mutex::default(),
            changed: Condvar::new(),
            cancelled: AtomicBool::new(false),
            thread: Mutex::new(None),
        });
        let reading = Arc::clone(&stream);
        let thread = std::thread::Builder::new().name("native-sheet".to_owned()).spawn(move || {
            let result = guarded(|| reading.read_ahead());
            let mut state = reading.lock();
            state.stopped = true;
            if let Err(error) = result {
                state.failed = Some(error);
            }
            reading.changed.notify_all();
        })?;
        *stream.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(stream)
    }

    /// Stop reading ahead.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = thread.join(); // it does not panic
        }
    }

    /// The bytes of XML of the sheet.
    pub fn size(&self) -> u64 {
        self.shared.package.size(&self.part)
    }

    /// Wait until the sheet is read as far as it is kept; returns what is known at its end, if that is reached.
    pub fn wait(&self) -> Result<Option<Arc<End>>> {
        let state = self.wait_until(|_| false);
        state.check()?;
        Ok(if state.complete { state.end.clone() } else { None })
    }

    /// The merged ranges.
    pub fn merged(&self) -> Result<Vec<Merged>> {
        {
            let state = self.wait_until(|state| state.end.is_some());
            if let Some(end) = &state.end {
                return Ok(end.merged.clone());
            }
            state.check()?;
        }
        sheet::merged(&self.shared.package, &self.part)
    }

    /// The range of cells that the sheet declares.
    pub fn dimension(&self) -> Result<Option<Merged>> {
        sheet::dimension(&self.shared.package, &self.part)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wait until a condition is met, or the thread has ended.
    fn wait_until(&self, is_met: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        while !state.stopped && !is_met(&state) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }

    /// Read until there is enough; the thread's work.
    fn read_ahead(&self) -> Result<()> {
        let context = self.shared.context(&self.cancelled)?;
        let mut pass = Box::new(Pass::new(&self.shared.package, &self.part, &context)?);
        self.lock().context = Some(context);
        loop {
            if self.cancelled.load(Ordering::Relaxed) {
                return unusual("it is not needed any more");
            }
            let end = pass.advance()?;
            let (chunks, extent) = pass.take();
            let mut state = self.lock();
            state.bytes += chunks.iter().map(|chunk| chunk.bytes()).sum::<usize>();
            state.chunks.extend(chunks);
            state.end_column = extent.end_column;
            if let Some(end) = end {
                state.end = Some(Arc::new(end));
                state.complete = true;
            } else if state.bytes > self.kept {
                state.rest = Some(pass);
            } else {
                drop(state);
                self.changed.notify_all();
                continue;
            }
            return Ok(());
        }
    }
}

/// A block of rows: its first one (from 0), how many there are, and the column after the last one so far.
pub struct Rows {
    pub cells: Cells,
    pub first_row: u32,
    pub rows: u32,
    pub end_column: u32,
}

/// Reads the rows of a sheet from its beginning, block by block.
pub struct Blocks {
    stream: Arc<Stream>,
    strings: Option<Arc<Strings>>,
    /// A reading of its own, beyond what is kept, the chunks that it has read, and how many of them are to be dropped.
    pass: Option<Box<Pass>>,
    ahead: VecDeque<Arc<Chunk>>,
    dropped: usize,
    end: Option<Arc<End>>,
    end_column: u32,
    /// The chunks of the next rows, and the number of the first one.
    held: VecDeque<Arc<Chunk>>,
    held_first: u32,
    next_row: u32,
}

impl Blocks {
    pub fn new(stream: &Arc<Stream>) -> Self {
        Self {
            stream: Arc::clone(stream),
            strings: None,
            pass: None,
            ahead: VecDeque::new(),
            dropped: 0,
            end: None,
            end_column: 0,
            held: VecDeque::new(),
            held_first: 0,
            next_row: 0,
        }
    }

    /// The next block of at most so many rows; None at the end.
    pub fn next(&mut self, rows: u32) -> Result<Option<Rows>> {
        let first_row = self.next_row;
        while self.held_first < first_row / CHUNK_ROWS {
            self.held.pop_front();
            self.held_first += 1;
        }
        let wanted = first_row.saturating_add(rows.max(1));
        let mut bytes = self.held.iter().map(|chunk| chunk.bytes()).sum::<usize>();
        let mut ended = false;
        while self.held_end() < wanted && (bytes < BLOCK || self.held_end() <= first_row) {
            match self.chunk(self.held_first + self.held.len() as u32)? {
                Some(chunk) => {
                    bytes += chunk.bytes();
                    self.held.push_back(chunk);
                }
                None => {
                    ended = true;
                    break;
                }
            }
        }
        let mut stop = wanted.min(self.held_end());
        if let (true, Some(end)) = (ended || self.end.is_some(), &self.end) {
            // The last chunk is not full, and cells that hold nothing may follow it.
            stop = if ended { wanted.min(end.extent.rows) } else { stop.min(end.extent.rows) };
        }
        if stop <= first_row {
            return Ok(None);
        }
        self.next_row = stop;
        let strings = self.strings.clone().unwrap_or_default();
        let cells = Cells::new(strings, self.held_first, self.held.iter().cloned().collect());
        Ok(Some(Rows { cells, first_row, rows: stop - first_row, end_column: self.end_column }))
    }

    fn held_end(&self) -> u32 {
        (self.held_first + self.held.len() as u32).saturating_mul(CHUNK_ROWS)
    }

    /// The chunk with this number, with all of its strings; None if there is none.
    fn chunk(&mut self, number: u32) -> Result<Option<Arc<Chunk>>> {
        let Some(chunk) = self.bare_chunk(number as usize)? else { return Ok(None) };
        let Some(strings) = self.strings.as_ref().filter(|strings| !strings.are_in_memory()) else { return Ok(Some(chunk)) };
        Ok(Some(chunk.loaded(strings)?.map_or(chunk, Arc::new)))
    }

    fn bare_chunk(&mut self, number: usize) -> Result<Option<Arc<Chunk>>> {
        if self.pass.is_none() {
            let stream = Arc::clone(&self.stream);
            let mut state = stream.wait_until(|state| state.chunks.len() > number);
            self.strings = state.context.as_ref().map(|context| Arc::clone(&context.strings));
            self.end_column = self.end_column.max(state.end_column);
            if state.complete {
                self.end.clone_from(&state.end);
            }
            if let Some(chunk) = state.chunks.get(number) {
                return Ok(Some(Arc::clone(chunk)));
            }
            if state.complete {
                return Ok(None);
            }
            state.check()?;
            let Some(context) = state.context.clone() else { return unusual("the sheet was not read") };
            let first = state.chunks.len();
            let rest = state.rest.take().filter(|_| first == number);
            drop(state);
            self.pass = Some(match rest {
                Some(rest) => rest,
                None => {
                    self.dropped = number;
                    Box::new(Pass::new(&stream.shared.package, &stream.part, &context)?)
                }
            });
        }
        loop {
            while self.dropped > 0 && self.ahead.pop_front().is_some() {
                self.dropped -= 1;
            }
            if let Some(chunk) = self.ahead.pop_front() {
                return Ok(Some(chunk));
            }
            let (None, Some(pass)) = (&self.end, &mut self.pass) else { return Ok(None) };
            let end = pass.advance()?;
            let (chunks, extent): (_, Extent) = pass.take();
            self.ahead.extend(chunks);
            self.end_column = self.end_column.max(extent.end_column);
            if let Some(end) = end.map(Arc::new) {
                self.end = Some(Arc::clone(&end));
                self.stream.lock().end = Some(end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_unusual() {
        assert!(guarded::<()>(|| panic!("on purpose")).is_err());
        assert_eq!(guarded(|| Ok(1)), Ok(1));
    }
}
