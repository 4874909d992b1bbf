//! What a file has: a line of JSON that says which segment it is, and of each part a line and its body. A part that is cut off
//! was told to nobody.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use headwater_packager::{
    chunk::Chunk,
    time::Ticks,
    window::{Era, Part},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::numbers;

/// What was told of each track, by its name: the newest segments in order.
pub(in crate::channel) type Tracks = BTreeMap<String, Vec<Told>>;

/// What was told of a segment.
#[derive(Debug)]
pub(in crate::channel) struct Told {
    /// How long its parts were to be.
    pub(in crate::channel) part: Duration,
    pub(in crate::channel) number: i64,
    /// Decode time of its first sample.
    pub(in crate::channel) start: Ticks,
    pub(in crate::channel) era: Era,
    /// True if its parts were listed.
    pub(in crate::channel) has_parts: bool,
    /// Its parts, of which samples are not told apart.
    pub(in crate::channel) chunks: Vec<Chunk>,
}

impl Told {
    /// As they are listed.
    pub(in crate::channel) fn parts(&self) -> impl Iterator<Item = Part> {
        self.chunks.iter().map(Part::of)
    }

    /// Decode time at which the next part begins.
    pub(in crate::channel) fn end(&self) -> Ticks {
        self.start + self.chunks.iter().map(|chunk| chunk.duration).sum::<Ticks>()
    }
}

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    pub(super) part: Duration,
    pub(super) number: i64,
    pub(super) start: Ticks,
    pub(super) era: Era,
    pub(super) has_parts: bool,
}

/// The line before a part.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line {
    part: Part,
    captured_at: i64,
}

impl Line {
    pub(super) fn of(chunk: &Chunk) -> Self {
        Self { part: Part::of(chunk), captured_at: chunk.captured_at }
    }
}

/// As it stands in a file.
pub(super) fn to_line(value: &impl Serialize) -> Vec<u8> {
    // Serialising it cannot fail: it has no maps, and its impls return no errors.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Reads all that was told, and leaves files to which nobody else can write.
pub(super) fn read(directory: &Path) -> io::Result<Tracks> {
    let mut tracks = Tracks::new();
    for track in self::tracks(directory)? {
        let mut told = Vec::new();
        for number in numbers::<i64>(&directory.join(&track))? {
            told.extend(read_one(&directory.join(&track).join(number.to_string()))?);
        }
        told.sort_by_key(|told| told.number);
        tracks.insert(track, told);
    }
    Ok(tracks)
}

/// The tracks of which something was told.
pub(super) fn tracks(directory: &Path) -> io::Result<Vec<String>> {
    let mut tracks = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let is_of_track = entry.file_type()?.is_dir();
        tracks.extend(entry.file_name().into_string().ok().filter(|_| is_of_track));
    }
    Ok(tracks)
}

/// The segment in a file; `None` if nothing was told of it.
fn read_one(path: &PathBuf) -> io::Result<Option<Told>> {
    let bytes = Bytes::from(fs::read(path)?);
    let (told, length) = decode(&bytes);
    // Whoever was stopped in the middle of it and wakes up still has the old one open.
    fs::remove_file(path)?;
    if told.is_some() {
        fs::write(path, &bytes[..length])?;
    }
    Ok(told)
}

/// The segment, and how many bytes it takes.
fn decode(bytes: &Bytes) -> (Option<Told>, usize) {
    let Some((head, mut at)) = line::<Head>(bytes, 0) else { return (None, 0) };
    let Head { part, number, start, era, has_parts } = head;
    let mut told = Told { part, number, start, era, has_parts, chunks: Vec::new() };
    while let Some((Line { part, captured_at }, body)) = line::<Line>(bytes, at) {
        let end = body.saturating_add(usize::try_from(part.size).unwrap_or(usize::MAX));
        if end > bytes.len() {
            break;
        }
        told.chunks.push(Chunk {
            start: told.end(),
            duration: part.duration,
            independent: part.independent,
            captured_at,
            samples: 0,
            header: bytes.slice(body..end),
            payload: Vec::new(),
        });
        at = end;
    }
    ((!told.chunks.is_empty()).then_some(told), at)
}

/// What the line at `at` says, and where the next one begins.
fn line<T: DeserializeOwned>(bytes: &[u8], at: usize) -> Option<(T, usize)> {
    let length = bytes.get(at..)?.iter().position(|byte| *byte == b'\n')?;
    let value = serde_json::from_slice(&bytes[at..at + length]).ok()?;
    Some((value, at + length + 1))
}
