//! From a request line to what it asks for. Pure, and total: whatever comes in, a route or a refusal comes out.

use http::Method;

use super::{error::HttpError, refusal::Refusal, stretch::Stretch};

/// What a request asks for. Names are borrowed from the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'p> {
    /// What may be done here: OPTIONS, for any path.
    Options,
    /// A file of the embedded page.
    Page(&'p str),
    /// The time, for UTCTiming.
    Time,
    /// The list of channels and assets.
    Listing,
    /// Something of a live channel.
    Live(Resource<'p>),
    /// The WebSocket of a live channel.
    Socket(Socket<'p>),
    /// The edge of a live channel, for origin nodes.
    Edge(&'p str),
    /// Something of a packaged file.
    Vod(Resource<'p>),
}

/// A WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket<'p> {
    /// Name of the channel.
    pub channel: &'p str,
    /// What the viewer wants to begin with, as it was written.
    pub query: Option<&'p str>,
}

/// A file of a presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'p> {
    /// Name of the channel or asset.
    pub presentation: &'p str,
    /// Which of its files.
    pub file: File<'p>,
    /// Which stretch of it, for playlists and MPDs of a live channel.
    pub stretch: Option<Stretch>,
}

/// A file within a presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum File<'p> {
    /// `index.m3u8`
    Multivariant,
    /// `manifest.mpd`
    Mpd,
    /// A file of one track.
    Track {
        /// The track's name.
        track: &'p str,
        /// Which of its files.
        file: TrackFile<'p>,
    },
}

/// A file within a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackFile<'p> {
    /// `index.m3u8`
    Playlist(Directives),
    /// `init-{hash}.mp4`, by its whole name.
    Init(&'p str),
    /// `{number}.m4s`
    Segment(i64),
    /// `{number}.{part}.m4s`: the segment's number and the part's index in it.
    Part(i64, u32),
}

impl TrackFile<'_> {
    /// What kind of file it is, for metrics.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Playlist(_) => "playlist",
            Self::Init(_) => "init",
            Self::Segment(_) => "segment",
            Self::Part(..) => "part",
        }
    }
}

/// Delivery directives of a media playlist request (rfc8216bis 6.2.5). All other parameters are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// `_HLS_msn`: wait until this segment is listed.
    pub msn: Option<u64>,
    /// `_HLS_part`: wait until this part of it is listed.
    pub part: Option<u64>,
    /// `_HLS_skip`: a delta update will do.
    pub skip: bool,
}

/// Finds out what is asked for.
///
/// # Errors
/// [`Refusal::Method`], [`Refusal::MalformedPath`], [`Refusal::UnknownPath`], [`Refusal::Directive`] and
/// [`Refusal::StretchTimes`].
pub fn parse<'p>(method: &Method, path: &'p str, query: Option<&'p str>) -> Result<Route<'p>, HttpError> {
    if !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Err(Refusal::Method.into());
    }
    if *method == Method::OPTIONS && path == "*" {
        return Ok(Route::Options);
    }
    let segments = segments(path)?;
    if *method == Method::OPTIONS {
        return Ok(Route::Options);
    }
    match segments.as_slice() {
        [""] => Ok(Route::Page("index.html")),
        ["time"] => Ok(Route::Time),
        ["channels.json"] => Ok(Route::Listing),
        ["live", channel, "ws"] => Ok(Route::Socket(Socket { channel, query })),
        ["live", channel, "edge"] => Ok(Route::Edge(channel)),
        ["live", presentation, file @ ..] => {
            let file = presentation_file(file, query)?;
            Ok(Route::Live(Resource { presentation, file, stretch: stretch_of(file, query)? }))
        }
        ["vod", presentation, file @ ..] => {
            Ok(Route::Vod(Resource { presentation, file: presentation_file(file, query)?, stretch: None }))
        }
        // Vite puts hashed files below assets/ and those of web/public beside index.html.
        ["assets", _] => Ok(Route::Page(&path[1..])),
        [file] if file.contains('.') => Ok(Route::Page(file)),
        _ => Err(Refusal::UnknownPath.into()),
    }
}

