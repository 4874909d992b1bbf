//! What is known of the content of objects: a disk or a bucket that gives something else is not believed.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, PoisonError, RwLock},
};

use sha2::{Digest, Sha256};

/// How many objects are known: four hours of fifty tracks, at some 100 bytes each. Of older ones a bucket says itself
/// what they are, and those of a directory are vouched for again when they are listed.
const MOST: usize = 400_000;

type Tag = [u8; 16];

/// Entity tags by path. Cloning is cheap and gives the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Hashes(Arc<RwLock<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// By the hash of the path, which is a third of it.
    tags: HashMap<Tag, Tag>,
    /// Oldest first.
    order: VecDeque<Tag>,
}

impl Hashes {
    pub(super) fn expect(&self, path: &str, etag: &str) {
        let (path, Some(tag)) = (key(path), read(etag)) else { return };
        if self.0.read().unwrap_or_else(PoisonError::into_inner).tags.get(&path) == Some(&tag) {
            return;
        }
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(path, tag, MOST);
    }

    pub(super) fn forget(&self, path: &str) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).tags.remove(&key(path));
    }

    /// The tag that the object has to have, if that is known.
    pub(super) fn of(&self, path: &str) -> Option<String> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.tags.get(&key(path)).map(|tag| format!("\"{:032x}\"", u128::from_be_bytes(*tag)))
    }
}

impl Known {
    fn insert(&mut self, path: Tag, tag: Tag, most: usize) {
        if self.tags.insert(path, tag).is_none() {
            self.order.push_back(path);
        }
        while self.order.len() > most {
            self.order.pop_front().map(|oldest| self.tags.remove(&oldest));
        }
    }
}

/// False if the object at `path` is an init segment and has another entity tag than its name tells: that has the first half
/// of the hash (`init-{16 hexadecimal digits}.mp4`).
pub(super) fn fits_name(path: &str, etag: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let hash = name.strip_prefix("init-").and_then(|name| name.strip_suffix(".mp4"));
    hash.filter(|hash| hash.len() == 16).is_none_or(|hash| etag.trim_matches('"').starts_with(hash))
}

fn key(path: &str) -> Tag {
    let mut key = Tag::default();
    key.copy_from_slice(&Sha256::digest(path)[..16]);
    key
}

/// An entity tag of ours is 128 bits in quotes; another is not known.
fn read(etag: &str) -> Option<Tag> {
    let hex = etag.trim_matches('"');
    let tag = u128::from_str_radix(hex, 16).ok().filter(|_| hex.len() == 32)?;
    Some(tag.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::etag;

    #[test]
    fn an_object_is_known_by_its_path_until_it_is_forgotten() {
        let (hashes, tag) = (Hashes::default(), etag([&b"x"[..]]));
        hashes.expect("live/a/v/1.m4s", &tag);
        hashes.expect("live/a/v/2.m4s", "\"of another server\"");
        assert_eq!(hashes.of("live/a/v/1.m4s"), Some(tag));
        assert_eq!(hashes.of("live/a/v/2.m4s"), None);
        hashes.forget("live/a/v/1.m4s");
        assert_eq!(hashes.of("live/a/v/1.m4s"), None);
    }

    #[test]
    fn an_init_segment_has_to_be_what_its_name_says_and_other_names_say_nothing() {
        let body = &b"ftyp"[..];
        let name = format!("live/a/v/init-{}.mp4", &etag([body])[1..17]);
        assert!(fits_name(&name, &etag([body])) && !fits_name(&name, &etag([&b"ftyq"[..]])));
        for name in ["live/a/v/1.m4s", "live/a/v/init-ab.mp4", "vod/init-0123456789abcdef/1.m4s"] {
            assert!(fits_name(name, &etag([body])), "{name}");
        }
    }

    #[test]
    fn however_much_is_written_no_more_than_so_much_is_known_and_that_is_the_newest() {
        let mut known = Known::default();
        for number in 0..10_u8 {
            known.insert([number; 16], [0; 16], 4);
            known.insert([9; 16], [1; 16], 4);
        }
        assert_eq!((known.tags.len(), known.order.len()), (4, 4));
        assert_eq!(known.tags.get(&[9; 16]), Some(&[1; 16]));
    }
}
