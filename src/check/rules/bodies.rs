//! One URL, one body, for ever (I-06): hashes of what was fetched, never the bytes.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::check::{
    client::Reply,
    finding::{Check, Place},
    hls::Range,
    judge::Judge,
};

/// So many URLs are remembered, the newest ones: some hours of a ladder with parts, in a few megabytes.
const REMEMBERED: usize = 30_000;

/// What is remembered of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::check) struct Body {
    hash: [u8; 32],
    length: usize,
    etag: Option<String>,
    /// Whether HLS and DASH have named it.
    named: [bool; 2],
}

/// Who named a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::check) enum Protocol {
    Hls,
    Dash,
}

/// What is the same for ever: a URL, and the bytes of it that were asked for.
type Key = (String, Option<Range>);

/// All bodies that were seen, of both protocols.
#[derive(Debug, Default)]
pub(in crate::check) struct Bodies {
    known: HashMap<Key, Body>,
    order: VecDeque<Key>,
}

/// SHA-256.
pub(in crate::check) fn hash(body: &Bytes) -> [u8; 32] {
    Sha256::digest(body).into()
}

impl Bodies {
    /// Judges a whole body of media against those that the same URL had before.
    pub(in crate::check) fn meet(
        &mut self,
        judge: &mut Judge,
        place: Place,
        range: Option<Range>,
        reply: &Reply,
    ) {
        let key = (judge.url().to_owned(), range);
        let etag = reply.header("etag").map(str::to_owned);
        let now = Body { hash: hash(&reply.body), length: reply.body.len(), etag, named: [false; 2] };
        if let Some(tag) = &now.etag {
            judge.holds(Check::EtagWeak, place, !tag.starts_with("W/"), || format!("its ETag is {tag}"));
        }
        match self.known.get_mut(&key) {
            Some(before) => {
                compare(judge, place, before, &now);
                before.etag = before.etag.take().or(now.etag);
            }
            None => self.remember(key, now),
        }
    }

    fn remember(&mut self, key: Key, body: Body) {
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.known.insert(key, body);
    }

    /// Notes who named a URL that was fetched.
    pub(in crate::check) fn named(&mut self, url: &str, by: Protocol) {
        if let Some(body) = self.known.get_mut(&(url.to_owned(), None)) {
            body.named[by as usize] = true;
        }
    }

    /// How many URLs both protocols named.
    pub(in crate::check) fn shared(&self) -> usize {
        self.known.values().filter(|body| body.named == [true; 2]).count()
    }
}

fn compare(judge: &mut Judge, place: Place, before: &Body, now: &Body) {
    let same = before.hash == now.hash;
    judge.holds(Check::BodyChanged, place, same, || {
        format!(
            "{} bytes with hash {}, and before {} with {}",
            now.length,
            short(now),
            before.length,
            short(before)
        )
    });
    let (Some(was), Some(is)) = (&before.etag, &now.etag) else { return };
    if same {
        // Compression on the way may weaken a tag; what it names is the same.
        let equal = was.trim_start_matches("W/") == is.trim_start_matches("W/");
        judge.holds(Check::EtagChanged, place, equal, || format!("its ETag was {was} and is {is}"));
    } else {
        judge.holds(Check::EtagReused, place, was != is, || format!("other bytes with the ETag {is}"));
    }
}

fn short(body: &Body) -> String {
    body.hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::{Url, header::HeaderMap};

    use super::*;

    fn judge(path: &str) -> Judge {
        Judge::new(format!("http://host/{path}"), Duration::ZERO)
    }

    fn reply(body: &'static str, etag: &str) -> Reply {
        let mut headers = HeaderMap::new();
        if !etag.is_empty() {
            headers.insert("etag", etag.parse().unwrap());
        }
        let at = Duration::ZERO;
        let url = Url::parse("http://elsewhere/").unwrap();
        let body = Bytes::from_static(body.as_bytes());
        Reply { url, status: 200, headers, body, sent: at, head: at, arrivals: Vec::new(), done: at }
    }

    #[test]
    fn a_body_and_its_tag_belong_together() {
        let steps: [(&str, &str, &str, &[Check]); 8] = [
            ("a", "one", "\"1\"", &[]),
            ("a", "one", "\"1\"", &[]),
            ("a", "one", "", &[]),
            ("a", "one", "\"2\"", &[Check::EtagChanged]),
            ("a", "two", "\"2\"", &[Check::BodyChanged]),
            ("a", "two", "\"1\"", &[Check::BodyChanged, Check::EtagReused]),
            ("b", "two", "\"1\"", &[]),
            ("a", "one", "W/\"1\"", &[Check::EtagWeak]),
        ];
        let mut bodies = Bodies::default();
        for (path, body, etag, expected) in steps {
            let mut judge = judge(path);
            bodies.meet(&mut judge, Place::WHOLE, None, &reply(body, etag));
            assert_eq!(judge.found(), expected, "{path} {body} {etag}");
        }
        bodies.named("http://host/a", Protocol::Hls);
        bodies.named("http://host/b", Protocol::Dash);
        assert_eq!(bodies.shared(), 0);
        bodies.named("http://host/a", Protocol::Dash);
        assert_eq!(bodies.shared(), 1);
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut bodies = Bodies::default();
        for index in 0..REMEMBERED + 10 {
            bodies.meet(&mut judge(&index.to_string()), Place::WHOLE, None, &reply("x", ""));
        }
        assert_eq!((bodies.known.len(), bodies.order.len()), (REMEMBERED, REMEMBERED));
        let knows = |path: &str| bodies.known.contains_key(&(format!("http://host/{path}"), None));
        assert!(!knows("9") && knows("10"));
    }
}
