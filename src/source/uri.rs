//! The grammar of source URIs. Pure: nothing is opened here, so the configuration is checked with the same function.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
};

use headwater_packager::time::FrameRate;
use thiserror::Error;

/// Where media comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// `test:`, `test:?size=1920x1080&rate=30000/1001&seconds=10`: the built-in pattern and tone.
    Test(TestSource),
    /// `file:PATH`, `file:PATH?loop`.
    File {
        /// As written; relative to the working directory, or to the file root where one is set.
        path: PathBuf,
        /// Start again at the end, without a gap.
        repeat: bool,
    },
    /// `http://...`, `https://...`.
    Http(String),
    /// `srt://host:port`, `srt://:port`.
    Srt(Srt),
    /// `rtsp://...`, `rtsps://...`.
    Rtsp(String),
    /// `udp://address:port`: MPEG-TS.
    Udp {
        /// The local or multicast address to receive on.
        address: IpAddr,
        /// Port.
        port: u16,
    },
}

/// The built-in pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestSource {
    /// Pixels, even.
    pub width: u32,
    /// Pixels, even.
    pub height: u32,
    /// Frames per second.
    pub rate: FrameRate,
    /// Ends after so many seconds of media; never, if `None`.
    pub seconds: Option<u32>,
}

/// An SRT connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srt {
    /// Who is called; `None` to listen.
    pub caller_of: Option<String>,
    /// The address to listen on, for a listener.
    pub bind: IpAddr,
    /// Port.
    pub port: u16,
    /// Receiver latency in milliseconds.
    pub latency: Option<u32>,
    /// Stream id that a caller sends.
    pub stream_id: Option<String>,
    /// Passphrase of an encrypted stream.
    pub passphrase: Option<String>,
}

/// Why a source URI was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// No scheme.
    #[error("source `{0}` has no scheme: {KNOWN}")]
    NoScheme(String),
    /// A scheme that is not in the list.
    #[error("source `{uri}`: scheme `{scheme}` is not supported: {KNOWN}")]
    Scheme {
        /// The whole URI.
        uri: String,
        /// Its scheme.
        scheme: String,
    },
    /// RTMP in particular, because people will try it.
    #[error("source `{0}`: RTMP is not supported; let OBS or the encoder send SRT to `srt://:PORT` instead")]
    Rtmp(String),
    /// A part of it is wrong.
    #[error("source `{uri}`: {what}")]
    Part {
        /// The whole URI.
        uri: String,
        /// What is wrong and what would be right.
        what: String,
    },
}

const KNOWN: &str = "use test:, file:PATH, http://, https://, srt://, rtsp:// or udp://";

/// Reads a source URI.
///
/// # Errors
/// Names the part that is wrong and what would be right.
pub fn parse(uri: &str) -> Result<Location, Error> {
    let (scheme, rest) = uri.split_once(':').ok_or_else(|| Error::NoScheme(uri.into()))?;
    let wrong = |what: String| Error::Part { uri: uri.into(), what };
    match scheme {
        "test" => test(rest).map(Location::Test).map_err(wrong),
        "file" => file(rest).map_err(wrong),
        "http" | "https" => authority(rest).map(|_| Location::Http(uri.into())).map_err(wrong),
        "rtsp" | "rtsps" => authority(rest).map(|_| Location::Rtsp(uri.into())).map_err(wrong),
        "srt" => srt(rest).map(Location::Srt).map_err(wrong),
        "udp" => udp(rest).map_err(wrong),
        "rtmp" | "rtmps" => Err(Error::Rtmp(uri.into())),
        _ if scheme.chars().all(|letter| letter.is_ascii_alphanumeric()) && !scheme.is_empty() => {
            Err(Error::Scheme { uri: uri.into(), scheme: scheme.into() })
        }
        _ => Err(Error::NoScheme(uri.into())),
    }
}

/// The path that `path` really names, if it lies below `root`; `None` if it is outside.
///
/// # Errors
/// What the file system says, for example that the file does not exist.
pub fn resolve(path: &Path, root: Option<&Path>) -> std::io::Result<Option<PathBuf>> {
    let Some(root) = root else { return path.canonicalize().map(Some) };
    let root = root.canonicalize()?;
    // Links are followed before the comparison, so that none leads out of the root.
    let real = root.join(path).canonicalize()?;
    Ok(real.starts_with(&root).then_some(real))
}

fn options(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|option| !option.is_empty())
        .map(|option| option.split_once('=').unwrap_or((option, "")))
}

fn split_query(rest: &str) -> (&str, &str) {
    rest.split_once('?').unwrap_or((rest, ""))
}

fn test(rest: &str) -> Result<TestSource, String> {
    let (path, query) = split_query(rest);
    if !path.is_empty() {
        return Err(format!("`test:` takes no path, but here is `{path}`; options follow a `?`"));
    }
    let rate = FrameRate::new(30, 1).ok_or("30 is a frame rate")?;
    let mut source = TestSource { width: 1280, height: 720, rate, seconds: None };
    for (key, value) in options(query) {
        match key {
            "size" => (source.width, source.height) = size(value)?,
            "rate" => source.rate = frame_rate(value)?,
            "seconds" => source.seconds = Some(number(key, value, 1..=86_400)?),
            _ => return Err(format!("unknown option `{key}`; test: knows size, rate and seconds")),
        }
    }
    Ok(source)
}

