//! Playlists and manifests as they are sent: rendered once, and coded at most once in each way.

use std::{fmt, io::Write, sync::OnceLock};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::HeaderValue;

use crate::store::etag;

/// Level of zstd: of its fast ones the smallest on playlists (docs/http.md has the figures).
const ZSTD: i32 = 3;

/// A rendered playlist or manifest.
#[derive(Clone, Debug)]
pub struct Document {
    /// As it is.
    pub body: Bytes,
    /// Strong entity tag of `body`, quoted.
    pub etag: HeaderValue,
    /// CMSD-Static, where it is known what it is.
    pub cmsd: Option<HeaderValue>,
    /// Made for the first who asks: not everyone does, and the channel's task has better things to do.
    gzip: OnceLock<Option<Coded>>,
    zstd: OnceLock<Option<Coded>>,
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
        let etag = tag(etag([&body[..]]));
        Self { body, etag, cmsd: None, gzip: OnceLock::new(), zstd: OnceLock::new() }
    }

    /// The same, of which CMSD-Static says what it is.
    #[must_use]
    pub fn described(self, cmsd: HeaderValue) -> Self {
        Self { cmsd: Some(cmsd), ..self }
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
        let bytes = match coding {
            Coding::Gzip => {
                let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
                gzip.write_all(&self.body).and_then(|()| gzip.finish()).ok()?
            }
            Coding::Zstd => zstd::bulk::compress(&self.body, ZSTD).ok()?,
        };
        let plain = self.etag.to_str().unwrap_or_default().trim_end_matches('"');
        let etag = tag(format!("{plain}-{coding}\""));
        (bytes.len() < self.body.len()).then(|| Coded { bytes: bytes.into(), etag })
    }
}

/// Codings follow from the body.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        (&self.body, &self.cmsd) == (&other.body, &other.cmsd)
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
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_document_is_coded_once_and_under_a_tag_of_its_own() {
        let text = "#EXTINF:2.00000,\n933000000.m4s\n".repeat(50);
        let document = Document::new(text.clone());
        let (gzip, zstd) = (document.coded(Coding::Gzip).unwrap(), document.coded(Coding::Zstd).unwrap());
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&gzip.bytes[..]).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        assert_eq!(zstd::bulk::decompress(&zstd.bytes, 10_000).unwrap(), text.as_bytes());
        assert!(gzip.etag != zstd.etag && gzip.etag != document.etag && zstd.etag != document.etag);
        let again = document.coded(Coding::Zstd).unwrap();
        assert_eq!(again.bytes.as_ptr(), zstd.bytes.as_ptr());
    }

    #[test]
    fn what_does_not_get_shorter_is_not_coded() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            assert_eq!(Document::new("#EXTM3U\n").coded(coding), None, "{coding}");
        }
    }
}
