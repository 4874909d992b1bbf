//! The socket of a connection, which hyper reads and writes while somebody else looks whether the client is there.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::patience::Activity;

/// No method of HTTP/1.1 but POST, PUT and PATCH begins as HTTP/2 does (RFC 9113 3.4).
const PREFACE: u8 = b'P';

/// True if the first byte, which is left where it is, rules HTTP/2 out.
///
/// # Errors
/// When the client is gone before it has asked for anything.
pub(super) async fn is_http1(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    match stream.peek(&mut first).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(first[0] != PREFACE),
    }
}

/// The same socket for both.
pub(super) fn shared(stream: TcpStream, activity: Arc<Activity>) -> (Socket, Lookout) {
    let stream = Arc::new(Mutex::new(stream));
    (Socket(stream.clone()), Lookout { stream, activity })
}

/// What hyper reads and writes.
#[derive(Debug)]
pub(super) struct Socket(Arc<Mutex<TcpStream>>);

/// Ends when the client of an HTTP/1.1 connection leaves while it waits for a response. hyper would notice that as well,
/// but only by reading, and for that it makes a buffer of 8 KB for every request that waits.
#[derive(Debug)]
pub(super) struct Lookout {
    stream: Arc<Mutex<TcpStream>>,
    activity: Arc<Activity>,
}

/// Both are parts of one task, so nobody ever waits for it.
fn lock(stream: &Mutex<TcpStream>) -> MutexGuard<'_, TcpStream> {
    stream.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Future for Lookout {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Between requests hyper reads.
        if !self.activity.answers() {
            return Poll::Pending;
        }
        let mut first = [0];
        match ready!(lock(&self.stream).poll_peek(cx, &mut ReadBuf::new(&mut first))) {
            Ok(0) | Err(_) => Poll::Ready(()),
            // The next request is there already: what is behind it is seen when its turn comes.
            Ok(_) => Poll::Pending,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *lock(&self.0)).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        lock(&self.0).is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *lock(&self.0)).poll_shutdown(cx)
    }
}