fn size(value: &str) -> Result<(u32, u32), String> {
    let wrong = || format!("size is `{value}`, but must be WIDTHxHEIGHT, both even, 64x64 to 4096x2304");
    let (width, height) = value.split_once('x').ok_or_else(wrong)?;
    let (width, height): (u32, u32) =
        (width.parse().map_err(|_| wrong())?, height.parse().map_err(|_| wrong())?);
    let fits = (64..=4096).contains(&width) && (64..=2304).contains(&height);
    if fits && width % 2 == 0 && height % 2 == 0 { Ok((width, height)) } else { Err(wrong()) }
}

fn frame_rate(value: &str) -> Result<FrameRate, String> {
    let wrong = || format!("rate is `{value}`, but must be like 25 or 30000/1001, from 1 to 60");
    let (num, den) = value.split_once('/').unwrap_or((value, "1"));
    let rate = FrameRate::new(num.parse().map_err(|_| wrong())?, den.parse().map_err(|_| wrong())?);
    rate.filter(|rate| (1.0..=60.0).contains(&rate.fps()) && rate.num.get() <= 60_000).ok_or_else(wrong)
}

fn number(key: &str, value: &str, range: std::ops::RangeInclusive<u32>) -> Result<u32, String> {
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        format!("{key} is `{value}`, but must be a whole number from {} to {}", range.start(), range.end())
    })
}

fn file(rest: &str) -> Result<Location, String> {
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    // A file's name may contain a `?`; only this one option is cut off.
    let (path, repeat) = match rest.strip_suffix("?loop") {
        Some(path) => (path, true),
        None => (rest, false),
    };
    if path.is_empty() {
        return Err("`file:` needs a path, as in file:clip.mp4 or file:clip.mp4?loop".into());
    }
    Ok(Location::File { path: path.into(), repeat })
}

/// The `host[:port]` behind `//`.
fn authority(rest: &str) -> Result<&str, String> {
    let authority = rest
        .strip_prefix("//")
        .and_then(|rest| rest.split(['/', '?', '#']).next())
        .ok_or("`//HOST` is missing behind the scheme")?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() || host.starts_with(':') { Err("the host is missing".into()) } else { Ok(host) }
}

fn host_and_port(rest: &str) -> Result<(&str, u16), String> {
    let rest = rest.strip_prefix("//").ok_or("`//` is missing behind the scheme")?;
    let (host, port) = rest.rsplit_once(':').ok_or("the port is missing, as in `:9000`")?;
    let port = port.trim_end_matches('/');
    let port = port.parse().ok().filter(|port| *port != 0);
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok((host, port.ok_or("the port must be a number from 1 to 65535")?))
}

fn udp(rest: &str) -> Result<Location, String> {
    let (rest, query) = split_query(rest);
    if let Some((key, _)) = options(query).next() {
        return Err(format!("unknown option `{key}`; udp: has none"));
    }
    let (host, port) = host_and_port(rest)?;
    let host = host.strip_prefix('@').unwrap_or(host);
    let address = if host.is_empty() { Ok(Ipv4Addr::UNSPECIFIED.into()) } else { host.parse() };
    let address = address.map_err(|_| {
        format!(
            "`{host}` is not an address; write the local or multicast address to receive on, as in 0.0.0.0"
        )
    })?;
    Ok(Location::Udp { address, port })
}

