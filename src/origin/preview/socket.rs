//! The WebSocket of a viewer: what is sent is shared and not copied, and no more of it waits in the system than goes out
//! soon.

use std::{future::poll_fn, pin::Pin, task::Poll, time::Duration};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use socket2::SockRef;
use tokio::time::timeout;
use tokio_websockets::{CloseCode, Config, Error, Limits, Message, ServerBuilder, WebSocketStream};

use crate::origin::connection::Transport;

/// Bytes of a viewer's message.
const LONGEST_MESSAGE: usize = 4 << 10;
/// Bytes of a reason to close: what a control frame has room for behind the code (RFC 6455 5.5).
const LONGEST_REASON: usize = 123;
/// Bytes that the system holds and has not sent at most: a viewer's place in the stream should be ours to decide.
const UNSENT: u32 = 16 << 10;
/// How long a viewer may take to hear that it is over.
const FAREWELL: Duration = Duration::from_secs(2);

/// A viewer's WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    stream: WebSocketStream<Transport>,
    /// True while something that was queued has not been handed to the system whole.
    pending: bool,
}

/// What happens on it.
#[derive(Debug)]
pub(super) enum Event {
    /// All that was queued has been handed to the system.
    Sent,
    /// A binary message.
    Message(Bytes),
    /// A text message.
    Text,
    /// The answer to a ping.
    Pong,
    /// The peer has asked whether we are there, and has been answered.
    Ping,
    /// The peer closes, and is to be answered.
    Closed,
    /// The connection broke.
    Gone,
    /// The peer broke the protocol and has been told so.
    Broken(Error),
}

impl Socket {
    pub(super) fn new(stream: Transport) -> Self {
        if let Err(error) = SockRef::from(stream.socket()).set_tcp_notsent_lowat(UNSENT) {
            tracing::debug!(%error, "TCP_NOTSENT_LOWAT is not set");
        }
        // One message is one frame, and when it is sent is decided here.
        let config = Config::default().frame_size(usize::MAX).flush_threshold(usize::MAX);
        let limits = Limits::default().max_payload_len(Some(LONGEST_MESSAGE));
        Self { stream: ServerBuilder::new().config(config).limits(limits).serve(stream), pending: false }
    }

    /// True if more may be queued.
    pub(super) fn is_idle(&self) -> bool {
        !self.pending
    }

    /// Queues a binary message behind what is queued already.
    pub(super) fn queue(&mut self, frame: Bytes) {
        self.put(Message::binary(frame));
    }

    /// Asks whether the peer is there.
    pub(super) fn ping(&mut self) {
        self.put(Message::ping(Bytes::new()));
    }

    fn put(&mut self, message: Message) {
        // Fails only after a close, and then nobody wants it.
        self.pending |= Pin::new(&mut self.stream).start_send(message).is_ok();
    }

    /// The next thing that happens, while what is queued is sent. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Event {
        poll_fn(|context| {
            if self.pending {
                match Pin::new(&mut self.stream).poll_flush(context) {
                    Poll::Ready(Ok(())) => {
                        self.pending = false;
                        return Poll::Ready(Event::Sent);
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(Event::Gone),
                    Poll::Pending => {}
                }
            }
            Pin::new(&mut self.stream).poll_next(context).map(event)
        })
        .await
    }

    /// Says why it is over, and waits a moment for the peer to hear it.
    pub(super) async fn close(mut self, code: u16, reason: &str) {
        if let Ok(code) = CloseCode::try_from(code) {
            let reason = &reason[..reason.floor_char_boundary(LONGEST_REASON)];
            self.put(Message::close(Some(code), reason));
        }
        self.finish().await;
    }

    /// Sends what is queued and waits a moment for the peer to leave.
    pub(super) async fn finish(mut self) {
        let left = poll_fn(|context| Pin::new(&mut self.stream).poll_close(context));
        // A peer that does not listen is left without a word.
        let _ = timeout(FAREWELL, left).await;
    }
}

fn event(next: Option<Result<Message, Error>>) -> Event {
    match next {
        Some(Ok(message)) if message.is_binary() => Event::Message(message.into_payload().into()),
        Some(Ok(message)) if message.is_text() => Event::Text,
        Some(Ok(message)) if message.is_close() => Event::Closed,
        Some(Ok(message)) if message.is_pong() => Event::Pong,
        Some(Ok(_)) => Event::Ping,
        Some(Err(error @ (Error::Protocol(_) | Error::PayloadTooLong { .. }))) => Event::Broken(error),
        Some(Err(_)) | None => Event::Gone,
    }
}
