//! From what was found to the response: content coding, preconditions, ranges.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header, request::Parts};

use super::{
    body::Body,
    conditional::{self, Precondition},
    encoding,
    error::HttpError,
    policy::CachePolicy,
    problem,
    range::{self, Selection},
    refusal::Refusal,
    reply::Reply,
};
use crate::{
    channel::edge::{self, Coding, Document},
    store::Stored,
};

/// The methods that both listeners answer, as in Allow.
pub const METHODS: &str = "GET, HEAD, OPTIONS";

/// Tells nginx, and what has learnt it from nginx, to pass a body on as it comes.
pub(super) const UNBUFFERED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));

/// CTA-5006.
const CMSD_STATIC: HeaderName = HeaderName::from_static("cmsd-static");

/// What a route leads to.
#[derive(Debug)]
pub struct Representation {
    /// Its bytes.
    pub content: Content,
    /// Content-Type.
    pub media_type: &'static str,
    /// How long caches may keep it.
    pub cache: CachePolicy,
}

/// The bytes of a representation, shared with all who are sent them.
#[derive(Debug)]
pub enum Content {
    /// Text that there is in several content codings.
    Document(Arc<Document>),
    /// A segment, a part or an init segment in memory.
    Chunks(Arc<edge::Body>),
    /// A segment that is still being made, and the CMSD-Static that it has.
    Growing(Body, Option<HeaderValue>),
    /// An object of the store, and the CMSD-Static that it has.
    Stored(Stored, Option<HeaderValue>),
    /// Made for this request, without a version.
    Fresh(Bytes),
}

/// The reply to `request` with what was found for it.
pub fn respond(request: &Parts, found: Result<Representation, HttpError>) -> Reply {
    found.and_then(|representation| represent(request, representation)).unwrap_or_else(HttpError::reply)
}

/// The answer to OPTIONS.
pub fn options() -> Reply {
    let mut reply = Reply::new(StatusCode::NO_CONTENT, Body::empty(), CachePolicy::NoStore);
    reply.set(header::ALLOW, HeaderValue::from_static(METHODS));
    reply
}

