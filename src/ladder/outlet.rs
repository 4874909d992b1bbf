//! The way out of the encoder process: a short queue, and a thread that writes it to the socket.

use std::{
    io::Write,
    os::unix::net::UnixStream,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use bytes::Bytes;

use super::wire::{self, Event, Message};

/// Messages that wait for the server at most. Who has more to send waits too, and the source behind it.
const QUEUE: usize = 64;

/// Sends messages to the server. All clones share one queue.
#[derive(Clone, Debug)]
pub(super) struct Outlet {
    queue: SyncSender<Outgoing>,
}

#[derive(Debug)]
enum Outgoing {
    Frame(Bytes),
    /// Tell when everything before this is written.
    Flush(SyncSender<()>),
}

impl Outlet {
    /// Writes to `stream` from now on, and calls `gone` when nobody reads any more.
    pub(super) fn new(stream: UnixStream, gone: impl FnOnce() + Send + 'static) -> std::io::Result<Self> {
        let (queue, outgoing) = sync_channel(QUEUE);
        thread::Builder::new().name("wire-out".into()).spawn(move || {
            if write(stream, &outgoing).is_err() {
                gone();
            }
        })?;
        Ok(Self { queue })
    }

    pub(super) fn send(&self, message: &Message) {
        // This fails only after `gone` was called.
        let _ = self.queue.send(Outgoing::Frame(wire::encode(message)));
    }

    pub(super) fn event(&self, event: Event) {
        self.send(&Message::Event(event));
    }

    /// Waits until all that was sent is written, for at most `deadline`.
    pub(super) fn flush(&self, deadline: Duration) {
        let (sender, written) = sync_channel(1);
        if self.queue.send(Outgoing::Flush(sender)).is_ok() {
            let _ = written.recv_timeout(deadline);
        }
    }
}

fn write(mut stream: UnixStream, outgoing: &Receiver<Outgoing>) -> std::io::Result<()> {
    for next in outgoing {
        match next {
            Outgoing::Frame(bytes) => stream.write_all(&bytes)?,
            Outgoing::Flush(written) => {
                let _ = written.try_send(());
            }
        }
    }
    Ok(())
}
