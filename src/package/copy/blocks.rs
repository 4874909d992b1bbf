//! Reads a file in large stretches and hands out pieces of them without a copy.

use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use crate::package::Error;

/// So much is read at once: it should be in a processor's cache still when it is written.
const BLOCK: usize = 1 << 20;

/// Memory that was used and can be used again: fresh pages would cost the system more than the copy itself.
type Pool = Arc<Mutex<Vec<Vec<u8>>>>;

/// A file being read.
pub(super) struct Blocks {
    path: PathBuf,
    file: File,
    pool: Pool,
    /// Where the current block begins.
    start: u64,
    block: Bytes,
}

impl Blocks {
    pub(super) fn new(path: PathBuf, file: File) -> Self {
        Self { path, file, pool: Pool::default(), start: 0, block: Bytes::new() }
    }

    /// `size` bytes at `offset`, and whether they had to be read.
    pub(super) fn take(&mut self, offset: u64, size: u32) -> Result<(Bytes, bool), Error> {
        let size = size as usize;
        if let Some(piece) = self.piece(offset, size) {
            return Ok((piece, false));
        }
        self.read(offset, size)?;
        Ok((self.piece(offset, size).unwrap_or_default(), true))
    }

    fn piece(&self, offset: u64, size: usize) -> Option<Bytes> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let until = from.checked_add(size)?;
        (until <= self.block.len()).then(|| self.block.slice(from..until))
    }

    fn read(&mut self, offset: u64, least: usize) -> Result<(), Error> {
        // Lets go of the last block first: where nobody else holds it, its memory is taken for the next.
        self.block = Bytes::new();
        let mut memory = self.pool.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let wanted = least.max(BLOCK);
        if memory.len() < wanted {
            memory.resize(wanted, 0);
        }
        let mut length = 0;
        while length < least.max(1) {
            match self.file.read_at(&mut memory[length..wanted], offset + length as u64) {
                Ok(0) if length < least => return Err(self.error(std::io::ErrorKind::UnexpectedEof.into())),
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error(error)),
            }
        }
        self.start = offset;
        self.block = Bytes::from_owner(Block { memory, length, pool: self.pool.clone() });
        Ok(())
    }

    fn error(&self, source: std::io::Error) -> Error {
        Error::Read { path: self.path.clone(), source }
    }
}

/// Memory with `length` bytes of a file, which goes back to its pool when the last piece of it is dropped.
struct Block {
    memory: Vec<u8>,
    length: usize,
    pool: Pool,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.length]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // Larger memory than usual was for one large sample, and is not kept.
        if self.memory.len() <= BLOCK {
            let memory = std::mem::take(&mut self.memory);
            self.pool.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        }
    }
}