/// What is the same for every reply of either listener, refusals included.
pub fn finish(request: &Parts, reply: Reply) -> Reply {
    let mut reply = problem::phrased(request, reply);
    reply.set(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let bodiless = matches!(reply.response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !bodiless {
        // Not left to hyper, because it would say 0 of the body that HEAD leaves out.
        if let Some(length) = reply.response.body().remaining() {
            reply.set(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }
    if request.method == Method::HEAD {
        *reply.response.body_mut() = Body::empty();
    }
    reply
}

/// A representation in one content coding.
struct Selected {
    body: Body,
    etag: Option<HeaderValue>,
    coding: Option<Coding>,
    negotiated: bool,
    cmsd: Option<HeaderValue>,
}

impl Content {
    fn select(self, headers: &HeaderMap) -> Selected {
        let plain = |body, etag, cmsd| Selected { body, etag, coding: None, negotiated: false, cmsd };
        match self {
            Self::Document(document) => select_coding(document, headers),
            Self::Chunks(chunks) => {
                let (etag, cmsd) = (chunks.etag.clone(), chunks.cmsd.clone());
                plain(Body::from(chunks), Some(etag), cmsd)
            }
            Self::Growing(body, cmsd) => plain(body, None, cmsd),
            Self::Stored(Stored::Whole(object), cmsd) => {
                plain(Body::from(object.body.clone()), HeaderValue::from_str(&object.etag).ok(), cmsd)
            }
            Self::Stored(Stored::Blocks(blocks), cmsd) => {
                let etag = HeaderValue::from_str(blocks.etag()).ok();
                plain(Body::from(blocks), etag, cmsd)
            }
            Self::Fresh(bytes) => plain(Body::from(bytes), None, None),
        }
    }
}

fn select_coding(document: Arc<Document>, headers: &HeaderMap) -> Selected {
    // Ranges are of the bytes as they are: Chromium's own HLS reads playlists by ranges, lets its network stack unpack
    // them, and then cuts the text off at the length that the packed ones had.
    let has_range = headers.contains_key(header::RANGE);
    let preferred = if has_range { None } else { encoding::preferred(headers, document.codings()) };
    let coded = preferred.and_then(|coding| Some((coding, document.coded(coding)?)));
    let (etag, cmsd) =
        (coded.map_or(&document.etag, |(_, coded)| &coded.etag).clone(), document.cmsd.clone());
    let coding = coded.map(|(coding, _)| coding);
    let body = match coded {
        Some((_, coded)) => Body::from(coded.bytes.clone()),
        None => Body::from(document),
    };
    Selected { body, etag: Some(etag), coding, negotiated: true, cmsd }
}

fn represent(request: &Parts, representation: Representation) -> Result<Reply, HttpError> {
    let Representation { content, media_type, cache } = representation;
    // To HTTP/1.0 the end of the connection is the end of the body, also of one that is broken off.
    let cuttable = request.version < Version::HTTP_11 && matches!(content, Content::Growing(..));
    let cache = if cuttable { CachePolicy::NoStore } else { cache };
    let Selected { body, etag, coding, negotiated, cmsd } = content.select(&request.headers);
    let mut reply = match precondition(request, etag.as_ref()) {
        Precondition::Failed => return Err(Refusal::PreconditionFailed.into()),
        Precondition::NotModified => Reply::new(StatusCode::NOT_MODIFIED, Body::empty(), cache),
        Precondition::Passed => {
            let grows = body.remaining().is_none();
            let mut reply = cut(request, etag.as_ref(), body, cache);
            if reply.verdict.refusal.is_some() {
                return Ok(reply);
            }
            let headers = reply.fields();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
            if etag.is_some() {
                headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            }
            if grows {
                headers.insert(UNBUFFERED.0, UNBUFFERED.1);
            }
            if let Some(coding) = coding {
                headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
            }
            reply
        }
    };
    let headers = reply.fields();
    if negotiated {
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    etag.map(|etag| headers.insert(header::ETAG, etag));
    cmsd.map(|cmsd| headers.insert(CMSD_STATIC, cmsd));
    Ok(reply)
}

fn precondition(request: &Parts, etag: Option<&HeaderValue>) -> Precondition {
    // What has no tag is the version of no list, but it is there, as a star asks (RFC 9110 13.1.1 and 13.1.2).
    let etag = etag.and_then(|etag| etag.to_str().ok()).unwrap_or_default();
    conditional::evaluate(&request.headers, etag)
}

/// 200 with all of `body`, 206 with the range that is asked for, or 416. Only GET has ranges (RFC 9110 14.2).
fn cut(request: &Parts, etag: Option<&HeaderValue>, body: Body, cache: CachePolicy) -> Reply {
    let whole = |body| Reply::new(StatusCode::OK, body, cache);
    let Some(length) = body.remaining() else { return whole(body) };
    let applies = request.method == Method::GET
        && etag.is_some_and(|etag| conditional::range_applies(&request.headers, etag));
    let (mut reply, value) = match if applies {
        range::select(&request.headers, length)
    } else {
        Selection::Whole
    } {
        Selection::Whole => return whole(body),
        Selection::Part { first, last } => {
            let body = body.slice(first, last - first + 1);
            (Reply::new(StatusCode::PARTIAL_CONTENT, body, cache), format!("bytes {first}-{last}/{length}"))
        }
        Selection::Unsatisfiable => {
            (HttpError::from(Refusal::RangeNotSatisfiable).reply(), format!("bytes */{length}"))
        }
    };
    if let Ok(value) = HeaderValue::try_from(value) {
        reply.set(header::CONTENT_RANGE, value);
    }
    reply
}
