//! What is done with hostile frames, for cargo-fuzz and for the plain test `tests/it/fuzz.rs`. None of it may panic or
//! go on for ever.

mod service;

use bytes::BytesMut;
use headwater::{
    access::{key::Key, keys::Keys, token},
    ladder::wire::{self, Error, Message, viewer},
    origin::{
        credential,
        range::{self, Selection},
        route::{self, File, Resource, Route, TrackFile},
    },
};
use http::{HeaderMap, HeaderValue, Method, header};

pub use self::service::service;

/// The frame decoder on a stream that is cut anywhere: the cuts change nothing, and what it understands it can say again.
pub fn wire(data: &[u8]) {
    let Some((&cut, stream)) = data.split_first() else { return };
    let whole = decode([stream]);
    let (before, after) = stream.split_at(usize::from(cut).min(stream.len()));
    let pieces = decode([before, after]);
    assert_eq!(whole.1, pieces.1, "cuts do not matter");
    assert_eq!(whole.0.len(), pieces.0.len());
    for message in whole.0 {
        let said = decode([&wire::encode(&message)[..]]);
        assert_eq!(said, (vec![message], None));
    }
}

/// All messages of a stream, and the words of the error that ended it.
fn decode<'s>(pieces: impl IntoIterator<Item = &'s [u8]>) -> (Vec<Message>, Option<String>) {
    let (mut buffer, mut messages) = (BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            match wire::decode(&mut buffer) {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(error) => return (messages, Some(kind(&error).to_owned())),
            }
        }
    }
    (messages, None)
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::TooLong(_) => "too long",
        Error::Short(_) => "short",
        Error::Json { .. } => "json",
        Error::Io(_) => "io",
    }
}

/// A viewer's message: it is one frame to the byte, or is refused.
pub fn viewer(data: &[u8]) {
    if let Ok(request) = viewer::request(data) {
        assert_eq!(data.len(), 5 + u32::from_be_bytes([data[1], data[2], data[3], data[4]]) as usize);
        assert!(matches!((data[0], request), (6..=8, _)));
    }
}

/// A token that is good, whenever it is shown: of a secret of 32 times `k`, without a kid.
pub const GOOD: &str = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjk5OTk5OTk5OTksInBhdGhzIjoiLyJ9.VFLBXOpGihhuBC272-WzRJhajgKYFYyWWPHpbC-NzI4";

/// A token: it is the good one to the letter, or is refused. And a request's target, of whose token nothing is left.
pub fn token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let keys = Keys::new(Key::secret("k", &[b'k'; 32]).into_iter().collect(), Vec::new());
    let believed = token::verify(text, &keys, &token::Expected::default()).is_ok();
    assert_eq!(believed, text == GOOD);
    let Ok(request) = http::Request::get(format!("/{text}")).body(()) else { return };
    let (request, ()) = request.into_parts();
    if let (Some(left), Some(credential)) = credential::take(&request) {
        assert!(!left.path().starts_with("/t/"), "{left}");
        assert!(
            left.query().is_none_or(|query| !query.split('&').any(|pair| pair.starts_with("token="))),
            "{left}"
        );
        let is_long = credential.token().len() > 64;
        assert!(!is_long || !credential::shown(left.path()).contains(credential.token()), "{left}");
    }
    assert!(credential::shown(request.uri.path()).split('/').all(|name| name.len() <= 64));
}

/// A target of a request: what it is understood as has this one path and no other, of names that mean nothing to a file
/// system.
pub fn route(data: &[u8]) {
    let Ok(target) = std::str::from_utf8(data) else { return };
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let Ok(route) = route::parse(&Method::GET, path, query) else { return };
    assert_eq!(said(route, path), path);
    for name in path[1..].split('/').filter(|_| path != "/") {
        assert!((1..=64).contains(&name.len()) && !name.starts_with('.'), "{path}");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{path}");
    }
}

/// The path of a route.
fn said(route: Route<'_>, path: &str) -> String {
    match route {
        Route::Options => panic!("{path} is asked for with GET"),
        Route::Page("index.html") => ["/", "/index.html"][usize::from(path != "/")].to_owned(),
        Route::Page(file) => format!("/{file}"),
        Route::Time => "/time".to_owned(),
        Route::Listing => "/channels.json".to_owned(),
        Route::Socket(socket) => format!("/live/{}/ws", socket.channel),
        Route::Live(resource) => format!("/live/{}", of(resource)),
        Route::Edge(channel) => format!("/live/{channel}/edge"),
        Route::Vod(resource) => format!("/vod/{}", of(resource)),
    }
}

fn of(Resource { presentation, file, .. }: Resource<'_>) -> String {
    match file {
        File::Multivariant => format!("{presentation}/index.m3u8"),
        File::Mpd => format!("{presentation}/manifest.mpd"),
        File::Track { track, file } => {
            let file = match file {
                TrackFile::Playlist(directives) => {
                    assert!(directives.part.is_none() || directives.msn.is_some());
                    "index.m3u8".to_owned()
                }
                TrackFile::Init(name) => name.to_owned(),
                TrackFile::Segment(number) => format!("{number}.m4s"),
                TrackFile::Part(number, part) => format!("{number}.{part}.m4s"),
            };
            format!("{presentation}/{track}/{file}")
        }
    }
}

/// A Range field and a length that is a power of two, or one less: no byte is selected that is not there.
pub fn range(data: &[u8]) {
    let Some((&length, value)) = data.split_first() else { return };
    let length = (1_u64 << (length / 2 % 64)) - u64::from(length % 2);
    let Ok(value) = HeaderValue::from_bytes(value) else { return };
    let headers = HeaderMap::from_iter([(header::RANGE, value)]);
    if let Selection::Part { first, last } = range::select(&headers, length) {
        assert!(first <= last && last < length, "{first} to {last} of {length}");
    }
}
