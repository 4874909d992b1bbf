//! The plain and the compressed form of a document (I-16). A cache keeps them apart, so at one moment what it has of one may
//! be an older version than what it has of the other: that is told from a server whose compressed form is another document.

use std::time::Duration;

use super::cache;
use crate::check::client::{Failure, Reply};

/// So often in a row the two may be of different versions. Where caches are to blame, they are the same in between.
const MOST_APART: usize = 3;

/// What two forms are to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) enum Compared {
    /// The same document.
    Same,
    /// Not the same, and this is how.
    Differ(String),
    /// Not the same, but nothing says that they are of the same version. For so long caches may keep one of them.
    Apart(String, Duration),
    /// There is nothing to compare.
    Unknown,
}

/// Compares the plain form with an answer to who asks for the compressed one.
pub(in crate::check) fn compare(plain: &Reply, compressed: &Result<Reply, Failure>) -> Compared {
    let compressed = match compressed {
        Err(Failure::Unzipped(why)) => return Compared::Differ(why.clone()),
        Ok(reply) if reply.is_ok() => reply,
        // Whatever else went wrong has nothing to do with compression.
        _ => return Compared::Unknown,
    };
    if plain.body == compressed.body {
        return Compared::Same;
    }
    let [long, short] = [compressed, plain].map(|reply| reply.body.len());
    let words = format!("{long} bytes after decompression, and {short} uncompressed");
    let [one, other] = [plain, compressed].map(version);
    if one.is_some() && one == other {
        return Compared::Differ(words);
    }
    let kept = [plain, compressed].map(|reply| cache::lifetime(&reply.headers).unwrap_or_default());
    Compared::Apart(words, kept[0].max(kept[1]))
}

/// What an entity tag says of the version: that of a coding is the same with another ending (RFC 9110 8.8.3.3).
fn version(reply: &Reply) -> Option<&str> {
    let tag = reply.header("etag")?.trim_start_matches("W/").trim_matches('"');
    Some(tag.strip_suffix("gzip").map_or(tag, |tag| tag.trim_end_matches(['-', ';', ':'])))
}

/// How the forms of one document have compared until now.
#[derive(Debug, Default)]
pub(in crate::check) struct Forms {
    apart: usize,
}

impl Forms {
    /// Those of a document that will not change: it has no other version.
    pub(in crate::check) fn of_the_ended() -> Self {
        Self { apart: MOST_APART - 1 }
    }

    /// Whether they are the same document, and if not, in which way; `None` if it is not known yet.
    pub(in crate::check) fn learn(&mut self, compared: Compared) -> Option<Result<(), String>> {
        match compared {
            Compared::Unknown => None,
            Compared::Same => {
                self.apart = 0;
                Some(Ok(()))
            }
            Compared::Differ(words) => Some(Err(words)),
            Compared::Apart(words, _) => {
                self.apart += 1;
                (self.apart >= MOST_APART).then(|| Err(format!("{words}, whenever they were looked at")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::{Url, header::HeaderMap};

    use super::*;

    fn reply(body: &'static str, etag: &str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("cache-control", "public, max-age=2".parse().unwrap());
        if !etag.is_empty() {
            headers.insert("etag", etag.parse().unwrap());
        }
        let (at, url) = (Duration::ZERO, Url::parse("http://host/").unwrap());
        let body = Bytes::from_static(body.as_bytes());
        Reply { url, status: 200, headers, body, sent: at, head: at, arrivals: Vec::new(), done: at }
    }

    fn apart() -> Compared {
        Compared::Apart("3 bytes after decompression, and 3 uncompressed".into(), Duration::from_secs(2))
    }

    #[test]
    fn two_forms_differ_if_their_tags_are_of_one_version_and_may_be_of_two_moments_if_not() {
        let differ = Compared::Differ("3 bytes after decompression, and 3 uncompressed".into());
        for (plain, zipped, expected) in [
            (("one", "\"1\""), ("one", "\"2\""), Compared::Same),
            (("one", "\"1\""), ("two", "\"1-gzip\""), differ.clone()),
            (("one", "\"1\""), ("two", "W/\"1\""), differ.clone()),
            (("one", "\"1\""), ("two", "\"1;gzip\""), differ),
            (("one", "\"1\""), ("two", "\"2-gzip\""), apart()),
            (("one", "\"1\""), ("two", ""), apart()),
            (("one", ""), ("two", ""), apart()),
        ] {
            let compared = compare(&reply(plain.0, plain.1), &Ok(reply(zipped.0, zipped.1)));
            assert_eq!(compared, expected, "{plain:?} {zipped:?}");
        }
        let broken = compare(&reply("one", ""), &Err(Failure::Unzipped("not gzip".into())));
        assert_eq!(broken, Compared::Differ("not gzip".into()));
        assert_eq!(compare(&reply("one", ""), &Err(Failure::Large)), Compared::Unknown);
    }

    #[test]
    fn forms_that_are_never_of_one_version_are_not_one_document() {
        let mut forms = Forms::default();
        for (compared, expected) in [
            (apart(), None),
            (apart(), None),
            (Compared::Same, Some(true)),
            (apart(), None),
            (Compared::Unknown, None),
            (apart(), None),
            (apart(), Some(false)),
            (Compared::Same, Some(true)),
            (Compared::Differ("so".into()), Some(false)),
        ] {
            assert_eq!(forms.learn(compared.clone()).map(|same| same.is_ok()), expected, "{compared:?}");
        }
        assert!(Forms::of_the_ended().learn(apart()).is_some_and(|same| same.is_err()));
    }
}
