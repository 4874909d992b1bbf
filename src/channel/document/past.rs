//! The beginning of a media playlist: its pieces, each hashed and compressed at most once for all versions that have it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use headwater_packager::hls;
use sha2::{Digest, Sha256};

use super::gzip::Deflated;

/// So many pieces are compressed with each version at most, before anybody asks. A list that grows needs it for one piece
/// in minutes; after a restart, hours of it are done within seconds, and do not hold up what is published meanwhile.
const AT_ONCE: usize = 4;

/// A piece of a list.
#[derive(Debug)]
pub(super) struct Sheet {
    pub(super) text: Bytes,
    deflated: OnceLock<Deflated>,
}

/// All that comes before the rest of a list.
#[derive(Debug)]
pub(super) struct Past {
    /// What it was made of, if that was here.
    pub(super) of: Option<Arc<hls::Past>>,
    pub(super) sheets: Vec<Arc<Sheet>>,
    /// Hashes of the sheets.
    digests: Vec<[u8; 32]>,
    /// A hash of all of it.
    pub(super) digest: [u8; 32],
    pub(super) length: usize,
}

impl Sheet {
    pub(super) fn new(text: Bytes) -> Self {
        Self { text, deflated: OnceLock::new() }
    }

    /// True if it has been compressed.
    pub(super) fn is_coded(&self) -> bool {
        self.deflated.get().is_some()
    }

    /// Compressed. Made once; whoever asks at the same time waits for it.
    pub(super) fn deflated(&self) -> &Deflated {
        self.deflated.get_or_init(|| Deflated::new(&self.text))
    }
}

impl Past {
    /// That of `list`, with what it has in common with `before`.
    pub(super) fn after(before: Option<&Arc<Self>>, list: &Arc<hls::Past>) -> Arc<Self> {
        match before {
            Some(before) if before.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, list)) => before.clone(),
            _ => Arc::new(Self::new(before.map(|before| &**before), list.pieces(), Some(list.clone()))),
        }
    }

    /// That of a list that is cut into `pieces`, with what it has in common with `before`.
    pub(super) fn new(
        before: Option<&Self>,
        pieces: impl IntoIterator<Item = Bytes>,
        of: Option<Arc<hls::Past>>,
    ) -> Self {
        let (mut sheets, mut digests, mut length) = (Vec::new(), Vec::new(), 0);
        // Pieces that are the same are so in the same order: those that left are passed over once.
        let mut known = before.map_or(&[][..], |before| &before.sheets).iter().zip(before_digests(before));
        for text in pieces {
            length += text.len();
            let mut rest = known.clone();
            let same = rest.find(|(sheet, _)| is_same(&sheet.text, &text));
            let (sheet, digest) = match same {
                Some((sheet, digest)) => {
                    known = rest;
                    (sheet.clone(), *digest)
                }
                None => {
                    let digest = Sha256::digest(&text).into();
                    (Arc::new(Sheet::new(text)), digest)
                }
            };
            sheets.push(sheet);
            digests.push(digest);
        }
        let digest = Sha256::digest(digests.as_flattened()).into();
        Self { of, sheets, digests, digest, length }
    }

    /// Compresses some of the blocks that have come to rest. Its ends change with every segment: whoever asks first does it.
    pub(super) fn code_some(&self) {
        let blocks = self.sheets.iter().take(self.sheets.len().saturating_sub(1)).skip(1);
        for block in blocks.filter(|block| !block.is_coded()).take(AT_ONCE) {
            block.deflated();
        }
    }

    /// All its text and `rest`, in one piece.
    pub(super) fn joined(&self, rest: &Bytes) -> Bytes {
        let mut text = Vec::with_capacity(self.length + rest.len());
        self.sheets.iter().for_each(|sheet| text.extend_from_slice(&sheet.text));
        text.extend_from_slice(rest);
        text.into()
    }
}

fn before_digests(before: Option<&Past>) -> impl Iterator<Item = &[u8; 32]> + Clone {
    before.map_or(&[][..], |before| &before.digests).iter()
}

/// True if it is the very same piece of memory.
fn is_same(one: &Bytes, other: &Bytes) -> bool {
    one.len() == other.len() && one.as_ptr() == other.as_ptr()
}
