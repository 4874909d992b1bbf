//! Playlists and manifests as they are sent: rendered once, and coded at most once in each way.

mod gzip;
mod past;

use std::{
    fmt,
    io::Write,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use headwater_packager::hls;
use http::HeaderValue;

use self::past::{Past, Sheet};
use crate::store::etag;

/// Level of zstd: of its fast ones the smallest on playlists (docs/http.md has the figures).
const ZSTD: i32 = 3;
/// From so many bytes on, a list is sent in the pieces in which it was made. Below, one piece costs less.
const LONG: usize = 64 << 10;

/// A rendered playlist or manifest.
#[derive(Clone, Debug)]
pub struct Document {
    text: Text,
    /// The beginning of a media playlist, for the version that comes next.
    past: Option<Arc<Past>>,
    /// Strong entity tag of the text, quoted.
    pub etag: HeaderValue,
    /// CMSD-Static, where it is known what it is.
    pub cmsd: Option<HeaderValue>,
    /// Made for the first who asks: not everyone does, and the channel's task has better things to do.
    gzip: OnceLock<Option<Coded>>,
    zstd: OnceLock<Option<Coded>>,
}

#[derive(Clone, Debug)]
enum Text {
    Whole(Bytes),
    /// A list of hours: its beginning, which is shared with other versions, and the rest.
    Long(Arc<Past>, Arc<Sheet>),
}

/// A content coding (RFC 9110 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// A document in a content coding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coded {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its own strong entity tag, quoted (RFC 9110 8.8.3.3).
    pub etag: HeaderValue,
}

impl Document {
    /// Hashes `body`.
    pub fn new(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let etag = etag([&body[..]]);
        Self::tagged(Text::Whole(body), None, etag)
    }

    /// A media playlist. Of `before`, the version that was made last, all that still holds is taken over: what a part costs
    /// does not depend on how long the list is.
    pub fn list(list: &hls::List, before: Option<&Self>) -> Self {
        let past = Past::after(before.and_then(|before| before.past.as_ref()), &list.past);
        Self::of_past(past, list.rest.clone())
    }

    /// A media playlist that was cut into these `pieces`, of which those that `before` has are taken over, and the rest.
    pub fn joined(pieces: Vec<Bytes>, rest: Bytes, before: Option<&Self>) -> Self {
        let before = before.and_then(|before| before.past.as_deref());
        Self::of_past(Arc::new(Past::new(before, pieces, None)), rest)
    }

    fn of_past(past: Arc<Past>, rest: Bytes) -> Self {
        // Of the text alone, which says where it is cut: two origins that made the same say the same of it.
        let etag = etag([&past.digest[..], &rest]);
        let text = if past.length + rest.len() < LONG {
            Text::Whole(past.joined(&rest))
        } else {
            past.code_some();
            Text::Long(past.clone(), Arc::new(Sheet::new(rest)))
        };
        Self::tagged(text, Some(past), etag)
    }

    fn tagged(text: Text, past: Option<Arc<Past>>, etag: String) -> Self {
        Self { text, past, etag: tag(etag), cmsd: None, gzip: OnceLock::new(), zstd: OnceLock::new() }
    }

    /// The same, of which CMSD-Static says what it is.
    #[must_use]
    pub fn described(self, cmsd: HeaderValue) -> Self {
        Self { cmsd: Some(cmsd), ..self }
    }

    /// The beginning of this media playlist, from which the next version goes on.
    pub fn past(&self) -> Option<&Arc<hls::Past>> {
        self.past.as_ref()?.of.as_ref()
    }

    /// The pieces that this media playlist may have in common with the next version, and the rest of it.
    pub fn cut(&self) -> (Vec<Bytes>, Bytes) {
        let Some(past) = &self.past else { return (Vec::new(), self.body()) };
        let pieces = past.sheets.iter().map(|sheet| sheet.text.clone()).collect();
        match &self.text {
            Text::Whole(body) => (pieces, body.slice(past.length..)),
            Text::Long(_, rest) => (pieces, rest.text.clone()),
        }
    }

    /// Bytes of its text.
    pub fn length(&self) -> usize {
        match &self.text {
            Text::Whole(body) => body.len(),
            Text::Long(past, rest) => past.length + rest.text.len(),
        }
    }

    /// Its text in pieces: the one at `index`.
    pub fn piece(&self, index: usize) -> Option<&Bytes> {
        match &self.text {
            Text::Whole(body) => (index == 0).then_some(body),
            Text::Long(past, rest) => {
                let sheet = past.sheets.get(index).or((index == past.sheets.len()).then_some(rest));
                sheet.map(|sheet| &sheet.text)
            }
        }
    }

    /// All its text in one piece, which is copied together if it is long.
    pub fn body(&self) -> Bytes {
        match &self.text {
            Text::Whole(body) => body.clone(),
            Text::Long(past, rest) => past.joined(&rest.text),
        }
    }

    /// In which codings there may be one of it. Pieces can be joined into one stream of gzip, but not into one of zstd: its
    /// blocks refer to the ones before.
    pub fn codings(&self) -> &'static [Coding] {
        match self.text {
            Text::Whole(_) => &[Coding::Zstd, Coding::Gzip],
            Text::Long(..) => &[Coding::Gzip],
        }
    }

    /// In `coding`, unless that makes it no shorter. Made once; whoever asks at the same time waits for it.
    pub fn coded(&self, coding: Coding) -> Option<&Coded> {
        let made = match coding {
            Coding::Gzip => &self.gzip,
            Coding::Zstd => &self.zstd,
        };
        made.get_or_init(|| self.code(coding)).as_ref()
    }

    fn code(&self, coding: Coding) -> Option<Coded> {
        // Writing into a Vec cannot fail.
        let bytes = match (&self.text, coding) {
            (Text::Whole(body), Coding::Gzip) => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
                gzip.write_all(body).and_then(|()| gzip.finish()).ok()?
            }
            (Text::Whole(body), Coding::Zstd) => zstd::bulk::compress(body, ZSTD).ok()?,
            (Text::Long(past, rest), Coding::Gzip) => gzip::member(past.sheets.iter().chain([rest])),
            (Text::Long(..), Coding::Zstd) => return None,
        };
        let plain = self.etag.to_str().unwrap_or_default().trim_end_matches('"');
        let etag = tag(format!("{plain}-{coding}\""));
        (bytes.len() < self.length()).then(|| Coded { bytes: bytes.into(), etag })
    }
}

/// The tag follows from the text, and codings do.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        (&self.etag, &self.cmsd) == (&other.etag, &other.cmsd)
    }
}

impl Eq for Document {}

impl Coding {
    /// As in Content-Encoding.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl fmt::Display for Coding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An entity tag as a field has it.
pub(super) fn tag(quoted: String) -> HeaderValue {
    // Nothing but quotes, hexadecimal digits and names of codings.
    HeaderValue::try_from(quoted).unwrap_or(HeaderValue::from_static("\"\""))
}

#[cfg(test)]
mod tests;
