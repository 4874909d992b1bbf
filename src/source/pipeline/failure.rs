//! Says in one line of English what GStreamer means.

use gstreamer::{self as gst, prelude::*};

use super::Found;
use crate::source::Error;

/// An error message of the pipeline, as what it means for the source.
pub(super) fn explain(uri: &str, message: &gst::message::Error, found: &Found) -> Error {
    let (error, detail) = (message.error(), message.debug().unwrap_or_default());
    tracing::debug!(source = uri, error = %error, %detail, "GStreamer reports an error");
    let uri = uri.to_owned();
    let why = one_line(error.message());
    if let Some(status) = http_status(message) {
        return Error::Http { uri, status, reason: why };
    }
    if let Err(undecoded) = undecoded(&uri, found) {
        let is_certain = !matches!(undecoded, Error::NoStreams(_));
        if is_certain {
            return undecoded;
        }
    }
    if let Some(kind) = error.kind::<gst::ResourceError>() {
        return match kind {
            gst::ResourceError::NotFound
            | gst::ResourceError::OpenRead
            | gst::ResourceError::OpenReadWrite => Error::Unreachable { uri, why: reason(&why, &detail) },
            _ => Error::Lost { uri, why: reason(&why, &detail) },
        };
    }
    match error.kind::<gst::StreamError>() {
        Some(gst::StreamError::TypeNotFound | gst::StreamError::WrongType) => Error::NotMedia { uri, why },
        Some(gst::StreamError::CodecNotFound) if detail.contains("text") => {
            Error::NotMedia { uri, why: "this is text".into() }
        }
        Some(gst::StreamError::Decrypt | gst::StreamError::DecryptNokey) => Error::Encrypted(uri),
        _ if why.contains("encrypted") => Error::Encrypted(uri),
        _ => Error::Damaged { uri, why: reason(&why, &detail) },
    }
}

/// Refuses a source of whose pictures or sound nothing at all can be decoded.
pub(super) fn undecoded(uri: &str, found: &Found) -> Result<(), Error> {
    for (kind, decoded) in [("video", found.video.is_some()), ("audio", !found.audio.is_empty())] {
        let of_kind = |caps: &&gst::Caps| is_of_kind(caps, kind);
        if let (false, Some(caps)) = (decoded, found.unknown.iter().find(of_kind)) {
            if caps.to_string().contains("x-cenc") {
                return Err(Error::Encrypted(uri.into()));
            }
            return Err(Error::NoDecoder { uri: uri.into(), kind, codec: codec(caps) });
        }
    }
    if found.video.is_none() && found.audio.is_empty() {
        return Err(Error::NoStreams(uri.into()));
    }
    Ok(())
}

fn is_of_kind(caps: &gst::Caps, kind: &str) -> bool {
    let name = caps.structure(0).map(|structure| structure.name().to_string()).unwrap_or_default();
    // Encrypted streams hide their kind behind application/x-cenc, with the original type in a field.
    let original =
        caps.structure(0).and_then(|structure| structure.get::<String>("original-media-type").ok());
    original.unwrap_or(name).starts_with(kind)
}

/// The caps in short: name and what tells variants apart.
fn codec(caps: &gst::Caps) -> String {
    let Some(structure) = caps.structure(0) else { return "an unknown codec".into() };
    let field = |name: &str| structure.value(name).ok().and_then(|value| value.serialize().ok());
    let details: Vec<String> = ["format", "mpegversion", "profile", "variant"]
        .into_iter()
        .filter_map(|name| field(name).map(|value| format!("{name} {value}")))
        .collect();
    match details.is_empty() {
        true => structure.name().to_string(),
        false => format!("{} ({})", structure.name(), details.join(", ")),
    }
}

fn http_status(message: &gst::message::Error) -> Option<u32> {
    let status = message.details()?.get::<u32>("http-status-code").ok()?;
    (400..600).contains(&status).then_some(status)
}

/// GStreamer's generic sentences say nothing; its debug line behind the last colon often does.
fn reason(why: &str, debug: &str) -> String {
    let detail = debug.lines().map(str::trim).filter(|line| !line.is_empty()).skip(1).last();
    match detail {
        Some(detail) if !detail.starts_with("streaming stopped") => format!("{why} ({detail})"),
        _ => why.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.trim().trim_end_matches('.').replace('\n', " ")
}
