//! One waiting player: a connection on which the next thing is asked for as soon as the last has come.

use std::{
    cell::{Cell, RefCell},
    fmt, io,
    net::SocketAddr,
    rc::Rc,
};

use thiserror::Error;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::{
    clock,
    reply::{self, Reply},
};

/// A part of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Position {
    /// Number of its segment.
    pub(crate) segment: u64,
    /// Its index there.
    pub(crate) part: u32,
}

/// What players ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Target {
    /// The media playlist that lists the next part (`_HLS_msn`, `_HLS_part`).
    Playlist,
    /// The next part itself, as a player does that follows EXT-X-PRELOAD-HINT.
    Part,
    /// The open segment, chunk by chunk, as a low-latency DASH player does.
    Segment,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Playlist => "playlist",
            Self::Part => "part",
            Self::Segment => "segment",
        })
    }
}

/// What all players of a run have in common.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The server, or a cache in front of it.
    pub(crate) address: SocketAddr,
    /// `/live/{channel}/{track}`
    pub(crate) base: String,
    pub(crate) target: Target,
    /// Ask for gzip.
    pub(crate) gzip: bool,
    /// Parts that a segment has.
    pub(crate) parts: u32,
    /// No request is begun after this moment of [`clock::nanos`].
    pub(crate) until: Rc<Cell<u64>>,
}

/// What a browser sends besides, as the server has to read and may have to keep it.
pub(crate) const FIELDS: &str = "Connection: keep-alive\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n\
    sec-ch-ua: \"Chromium\";v=\"140\", \"Not=A?Brand\";v=\"24\", \"Google Chrome\";v=\"140\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    Accept: */*\r\n\
    Origin: https://player.example.com\r\n\
    Sec-Fetch-Site: cross-site\r\n\
    Sec-Fetch-Mode: cors\r\n\
    Sec-Fetch-Dest: empty\r\n\
    Referer: https://player.example.com/\r\n\
    Accept-Language: en-GB,en-US;q=0.9,en;q=0.8\r\n";

impl Plan {
    fn request(&self, at: Position) -> String {
        let Position { segment, part } = at;
        let file = match self.target {
            Target::Playlist => format!("index.m3u8?_HLS_msn={segment}&_HLS_part={part}"),
            Target::Part => format!("{segment}.{part}.m4s"),
            Target::Segment => format!("{segment}.m4s"),
        };
        let coding = if self.gzip { "gzip, deflate" } else { "identity" };
        let Self { base, address, .. } = self;
        format!("GET {base}/{file} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: {coding}\r\n{FIELDS}\r\n")
    }

    /// What is asked for after `at`.
    pub(crate) fn next(&self, at: Position) -> Position {
        let last = self.target == Target::Segment || at.part + 1 >= self.parts;
        if last {
            Position { segment: at.segment + 1, part: 0 }
        } else {
            Position { part: at.part + 1, ..at }
        }
    }
}

/// Something has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// What was asked for.
    pub(crate) asked: Position,
    /// Bytes of its body so far: for a playlist or a part all of them.
    pub(crate) bytes: u64,
    /// When, as [`clock::nanos`].
    pub(crate) at: u64,
}

/// Why a player gave up.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// It was closed in the middle.
    #[error("the connection was closed before the reply had ended")]
    Closed,
    /// It was refused.
    #[error("answered with status {0}")]
    Status(u16),
    /// It is no HTTP.
    #[error(transparent)]
    Reply(#[from] reply::Error),
}

/// Bytes that a read takes at most.
const READ: usize = 64 << 10;

thread_local! {
    // All players of a thread read into the same place: what they read is only counted.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// Asks for one thing after another, from `first` on, and notes when each came.
pub(crate) async fn play(
    mut stream: TcpStream,
    plan: Rc<Plan>,
    first: Position,
) -> (Vec<Receipt>, Result<(), Error>) {
    let mut receipts = Vec::new();
    let mut asked = first;
    while clock::nanos() < plan.until.get() {
        if let Err(error) = fetch(&mut stream, &plan, asked, &mut receipts).await {
            return (receipts, Err(error));
        }
        asked = plan.next(asked);
    }
    (receipts, Ok(()))
}

async fn fetch(
    stream: &mut TcpStream,
    plan: &Plan,
    asked: Position,
    receipts: &mut Vec<Receipt>,
) -> Result<(), Error> {
    let mut before = 0;
    get(stream, &plan.request(asked), |reply, at| {
        let noteworthy = match plan.target {
            Target::Segment => reply.body > before,
            Target::Playlist | Target::Part => reply.ended(),
        };
        before = reply.body;
        if noteworthy {
            receipts.push(Receipt { asked, bytes: reply.body, at });
        }
    })
    .await
}

/// Sends a request and reads its reply to the end; `read` is told after each read, and when it was.
pub(crate) async fn get(
    stream: &mut TcpStream,
    request: &str,
    mut read: impl FnMut(&Reply, u64),
) -> Result<(), Error> {
    stream.write_all(request.as_bytes()).await?;
    let mut reply = Reply::default();
    while !reply.ended() {
        stream.readable().await?;
        let outcome = SCRATCH.with_borrow_mut(|scratch| match stream.try_read(scratch) {
            Ok(0) => Err(Error::Closed),
            Ok(length) => Ok(reply.feed(&scratch[..length])?),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error.into()),
        });
        let at = clock::nanos();
        outcome?;
        if reply.status > 299 {
            return Err(Error::Status(reply.status));
        }
        read(&reply, at);
    }
    Ok(())
}
