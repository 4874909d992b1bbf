//! What the files of a packaged track have to be, as a list beside them says it: a directory says nothing of its files, and
//! neither does a bucket into which others have put them.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::{etag, tag};

/// The name of the list in the directory of its track.
pub const LIST: &str = "hashes.txt";

/// An entity tag of what comes piece by piece.
#[derive(Clone, Debug, Default)]
pub struct Tag(Sha256);

impl Tag {
    /// The next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// That of all of them, quoted.
    pub fn finish(self) -> String {
        tag(self.0)
    }
}

/// Hashes of files by their names: a line for each, and behind them one with the hash of these lines.
#[derive(Clone, Debug, Default)]
pub struct Hashed(String);

impl Hashed {
    /// Puts in a file, with the entity tag of its content.
    pub fn add(&mut self, name: &str, etag: &str) {
        self.0.extend([etag.trim_matches('"'), " ", name, "\n"]);
    }

    /// The list.
    pub fn to_text(&self) -> String {
        format!("{}{}\n", self.0, etag([self.0.as_bytes()]).trim_matches('"'))
    }

    /// Entity tags by names; `None` if the list is not what was written.
    pub fn read(text: &[u8]) -> Option<HashMap<String, String>> {
        let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
        let end = text.rfind('\n').map_or(0, |end| end + 1);
        let (lines, seal) = text.split_at(end);
        let line =
            |line: &str| line.split_once(' ').map(|(tag, name)| (name.to_owned(), format!("\"{tag}\"")));
        (etag([lines.as_bytes()]).trim_matches('"') == seal).then(|| lines.lines().map(line).collect())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_what_each_file_has_to_be_and_one_with_another_bit_says_nothing() {
        let (mut list, mut tag) = (Hashed::default(), Tag::default());
        ["a", "bc"].iter().for_each(|piece| tag.update(piece.as_bytes()));
        let abc = tag.finish();
        assert_eq!(abc, etag([&b"abc"[..]]));
        assert_eq!(Hashed::read(list.to_text().as_bytes()), Some(HashMap::new()));
        list.add("1.m4s", &abc);
        list.add("2.m4s", &etag([]));
        let text = list.to_text();
        let read = Hashed::read(text.as_bytes()).unwrap();
        assert_eq!((read.len(), read.get("1.m4s")), (2, Some(&abc)));
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Hashed::read(&flipped), None, "{bit}");
        }
        for length in 0..text.len() {
            assert_eq!(Hashed::read(&text.as_bytes()[..length]), None, "{length}");
        }
    }
}
