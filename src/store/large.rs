//! Objects that are too large to be read as a whole, or of which nobody knows what they have to be: they are read in blocks, all
//! of them of one version.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use sha2::{Digest, Sha256};

use super::{Error, Object, etag, tag};

/// Bytes of a block. The last of an object may have fewer.
pub(super) const BLOCK: u64 = 4 << 20;
/// What is no larger is read as a whole in any case.
pub(super) const LARGEST_WHOLE: u64 = 2 * BLOCK;

/// What is known of a large object.
#[derive(Debug)]
pub(super) struct Large {
    pub(super) path: String,
    pub(super) length: u64,
    /// Its strong entity tag, quoted: the hash of the content if that is known, else one of the version.
    pub(super) etag: String,
    /// What the place calls this version of it.
    version: Option<String>,
    /// When that was written, in nanoseconds since the epoch, if that is known.
    modified: Option<i64>,
    /// What the hash of the content has to be.
    expected: Option<String>,
    reading: Mutex<Reading>,
}

/// What was seen of its content.
#[derive(Debug, Default)]
struct Reading {
    /// Entity tags of the blocks: one that is read again has to be what it was.
    tags: BTreeMap<u64, String>,
    /// Of the blocks before `next`, which came in order.
    hash: Sha256,
    next: u64,
    damaged: bool,
}

impl Large {
    pub(super) fn new(path: &str, length: u64, version: Option<String>, expected: Option<String>) -> Self {
        let of_version = || {
            let version = version.as_deref().unwrap_or_default();
            etag([version.as_bytes(), &b" "[..], length.to_string().as_bytes()])
        };
        let etag = expected.clone().unwrap_or_else(of_version);
        let reading = Mutex::default();
        Self { path: path.to_owned(), length, etag, version, modified: None, expected, reading }
    }

    /// The same that was written then.
    pub(super) fn written_at(self, modified: Option<i64>) -> Self {
        Self { modified, ..self }
    }

    /// True if nobody has said what its content has to be.
    pub(super) fn is_unknown(&self) -> bool {
        self.expected.is_none()
    }

    /// True if its content has to have this tag.
    pub(super) fn is_expected(&self, tag: &str) -> bool {
        self.expected.as_deref() == Some(tag)
    }

    /// The same of which nothing is read yet.
    pub(super) fn afresh(&self) -> Self {
        let again = Self::new(&self.path, self.length, self.version.clone(), self.expected.clone());
        again.written_at(self.modified)
    }

    /// How many blocks it has.
    pub(super) fn blocks(&self) -> u64 {
        self.length.div_ceil(BLOCK)
    }

    /// About how many bytes of memory this is, with the tags of all blocks.
    pub(super) fn weight(&self) -> usize {
        2 * self.path.len() + 256 + 128 * self.blocks() as usize
    }

    /// Where a block lies.
    pub(super) fn span(&self, index: u64) -> Range<u64> {
        index * BLOCK..self.length.min((index + 1) * BLOCK)
    }

    /// The name of a block in the cache, which no object has: no path of ours has such a sign. Another version has others.
    pub(super) fn key(&self, index: u64) -> String {
        format!("{}#{}/{index}", self.path, self.etag.trim_matches('"'))
    }

    /// What the place is to compare (RFC 9110 13.1.1). A weak tag never matches there.
    pub(super) fn condition(&self) -> Option<String> {
        self.version.clone().filter(|version| !version.starts_with("W/"))
    }

    /// True if this is said of the same version.
    pub(super) fn is(&self, length: u64, version: Option<&str>) -> bool {
        self.length == length && self.version.as_deref() == version
    }

    /// True if it was written then: who puts back what it has to be need not make another version of it.
    pub(super) fn was_written_at(&self, modified: Option<i64>) -> bool {
        self.modified == modified
    }

    /// Fails if it is known by now that this block, or what came before it, is not what was written. That is known of
    /// whoever reads all blocks in order, before the last one is handed out.
    pub(super) fn admit(&self, index: u64, block: &Object) -> Result<(), Error> {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let Range { start, end } = self.span(index);
        let same = reading.tags.entry(index).or_insert_with(|| block.etag.clone()) == &block.etag;
        reading.damaged |= !same || block.body.len() as u64 != end - start;
        if let Some(expected) = &self.expected
            && index == reading.next
            && !reading.damaged
        {
            reading.hash.update(&block.body);
            reading.next += 1;
            reading.damaged = reading.next == self.blocks() && tag(reading.hash.clone()) != *expected;
        }
        if reading.damaged { Err(Error::Damaged { path: self.path.clone() }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn block(fill: u8, length: u64) -> Object {
        let body = Bytes::from(vec![fill; length as usize]);
        Object { etag: etag([&body[..]]), body }
    }

    fn three() -> [Object; 3] {
        [block(1, BLOCK), block(2, BLOCK), block(3, 5)]
    }

    fn large(blocks: &[Object]) -> Large {
        let length = blocks.iter().map(|block| block.body.len() as u64).sum();
        let expected = etag(blocks.iter().map(|block| &block.body[..]));
        Large::new("vod/a/v/1.m4s", length, Some("\"v1\"".into()), Some(expected))
    }

    #[test]
    fn the_last_block_is_not_handed_out_if_all_of_them_are_not_what_was_written() {
        let blocks = three();
        let sound = large(&blocks);
        assert!([2, 0, 1, 2, 2, 0].iter().all(|index| sound.admit(*index, &blocks[*index as usize]).is_ok()));

        let flawed = large(&blocks);
        let other = block(4, BLOCK);
        assert!(flawed.admit(0, &blocks[0]).is_ok() && flawed.admit(1, &other).is_ok());
        assert!(matches!(flawed.admit(2, &blocks[2]), Err(Error::Damaged { .. })));
        assert!(flawed.admit(2, &blocks[2]).is_err(), "nor to the next who asks");
    }

    #[test]
    fn a_block_that_is_read_again_has_to_be_what_it_was() {
        let blocks = three();
        let large = large(&blocks);
        assert!(large.admit(1, &blocks[1]).is_ok() && large.admit(1, &blocks[1]).is_ok());
        assert!(large.admit(1, &block(4, BLOCK)).is_err());
    }

    #[test]
    fn a_block_has_the_length_that_it_has_to_have() {
        let large = large(&three());
        assert!(large.admit(2, &block(3, 4)).is_err());
    }

    #[test]
    fn what_has_no_known_content_is_told_by_its_version_and_length() {
        let of = |length, version: &str| Large::new("a", length, Some(version.into()), None).etag;
        assert_eq!(of(9, "\"1\""), of(9, "\"1\""));
        assert!(of(9, "\"1\"") != of(9, "\"2\"") && of(9, "\"1\"") != of(8, "\"1\""));
        let weak = Large::new("a", 9, Some("W/\"1\"".into()), None);
        assert!(weak.condition().is_none() && weak.is(9, Some("W/\"1\"")) && !weak.is(9, Some("W/\"2\"")));
    }
}
