//! Bytes that the system can send without copying them: they lie in memory files (memfd_create(2)), from which
//! sendfile(2) hands pages to a socket as they are. To everything else they are [`Bytes`], as the files are mapped.
//!
//! Copying is what a large body costs: from memory that no cache holds, it takes several times as long as all the rest
//! (docs/performance.md). One copy into the file, when an object is made, spares one for each client.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
    os::unix::fs::FileExt,
    sync::{Arc, PoisonError, RwLock, Weak},
};

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw};
use rustix::fs::{MemfdFlags, memfd_create};

/// Bytes of a memory file, unless one object needs more: what is left of it when its objects go is wasted until the last
/// of them has gone, and each of them is an open file.
const REGION: usize = 1 << 20;

/// All regions by the address at which they begin, so that bytes can be found by where they lie.
static REGIONS: RwLock<BTreeMap<usize, Weak<Region>>> = RwLock::new(BTreeMap::new());

/// A memory file and where it is mapped.
#[derive(Debug)]
struct Region {
    file: File,
    map: MmapRaw,
}

/// Lays objects that come and go in order side by side into memory files.
#[derive(Debug, Default)]
pub struct Arena {
    region: Option<Arc<Region>>,
    used: usize,
}

/// Where bytes lie in their memory file.
#[derive(Debug)]
pub struct Place {
    region: Arc<Region>,
    /// Of the first of them, from the beginning of the file.
    pub offset: u64,
}

/// A part of a region, which lives as long as somebody has it.
struct Kept {
    region: Arc<Region>,
    offset: usize,
    length: usize,
}

impl Arena {
    /// One object out of `pieces`. Where the system gives no memory file, it lies in memory as usual.
    pub fn keep(&mut self, pieces: &[Bytes]) -> Bytes {
        let length = pieces.iter().map(Bytes::len).sum();
        self.write(pieces, length).unwrap_or_else(|error| {
            tracing::debug!(%error, "no memory file");
            pieces.concat().into()
        })
    }

    fn write(&mut self, pieces: &[Bytes], length: usize) -> io::Result<Bytes> {
        let fits = self.region.as_ref().filter(|region| self.used + length <= region.map.len());
        let region = match fits {
            Some(region) => region.clone(),
            None => {
                self.used = 0;
                self.region.insert(Region::new(length.max(REGION))?).clone()
            }
        };
        let offset = self.used;
        for piece in pieces {
            region.file.write_all_at(piece, self.used as u64)?;
            self.used += piece.len();
        }
        Ok(Bytes::from_owner(Kept { region, offset, length }))
    }
}

/// A single object in a memory file of its own.
pub fn keep(object: Bytes) -> Bytes {
    let region = || {
        let region = Region::new(object.len())?;
        region.file.write_all_at(&object, 0)?;
        Ok(Bytes::from_owner(Kept { region, offset: 0, length: object.len() }))
    };
    let kept: io::Result<Bytes> = if object.is_empty() { Ok(object.clone()) } else { region() };
    kept.unwrap_or(object)
}

/// Where `bytes` lie, if it is in a memory file.
pub fn find(bytes: &[u8]) -> Option<Place> {
    let address = bytes.as_ptr().addr();
    let (start, region) = below(address)?;
    let offset = address - start;
    (offset + bytes.len() <= region.map.len()).then_some(Place { region, offset: offset as u64 })
}

/// The last region that begins at or below `address`. By itself, as a region may end with the last look at it, which
/// takes the lock.
fn below(address: usize) -> Option<(usize, Arc<Region>)> {
    let regions = REGIONS.read().unwrap_or_else(PoisonError::into_inner);
    let (&start, region) = regions.range(..=address).next_back()?;
    Some((start, region.upgrade()?))
}

impl Place {
    /// The memory file.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.region.file.as_fd()
    }
}

impl Region {
    fn new(length: usize) -> io::Result<Arc<Self>> {
        let file = File::from(memfd_create("headwater", MemfdFlags::CLOEXEC)?);
        file.set_len(length as u64)?;
        let map = MmapOptions::new().len(length).map_raw_read_only(&file)?;
        let start = map.as_ptr().addr();
        let region = Arc::new(Self { file, map });
        let mut regions = REGIONS.write().unwrap_or_else(PoisonError::into_inner);
        regions.insert(start, Arc::downgrade(&region));
        Ok(region)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // Before it is unmapped, so that no other region has its address yet.
        REGIONS.write().unwrap_or_else(PoisonError::into_inner).remove(&self.map.as_ptr().addr());
    }
}

impl AsRef<[u8]> for Kept {
    #[expect(unsafe_code, reason = "what is mapped is memory that the compiler knows nothing of")]
    fn as_ref(&self) -> &[u8] {
        // SAFETY: `offset + length` lies within the map, which lives as long as `region`. The file is known to nobody else,
        // cannot shrink, and these bytes of it are not written to after `Kept` was made.
        unsafe { std::slice::from_raw_parts(self.region.map.as_ptr().add(self.offset), self.length) }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn read(place: &Place, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        place.region.file.read_exact_at(&mut bytes, place.offset).unwrap();
        bytes
    }

    #[test]
    fn objects_are_what_they_were_and_lie_where_they_are_found() {
        let mut arena = Arena::default();
        let objects: Vec<Bytes> = [10, 700_000, 0, 300_000, 100_000, 3_000_000, 5]
            .iter()
            .enumerate()
            .map(|(index, &length)| {
                let piece =
                    |from: usize| (from..from + length / 2).map(|byte| (byte * (index + 1)) as u8).collect();
                let pieces: [Bytes; 2] = [piece(0), piece(7)];
                let kept = arena.keep(&pieces);
                assert_eq!(kept, pieces.concat(), "{length}");
                kept
            })
            .collect();
        for object in objects.iter().filter(|object| object.len() > 10) {
            let part = object.slice(3..object.len() - 3);
            assert_eq!(read(&find(&part).unwrap(), part.len()), part);
        }
        assert!(find(&[1, 2, 3]).is_none(), "on the stack");
        assert!(find(&Bytes::from(vec![1; 100])).is_none(), "on the heap");
    }

    #[test]
    fn a_file_goes_with_the_last_of_its_objects() {
        let mut arena = Arena::default();
        let first = arena.keep(&[Bytes::from(vec![1; REGION - 10])]);
        let last = arena.keep(&[Bytes::from(vec![2; 10])]);
        let region = Arc::downgrade(&find(&first).unwrap().region);
        assert!(Arc::ptr_eq(&find(&last).unwrap().region, &region.upgrade().unwrap()), "one file for both");
        drop((first, arena));
        assert!(region.upgrade().is_some());
        let address = last.as_ptr().addr();
        drop(last);
        assert!(region.upgrade().is_none());
        let regions = REGIONS.read().unwrap();
        assert!(regions.range(..=address).next_back().is_none_or(|(_, region)| region.upgrade().is_some()));
    }
}
