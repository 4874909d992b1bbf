//! How large a request's head may be. HTTP/2 counts while it reads, so this is for HTTP/1.1, where the buffer that it is read
//! into may be larger.

use http::request::Parts;

use super::refusal::Refusal;

/// Of all header fields, and of a URI, which may carry a token. Bytes.
pub const LARGEST: usize = 16 << 10;

/// Why a head is too large, if it is. Each field counts as in HTTP/2 (RFC 9113 6.5.2).
pub fn oversized(request: &Parts) -> Option<Refusal> {
    let uri = request.uri.path_and_query().map_or(0, |path| path.as_str().len());
    if uri > LARGEST {
        return Some(Refusal::UriTooLong);
    }
    let fields: usize =
        request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    (fields > LARGEST).then_some(Refusal::HeaderFields)
}
