//! What fan-out costs at least: the same messages, each written to one socket after another by one thread that does
//! nothing else.

use std::{
    io::{BufRead, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use anyhow::Context;
use clap::Args;
use headwater::ladder::wire::{self, Message};

use super::message::header;
use crate::{
    child::{Counts, Line},
    cpus, encoder, server,
    witness::Witness,
};

#[derive(Debug, Args)]
pub(crate) struct WriteLoop {
    /// Where to listen.
    #[arg(long)]
    listen: SocketAddr,
    /// How many connections to wait for.
    #[arg(long)]
    count: usize,
    /// Bit/s of the video.
    #[arg(long)]
    bitrate: u32,
    /// The only processor to run on.
    #[arg(long)]
    cpu: Option<usize>,
}

/// Writes until the standard input is closed.
pub(crate) fn run(write: &WriteLoop) -> anyhow::Result<()> {
    if let Some(cpu) = write.cpu {
        cpus::pin(&[cpu])?;
    }
    let listener = TcpListener::bind(write.listen).context("cannot listen")?;
    thread::Builder::new().name("questions".into()).spawn(answer)?;
    server::say(Line::Listening(listener.local_addr()?));
    let mut streams = Vec::new();
    while streams.len() < write.count {
        let (stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        streams.push(stream);
    }
    send(&mut streams, write.bitrate)
}

fn send(streams: &mut [TcpStream], bitrate: u32) -> anyhow::Result<()> {
    let tracks = encoder::tracks(&[(encoder::VIDEO.into(), bitrate)]).context("the made-up tracks")?;
    let mut lanes = encoder::lanes(&tracks, server::grid());
    while let Some((_, lane)) = encoder::wait(&mut lanes) {
        let frame = wire::encode(&Message::Media(lane.next(false)));
        let message = [header(frame.len()), frame.into()].concat();
        for stream in &mut *streams {
            // Who leaves has seen enough; whoever measures tells if it was too early.
            let _ = stream.write_all(&message);
        }
    }
    Ok(())
}

/// Answers whoever has started this, and ends when that is gone.
fn answer() {
    let witness = Witness::start().ok();
    for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
        let held_up_ms = witness.as_ref().map_or(0, Witness::held_up_ms);
        server::say(Line::Counts(Counts { held_up_ms, ..Counts::default() }));
    }
    std::process::exit(0);
}
