//! The server under test: a process of its own, so that its memory and processor time are its own.

use std::{net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::{mpsc, watch},
    time::timeout,
};

use crate::player::Position;

/// How long it may take to start, to answer and to stop.
const PATIENCE: Duration = Duration::from_secs(30);
/// Counts that were asked for and not yet read: one at a time.
const COUNTS: usize = 4;

/// A part that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Publication {
    pub(crate) position: Position,
    /// When readers could first have seen it, as [`crate::clock::nanos`].
    pub(crate) at: u64,
    /// Bytes of its segment up to and with it.
    pub(crate) bytes: u64,
}

/// A line that the server process writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// Connections are accepted there.
    Listening(SocketAddr),
    /// A part was published.
    Published(Publication),
    /// What has come of it until now.
    Counts(Counts),
}

/// What a server has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Counts {
    /// Requests that have reached the origin.
    pub(crate) requests: u64,
    /// Those of them for media: segments, parts and init segments.
    pub(crate) media: u64,
    /// Times that a viewer was given a lower track, and a better one again.
    pub(crate) lowered: u64,
    pub(crate) raised: u64,
    /// Times that frames were left out for a viewer.
    pub(crate) skips: u64,
    /// Viewers whose connection was closed because it was too slow.
    pub(crate) too_slow: u64,
    /// Milliseconds for which the system has kept it from running at most: see [`crate::witness`].
    pub(crate) held_up_ms: u64,
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Listening(address) => write!(f, "listening {address}"),
            Self::Counts(Counts { requests, media, lowered, raised, skips, too_slow, held_up_ms }) => {
                write!(f, "counts {requests} {media} {lowered} {raised} {skips} {too_slow} {held_up_ms}")
            }
            Self::Published(Publication { position: Position { segment, part }, at, bytes }) => {
                write!(f, "published {segment} {part} {at} {bytes}")
            }
        }
    }
}

impl Line {
    fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split(' ').collect();
        Some(match *words {
            ["listening", address] => Self::Listening(address.parse().ok()?),
            ["counts", requests, media, lowered, raised, skips, too_slow, held_up_ms] => {
                Self::Counts(Counts {
                    requests: requests.parse().ok()?,
                    media: media.parse().ok()?,
                    lowered: lowered.parse().ok()?,
                    raised: raised.parse().ok()?,
                    skips: skips.parse().ok()?,
                    too_slow: too_slow.parse().ok()?,
                    held_up_ms: held_up_ms.parse().ok()?,
                })
            }
            ["published", segment, part, at, bytes] => Self::Published(Publication {
                position: Position { segment: segment.parse().ok()?, part: part.parse().ok()? },
                at: at.parse().ok()?,
                bytes: bytes.parse().ok()?,
            }),
            _ => return None,
        })
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    stdin: ChildStdin,
    pub(crate) pid: u32,
    pub(crate) address: SocketAddr,
    counts: mpsc::Receiver<Counts>,
    published: watch::Receiver<Vec<Publication>>,
}

impl Server {
    /// Starts this program again with `arguments`, and waits until it listens.
    pub(crate) async fn start(arguments: &[String]) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the server")?;
        let (Some(stdin), Some(stdout), Some(pid)) = (child.stdin.take(), child.stdout.take(), child.id())
        else {
            bail!("the server ended at once");
        };
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.context("the server does not start")??;
        let Some(Line::Listening(address)) = first.as_deref().and_then(Line::parse) else {
            bail!("the server did not say where it listens but {first:?}");
        };
        let (count, counts) = mpsc::channel(COUNTS);
        let (publish, published) = watch::channel(Vec::new());
        tokio::task::spawn_local(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                match Line::parse(&line) {
                    Some(Line::Published(publication)) => publish.send_modify(|all| all.push(publication)),
                    Some(Line::Counts(counts)) if count.send(counts).await.is_err() => return,
                    _ => {}
                }
            }
        });
        Ok(Self { child, stdin, pid, address, counts, published })
    }

    /// All that was published so far, in order.
    pub(crate) fn published(&self) -> Vec<Publication> {
        self.published.borrow().clone()
    }

    /// Waits until `count` parts were published, and returns the last.
    pub(crate) async fn publishes(&self, count: usize) -> anyhow::Result<Publication> {
        let mut published = self.published.clone();
        let enough = published.wait_for(|all| all.len() >= count);
        let all = timeout(PATIENCE, enough)
            .await
            .context("the server publishes nothing")?
            .context("the server ended")?;
        all.last().copied().context("nothing was published")
    }

    /// What it has counted until now.
    pub(crate) async fn counts(&mut self) -> anyhow::Result<Counts> {
        self.stdin.write_all(b"counts\n").await.context("the server ended")?;
        let count = timeout(PATIENCE, self.counts.recv()).await.context("the server does not answer")?;
        count.context("the server ended")
    }

    /// Lets it go.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let Self { mut child, stdin, .. } = self;
        drop(stdin);
        let status = timeout(PATIENCE, child.wait()).await.context("the server does not stop")??;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let position = Position { segment: 933_000_000, part: 4 };
        for line in [
            Line::Listening(([127, 0, 0, 1], 8080).into()),
            Line::Published(Publication { position, at: 12_345, bytes: 1 << 33 }),
            Line::Counts(Counts {
                requests: 1,
                media: 2,
                lowered: 3,
                raised: 4,
                skips: 5,
                too_slow: 6,
                held_up_ms: 7,
            }),
        ] {
            assert_eq!(Line::parse(&line.to_string()), Some(line));
        }
        assert_eq!(Line::parse("published 1 2 3"), None);
    }
}
