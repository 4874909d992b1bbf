//! Players of two kinds: every second one follows part by part, the others whole segments.

use std::{cell::Cell, net::SocketAddr, rc::Rc, time::Duration};

use anyhow::Context;
use tokio::{net::TcpStream, task::JoinSet, time::timeout};

use super::PARTS;
use crate::{
    clock,
    player::{self, Error, FIELDS, Position},
    run::Failures,
    server,
};

/// How long all may take to connect, and to hear their last reply.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came for a player.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) what: What,
    /// The part that it was about; of a segment the last one.
    pub(super) about: Position,
    /// When its last byte came, as [`clock::nanos`].
    pub(super) at: u64,
}

/// What a player asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The playlist that lists the next part or segment, as soon as it does.
    Playlist,
    /// That part.
    Part,
    /// That segment.
    Segment,
}

/// What all players have seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) receipts: Vec<Receipt>,
    pub(super) failures: Failures,
}

/// The players of a run.
pub(super) struct Audience {
    players: JoinSet<(Vec<Receipt>, Result<(), Error>)>,
    until: Rc<Cell<u64>>,
}

impl Audience {
    /// Connects them; they begin behind `newest`.
    pub(super) async fn gather(address: SocketAddr, count: u32, newest: Position) -> anyhow::Result<Self> {
        let until = Rc::new(Cell::new(u64::MAX));
        let mut players = JoinSet::new();
        let connect = async {
            for number in 0..count {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let player = Player { address, number, until: until.clone() };
                players.spawn_local(player.play(stream, newest));
            }
            std::io::Result::Ok(())
        };
        let connected = timeout(PATIENCE, connect).await.context("connecting takes too long")?;
        connected.with_context(|| format!("cannot connect to {address}"))?;
        Ok(Self { players, until })
    }

    /// Lets them ask for nothing more after `end`, and collects what they have seen.
    pub(super) async fn leave(mut self, end: u64) -> anyhow::Result<Seen> {
        self.until.set(end);
        let mut seen = Seen::default();
        let all = async {
            while let Some(ended) = self.players.join_next().await {
                let (receipts, outcome) = ended.context("a player failed")?;
                seen.receipts.extend(receipts);
                if let Err(why) = outcome {
                    *seen.failures.entry(why.to_string()).or_default() += 1;
                }
            }
            anyhow::Ok(())
        };
        match timeout(PATIENCE, all).await {
            Ok(outcome) => outcome?,
            Err(_) => {
                seen.failures.insert("its last reply never came".into(), self.players.len());
            }
        }
        Ok(seen)
    }
}

struct Player {
    address: SocketAddr,
    number: u32,
    until: Rc<Cell<u64>>,
}

impl Player {
    async fn play(self, mut stream: TcpStream, newest: Position) -> (Vec<Receipt>, Result<(), Error>) {
        let mut receipts = Vec::new();
        let mut next = newest;
        while clock::nanos() < self.until.get() {
            next = self.next(next);
            let media = if self.by_parts() { What::Part } else { What::Segment };
            for what in [What::Playlist, media] {
                let mut at = 0;
                let read = player::get(&mut stream, &self.request(what, next), |_, now| at = now).await;
                if let Err(error) = read {
                    return (receipts, Err(error));
                }
                receipts.push(Receipt { what, about: next, at });
            }
        }
        (receipts, Ok(()))
    }

    fn by_parts(&self) -> bool {
        self.number.is_multiple_of(2)
    }

    /// The part, or the last part of the segment, behind `at`.
    fn next(&self, at: Position) -> Position {
        if self.by_parts() && at.part + 1 < PARTS {
            Position { part: at.part + 1, ..at }
        } else {
            Position { segment: at.segment + 1, part: if self.by_parts() { 0 } else { PARTS - 1 } }
        }
    }

    /// As browsers send it, with a session of its own in the query.
    fn request(&self, what: What, about: Position) -> String {
        let (Position { segment, part }, Self { address, number, .. }) = (about, self);
        let session = format!("session={number:08x}");
        let file = match what {
            What::Playlist if self.by_parts() => {
                format!("index.m3u8?{session}&_HLS_msn={segment}&_HLS_part={part}")
            }
            What::Playlist => format!("index.m3u8?_HLS_msn={segment}&{session}"),
            What::Part => format!("{segment}.{part}.m4s?{session}"),
            What::Segment => format!("{segment}.m4s?{session}"),
        };
        let base = server::base();
        format!(
            "GET {base}/{file} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: gzip, deflate, br\r\n{FIELDS}\r\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_player_goes_from_part_to_part_and_the_others_from_segment_to_segment() {
        let player = |number| Player {
            address: ([127, 0, 0, 1], 80).into(),
            number,
            until: Rc::new(Cell::new(u64::MAX)),
        };
        let at = |segment, part| Position { segment, part };
        assert_eq!(player(0).next(at(7, 1)), at(7, 2));
        assert_eq!(player(0).next(at(7, PARTS - 1)), at(8, 0));
        assert_eq!(player(1).next(at(7, 1)), at(8, PARTS - 1));
        let asks = |number, what| player(number).request(what, at(7, 2));
        assert!(asks(0, What::Playlist).contains("/index.m3u8?session=00000000&_HLS_msn=7&_HLS_part=2 "));
        assert!(asks(0, What::Part).contains("/7.2.m4s?session=00000000 "));
        assert!(asks(1, What::Playlist).contains("/index.m3u8?_HLS_msn=7&session=00000001 "));
        assert!(asks(1, What::Segment).contains("/7.m4s?session=00000001 "));
    }
}