/// The deepest path is `/live/{channel}/{track}/{file}`.
const DEPTH: usize = 4;

/// Cuts a path at its slashes. Every piece is a name, so that no piece can mean anything to a file system, and one
/// object has one path: nothing is decoded, normalised or skipped.
fn segments(path: &str) -> Result<Vec<&str>, HttpError> {
    let rest = path.strip_prefix('/').ok_or(Refusal::MalformedPath)?;
    if rest.is_empty() {
        return Ok(vec![""]);
    }
    if rest.bytes().filter(|&byte| byte == b'/').count() >= DEPTH {
        return Err(Refusal::UnknownPath.into());
    }
    let segments: Vec<&str> = rest.split('/').collect();
    if segments.iter().all(|segment| is_name(segment)) {
        return Ok(segments);
    }
    // A slash at the end is a directory, which there is none of; anything else is nobody's honest mistake.
    match segments.split_last() {
        Some((&"", front)) if front.iter().all(|segment| is_name(segment)) => {
            Err(Refusal::UnknownPath.into())
        }
        _ => Err(Refusal::MalformedPath.into()),
    }
}

/// `[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}`
fn is_name(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&text.len())
        && text.bytes().enumerate().all(|(at, byte)| word(byte) || (at > 0 && byte == b'.'))
}

fn presentation_file<'p>(segments: &[&'p str], query: Option<&str>) -> Result<File<'p>, HttpError> {
    match *segments {
        ["index.m3u8"] => Ok(File::Multivariant),
        ["manifest.mpd"] => Ok(File::Mpd),
        [track, "index.m3u8"] => {
            Ok(File::Track { track, file: TrackFile::Playlist(Directives::parse(query.unwrap_or(""))?) })
        }
        [track, name] => media_file(name)
            .map(|file| File::Track { track, file })
            .ok_or_else(|| Refusal::UnknownPath.into()),
        _ => Err(Refusal::UnknownPath.into()),
    }
}

/// The stretch that a document is to be of. Media is the same in all of them.
fn stretch_of(file: File<'_>, query: Option<&str>) -> Result<Option<Stretch>, HttpError> {
    match (file, query) {
        (File::Track { file: TrackFile::Init(_) | TrackFile::Segment(_) | TrackFile::Part(..), .. }, _)
        | (_, None) => Ok(None),
        (_, Some(query)) => Ok(Stretch::parse(query)?),
    }
}

fn media_file(name: &str) -> Option<TrackFile<'_>> {
    if let Some(numbers) = name.strip_suffix(".m4s") {
        return match numbers.split_once('.') {
            Some((number, part)) => {
                Some(TrackFile::Part(canonical(number)?.try_into().ok()?, canonical(part)?.try_into().ok()?))
            }
            None => canonical(numbers)?.try_into().ok().map(TrackFile::Segment),
        };
    }
    let hash = name.strip_prefix("init-")?.strip_suffix(".mp4")?;
    let plain = hash.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (!hash.is_empty() && plain).then_some(TrackFile::Init(name))
}

impl Directives {
    fn parse(query: &str) -> Result<Self, HttpError> {
        let mut directives = Self::default();
        let mut seen = [false; 3];
        for (key, value) in query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, ""))) {
            let slot = match key {
                "_HLS_msn" => 0,
                "_HLS_part" => 1,
                "_HLS_skip" => 2,
                _ => continue,
            };
            if std::mem::replace(&mut seen[slot], true) {
                return Err(Refusal::Directive.into());
            }
            match slot {
                0 => directives.msn = Some(digits(value).ok_or(Refusal::Directive)?),
                1 => directives.part = Some(digits(value).ok_or(Refusal::Directive)?),
                _ if matches!(value, "YES" | "v2") => directives.skip = true,
                _ => return Err(Refusal::Directive.into()),
            }
        }
        // rfc8216bis 6.2.5.2: a part without its segment means nothing.
        if directives.part.is_some() && directives.msn.is_none() {
            return Err(Refusal::Directive.into());
        }
        Ok(directives)
    }
}