fn srt(rest: &str) -> Result<Srt, String> {
    let (rest, query) = split_query(rest);
    let (host, port) = host_and_port(rest)?;
    let mut listen = host.is_empty();
    let (mut latency, mut stream_id, mut passphrase) = (None, None, None);
    for (key, value) in options(query) {
        match (key, value) {
            ("mode", "listener") => listen = true,
            ("mode", "caller") if !host.is_empty() => listen = false,
            ("mode", "caller") => return Err("a caller needs a host to call".into()),
            ("mode", _) => return Err(format!("mode is `{value}`, but must be caller or listener")),
            ("latency", _) => latency = Some(number(key, value, 0..=60_000)?),
            ("streamid", _) => stream_id = Some(value.to_owned()),
            ("passphrase", _) if (10..=79).contains(&value.len()) => passphrase = Some(value.to_owned()),
            ("passphrase", _) => return Err("the passphrase must have 10 to 79 characters".into()),
            _ => {
                return Err(format!(
                    "unknown option `{key}`; srt: knows mode, latency, streamid and passphrase"
                ));
            }
        }
    }
    let bind = match host {
        "" => Ipv4Addr::UNSPECIFIED.into(),
        _ if listen => {
            host.parse().map_err(|_| format!("a listener needs an address, but `{host}` is a name"))?
        }
        _ => Ipv4Addr::UNSPECIFIED.into(),
    };
    Ok(Srt { caller_of: (!listen).then(|| host.to_owned()), bind, port, latency, stream_id, passphrase })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_source_is_read() {
        let test = |width, height, num, den, seconds| {
            Location::Test(TestSource { width, height, rate: FrameRate::new(num, den).unwrap(), seconds })
        };
        let srt = |caller_of: Option<&str>, port| Srt {
            caller_of: caller_of.map(str::to_owned),
            bind: Ipv4Addr::UNSPECIFIED.into(),
            port,
            latency: None,
            stream_id: None,
            passphrase: None,
        };
        let file = |path: &str, repeat| Location::File { path: path.into(), repeat };
        let udp = |address: &str, port| Location::Udp { address: address.parse().unwrap(), port };
        for (uri, location) in [
            ("test:", test(1280, 720, 30, 1, None)),
            ("test:?size=1920x1080&rate=30000/1001&seconds=5", test(1920, 1080, 30000, 1001, Some(5))),
            ("file:clip.mp4", file("clip.mp4", false)),
            ("file:a b/what?.ts?loop", file("a b/what?.ts", true)),
            ("file:///media/clip.mp4", file("/media/clip.mp4", false)),
            ("https://example.org/a.mp4?b=c", Location::Http("https://example.org/a.mp4?b=c".into())),
            ("rtsp://user:pw@cam:554/1", Location::Rtsp("rtsp://user:pw@cam:554/1".into())),
            ("srt://:9000", Location::Srt(srt(None, 9000))),
            ("srt://example.org:9000", Location::Srt(srt(Some("example.org"), 9000))),
            ("srt://[2001:db8::1]:9000", Location::Srt(srt(Some("2001:db8::1"), 9000))),
            (
                "srt://127.0.0.1:9000?mode=listener&latency=80&streamid=a",
                Location::Srt(Srt {
                    bind: "127.0.0.1".parse().unwrap(),
                    latency: Some(80),
                    stream_id: Some("a".into()),
                    ..srt(None, 9000)
                }),
            ),
            ("udp://239.1.1.1:5000", udp("239.1.1.1", 5000)),
            ("udp://@:5000", udp("0.0.0.0", 5000)),
            ("udp://[ff02::1]:5000", udp("ff02::1", 5000)),
        ] {
            assert_eq!(parse(uri), Ok(location), "{uri}");
        }
    }

    #[test]
    fn a_wrong_uri_is_told_what_would_be_right() {
        for (uri, message) in [
            (
                "clip.mp4",
                "source `clip.mp4` has no scheme: use test:, file:PATH, http://, https://, srt://, rtsp:// or udp://",
            ),
            ("/media/a:b.mp4", "has no scheme"),
            ("ftp://a/b", "scheme `ftp` is not supported: use test:, file:PATH"),
            ("rtmp://a/b", "RTMP is not supported; let OBS or the encoder send SRT to `srt://:PORT` instead"),
            (
                "test:?size=99x100",
                "size is `99x100`, but must be WIDTHxHEIGHT, both even, 64x64 to 4096x2304",
            ),
            ("test:?rate=120", "rate is `120`, but must be like 25 or 30000/1001, from 1 to 60"),
            ("test:?colour=red", "unknown option `colour`; test: knows size, rate and seconds"),
            ("test:pattern", "`test:` takes no path"),
            ("file:", "`file:` needs a path, as in file:clip.mp4"),
            ("http:///a.mp4", "the host is missing"),
            ("rtsp:cam", "`//HOST` is missing behind the scheme"),
            ("srt://host", "the port is missing, as in `:9000`"),
            ("srt://:0", "the port must be a number from 1 to 65535"),
            ("srt://:9000?mode=caller", "a caller needs a host to call"),
            ("srt://host:9000?mode=rendezvous", "mode is `rendezvous`, but must be caller or listener"),
            ("srt://:9000?passphrase=short", "the passphrase must have 10 to 79 characters"),
            ("udp://example.org:5000", "`example.org` is not an address"),
            ("udp://0.0.0.0:5000?pkt_size=1316", "unknown option `pkt_size`; udp: has none"),
        ] {
            let error = parse(uri).unwrap_err().to_string();
            assert!(error.contains(message), "{uri}: {error}");
        }
    }

    #[test]
    fn no_path_and_no_link_leads_out_of_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir(&root).unwrap();
        std::fs::write(root.join("in.mp4"), "").unwrap();
        std::fs::write(dir.path().join("out.mp4"), "").unwrap();
        std::os::unix::fs::symlink(dir.path().join("out.mp4"), root.join("link.mp4")).unwrap();
        let inside = |path: &str| resolve(Path::new(path), Some(&root)).unwrap().is_some();
        assert!(inside("in.mp4") && inside(root.join("in.mp4").to_str().unwrap()));
        assert!(!inside("../out.mp4") && !inside("link.mp4") && !inside("/etc/passwd"));
        assert!(resolve(Path::new("absent.mp4"), Some(&root)).is_err());
    }
}
