//! Says in one line of English what GStreamer means.

use std::{
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use gstreamer as gst;

use super::Found;
use crate::source::Error;

/// What is wrong with a container that its demultiplexer refuses. Its own words are not always to be had.
pub(super) const UNREADABLE: &str = "its container cannot be read, it may be cut off";
const CONNECT: Duration = Duration::from_secs(2);

/// An error message of the pipeline, as what it means for the source, which was `open` before or not.
pub(super) fn explain(uri: &str, message: &gst::message::Error, found: &Found, open: bool) -> Error {
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
    if error.kind::<gst::ResourceError>().is_some() {
        let why = reason(&why, &detail);
        return if open { Error::Lost { uri, why } } else { Error::Unreachable { uri, why } };
    }
    match error.kind::<gst::StreamError>() {
        Some(gst::StreamError::TypeNotFound | gst::StreamError::WrongType) => Error::NotMedia { uri, why },
        Some(gst::StreamError::CodecNotFound) if detail.contains("text") => {
            Error::NotMedia { uri, why: "this is text".into() }
        }
        Some(gst::StreamError::Decrypt | gst::StreamError::DecryptNokey) => Error::Encrypted(uri),
        _ if !open && uri.starts_with("http") => {
            // The HTTP source of GStreamer 1.22 tells a status, but keeps to itself why there is none.
            Error::Unreachable { why: refusal(&uri), uri }
        }
        _ if why.contains("encrypted") => Error::Encrypted(uri),
        Some(gst::StreamError::Decode) => Error::Damaged { uri, why: reason(&why, &detail) },
        _ if !open => Error::Damaged { uri, why: UNREADABLE.into() },
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

/// Codecs by the names that people know them by.
const NAMES: [(&str, &str); 14] = [
    ("video/x-h264", "H.264"),
    ("video/x-h265", "H.265"),
    ("video/x-h266", "H.266"),
    ("video/x-av1", "AV1"),
    ("video/x-vp8", "VP8"),
    ("video/x-vp9", "VP9"),
    ("video/x-prores", "ProRes"),
    ("video/mpeg", "MPEG-2 or MPEG-4 video"),
    ("audio/mpeg", "MPEG audio (MP3, AAC or xHE-AAC)"),
    ("audio/x-ac3", "AC-3"),
    ("audio/x-eac3", "E-AC-3"),
    ("audio/x-ac4", "AC-4"),
    ("audio/x-dts", "DTS"),
    ("audio/x-opus", "Opus"),
];

fn codec(caps: &gst::Caps) -> String {
    let name = caps.structure(0).map(|structure| structure.name().to_string()).unwrap_or_default();
    if let Some((_, fourcc)) = name.split_once("x-gst-fourcc-") {
        return format!("`{fourcc}`");
    }
    NAMES.iter().find(|(caps, _)| *caps == name).map_or(name, |(_, known)| (*known).to_owned())
}

fn http_status(message: &gst::message::Error) -> Option<u32> {
    let status = message.details()?.get::<u32>("http-status-code").ok()?;
    (400..600).contains(&status).then_some(status)
}

/// Why no HTTP connection comes about: tries the first step of one.
fn refusal(uri: &str) -> String {
    let secure = uri.starts_with("https");
    let authority = uri.split('/').nth(2).unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let port = if secure { 443 } else { 80 };
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let host = if has_port { host.to_owned() } else { format!("{host}:{port}") };
    let address = match host.to_socket_addrs().map(|mut addresses| addresses.next()) {
        Ok(Some(address)) => address,
        _ => return "its name has no address".into(),
    };
    match TcpStream::connect_timeout(&address, CONNECT) {
        Err(error) => error.to_string(),
        Ok(_) if secure => "there is no TLS connection, or it breaks".into(),
        Ok(_) => "the connection breaks".into(),
    }
}

/// GStreamer's generic sentences say nothing; its debug line behind the last colon often does.
fn reason(why: &str, debug: &str) -> String {
    let detail = debug.lines().map(str::trim).filter(|line| !line.is_empty()).skip(1).last();
    match detail {
        _ if why.starts_with("Internal data") => "its data cannot be read".into(),
        Some(detail) if !detail.starts_with("streaming stopped") => format!("{why} ({detail})"),
        _ => why.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.trim().trim_end_matches('.').replace('\n', " ")
}
