//! What the server says.

use std::{
    io::{Read, stdin},
    os::unix::net::UnixStream,
    sync::Arc,
    thread,
};

use bytes::BytesMut;

use super::leave;
use crate::ladder::{
    outlet::Outlet,
    pipeline::KeyRequests,
    wire::{self, Control, Message},
};

/// The reading end of the connection.
#[derive(Debug)]
pub(super) struct Inlet {
    pub(super) stream: UnixStream,
    pub(super) buffer: BytesMut,
}

impl Inlet {
    /// Waits for the next message; the error says in words why there is none.
    pub(super) fn next(&mut self) -> Result<Message, String> {
        loop {
            if let Some(message) = wire::decode(&mut self.buffer).map_err(|error| error.to_string())? {
                return Ok(message);
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err("it closed the connection".into()),
                Ok(length) => self.buffer.extend_from_slice(&bytes[..length]),
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// Goes when whoever started this process goes, however that ends: the other end of the standard input is theirs.
pub(super) fn heed_parent() -> std::io::Result<()> {
    let listening = || {
        let mut bytes = [0; 256];
        while stdin().read(&mut bytes).is_ok_and(|length| length > 0) {}
        leave("who started it is gone, or wants it gone")
    };
    thread::Builder::new().name("parent".into()).spawn(listening).map(drop)
}

/// Does what the server says from now on, on a thread of its own, which works even when everything else hangs.
pub(super) fn listen(mut inlet: Inlet, outlet: Outlet, keys: Arc<KeyRequests>) -> std::io::Result<()> {
    let listening = move || loop {
        match inlet.next() {
            Ok(Message::Ping) => outlet.send(&Message::Pong),
            Ok(Message::Control(Control::ForceKey { track })) => keys.ask(track),
            Ok(Message::Control(Control::Quit)) => leave("the server has no more use for it"),
            Err(why) => leave(&format!("the server is gone: {why}")),
            Ok(_) => {}
        }
    };
    thread::Builder::new().name("wire-in".into()).spawn(listening).map(drop)
}