/// A decimal number as we write it, without sign or leading zeros: one segment has one URL.
fn canonical(text: &str) -> Option<u64> {
    if text == "0" || !text.starts_with('0') { digits(text) } else { None }
}

/// A decimal number of digits only: `u64::from_str` would take a plus sign as well.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn get(path: &str) -> Result<Route<'_>, StatusCode> {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        parse(&Method::GET, path, query).map_err(|error| error.status)
    }

    fn live<'p>(presentation: &'p str, file: File<'p>) -> Route<'p> {
        Route::Live(Resource { presentation, file, stretch: None })
    }

    fn track<'p>(track: &'p str, file: TrackFile<'p>) -> File<'p> {
        File::Track { track, file }
    }

    #[test]
    fn every_url_of_the_design_has_its_route() {
        let whole = Directives::default();
        let blocking = Directives { msn: Some(933_000_000), part: Some(2), skip: true };
        for (path, route) in [
            ("/", Route::Page("index.html")),
            ("/?channel=demo", Route::Page("index.html")),
            ("/favicon.svg", Route::Page("favicon.svg")),
            ("/assets/index-B1x_2.js", Route::Page("assets/index-B1x_2.js")),
            ("/time", Route::Time),
            ("/channels.json", Route::Listing),
            ("/live/demo/index.m3u8", live("demo", File::Multivariant)),
            ("/live/demo/manifest.mpd?x=1", live("demo", File::Mpd)),
            ("/live/a.b/720p/index.m3u8", live("a.b", track("720p", TrackFile::Playlist(whole)))),
            (
                "/live/d/720p/index.m3u8?_HLS_msn=933000000&_HLS_part=2&token=a&_HLS_skip=v2",
                live("d", track("720p", TrackFile::Playlist(blocking))),
            ),
            (
                "/live/d/audio-en/init-0af3.mp4",
                live("d", track("audio-en", TrackFile::Init("init-0af3.mp4"))),
            ),
            ("/live/d/720p/0.m4s", live("d", track("720p", TrackFile::Segment(0)))),
            ("/live/d/720p/933000000.m4s", live("d", track("720p", TrackFile::Segment(933_000_000)))),
            ("/live/d/720p/933000000.0.m4s", live("d", track("720p", TrackFile::Part(933_000_000, 0)))),
            (
                "/live/demo/ws?video=720p",
                Route::Socket(Socket { channel: "demo", query: Some("video=720p") }),
            ),
            (
                "/vod/clip/360p/1.m4s",
                Route::Vod(Resource {
                    presentation: "clip",
                    file: track("360p", TrackFile::Segment(1)),
                    stretch: None,
                }),
            ),
        ] {
            assert_eq!(get(path), Ok(route), "{path}");
        }
    }

    #[test]
    fn documents_of_live_channels_may_be_of_a_stretch_and_nothing_else_is() {
        let stretch = Stretch { start: 5_000_000_000, end: Some(7_500_000_000) };
        for file in ["index.m3u8", "manifest.mpd", "720p/index.m3u8"] {
            let path = format!("/live/demo/{file}?start=5&end=7.5");
            let Ok(Route::Live(resource)) = get(&path) else { panic!("{path} has no route") };
            assert_eq!(resource.stretch, Some(stretch), "{path}");
            assert_eq!(get(&format!("/live/demo/{file}?end=7.5")), Err(StatusCode::BAD_REQUEST), "{path}");
        }
        for path in [
            "/live/demo/720p/1.m4s?start=x",
            "/live/demo/720p/init-ab.mp4?start=5",
            "/vod/demo/index.m3u8?start=x",
        ] {
            let (Ok(Route::Live(resource)) | Ok(Route::Vod(resource))) = get(path) else { panic!("{path}") };
            assert_eq!(resource.stretch, None, "{path}");
        }
    }

    #[test]
    fn what_is_no_url_of_ours_is_not_found() {
        let long = format!("/live/{}/index.m3u8", "a".repeat(64));
        assert!(get(&long).is_ok());
        for path in [
            "/live",
            "/live/demo",
            "/live/demo/",
            "/live/demo/720p/",
            "/live/demo/ws/",
            "/live/demo/720p/ws",
            "/vod/clip/ws",
            "/live/demo/index.m3u",
            "/live/demo/index.M3U8",
            "/LIVE/demo/index.m3u8",
            "/live/demo/720p/manifest.mpd",
            "/live/demo/720p/01.m4s",
            "/live/demo/720p/-1.m4s",
            "/live/demo/720p/m4s",
            "/live/demo/720p/9223372036854775808.m4s",
            "/live/demo/720p/1.m4s/x",
            "/live/demo/720p/1.02.m4s",
            "/live/demo/720p/1..m4s",
            "/live/demo/720p/1.2.3.m4s",
            "/live/demo/720p/1.4294967296.m4s",
            "/live/demo/720p/init-.mp4",
            "/live/demo/720p/init-a.b.mp4",
            "/live/demo/720p/init.mp4",
            "/a/b",
            "/assets/a/b",
            "/live/a/b/c/d/e/f/g/h",
        ] {
            assert_eq!(get(path), Err(StatusCode::NOT_FOUND), "{path}");
        }
    }

    #[test]
    fn what_tries_to_be_more_than_a_name_is_refused() {
        let long = format!("/live/{}/index.m3u8", "a".repeat(65));
        for path in [
            "",
            "live/demo/index.m3u8",
            "*",
            "//",
            "//live/demo/index.m3u8",
            "/live//index.m3u8",
            "/live/../etc/passwd",
            "/live/./index.m3u8",
            "/live/.hidden/index.m3u8",
            "/live/%2e%2e/index.m3u8",
            "/live/demo%00/index.m3u8",
            "/live/demo\0/index.m3u8",
            "/live/a%2fb/index.m3u8",
            "/live/a\\b/index.m3u8",
            "/live/demo/720p/.m4s",
            "/live/d\u{e9}mo/index.m3u8",
            "/live/a b/index.m3u8",
            &long,
        ] {
            assert_eq!(get(path), Err(StatusCode::BAD_REQUEST), "{path:?}");
        }
    }

    #[test]
    fn impossible_directives_are_refused() {
        for query in [
            "_HLS_msn=",
            "_HLS_msn",
            "_HLS_msn=-1",
            "_HLS_msn=+1",
            "_HLS_msn=1.5",
            "_HLS_msn=18446744073709551616",
            "_HLS_msn=1&_HLS_msn=1",
            "_HLS_part=0",
            "_HLS_msn=1&_HLS_part=x",
            "_HLS_skip=NO",
        ] {
            let path = format!("/live/demo/720p/index.m3u8?{query}");
            assert_eq!(get(&path), Err(StatusCode::BAD_REQUEST), "{query}");
        }
    }

    #[test]
    fn only_reading_is_allowed() {
        for method in
            [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::TRACE, Method::CONNECT]
        {
            let refused = parse(&method, "/live/demo/index.m3u8", None).unwrap_err();
            assert_eq!(refused.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        }
        assert_eq!(parse(&Method::OPTIONS, "*", None), Ok(Route::Options));
        assert_eq!(parse(&Method::OPTIONS, "/live/x/1", None), Ok(Route::Options));
        assert!(parse(&Method::HEAD, "/time", None).is_ok());
    }
}
