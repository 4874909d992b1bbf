//! The end of an HTTP/2 connection.
//!
//! A socket that is closed while there are bytes in it that nobody has read, or to which more come, is reset (RFC 1122
//! 4.2.2.13), and what was still on its way to the client is lost. Clients of HTTP/2 always have something to say: what they
//! have taken, pings. So after its own end the server reads until the client's (RFC 9112 9.6 has the same of HTTP/1.1, where
//! clients that wait for a response say nothing).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

/// A client that says nothing for so long has all that was sent, or is gone.
const QUIET: Duration = Duration::from_secs(1);
/// One that goes on and on is read for so long.
const LONGEST: Duration = Duration::from_secs(5);
/// Read at once; what it is does not matter.
const SCRATCH: usize = 1 << 10;

/// A stream whose shutdown waits for the other side's.
pub(super) struct Linger<S> {
    stream: S,
    /// Set once `stream` is shut down.
    left: Option<Left>,
}

struct Left {
    quiet: Pin<Box<Sleep>>,
    over: Instant,
}

impl Left {
    fn new() -> Self {
        Self { quiet: Box::pin(sleep(QUIET)), over: Instant::now() + LONGEST }
    }

    fn heard(&mut self) {
        self.quiet.as_mut().reset((Instant::now() + QUIET).min(self.over));
    }
}

impl<S> Linger<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, left: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Linger<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, left } = self.get_mut();
        if left.is_none() {
            ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
        }
        let left = left.get_or_insert_with(Left::new);
        loop {
            let mut scratch = [0; SCRATCH];
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && Instant::now() < left.over => {
                    left.heard()
                }
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return left.quiet.as_mut().poll(cx).map(Ok),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, duplex},
        net::{TcpListener, TcpStream},
        time::timeout,
    };

    use super::*;

    const LENGTH: usize = 1 << 20;

    #[tokio::test]
    async fn a_client_that_speaks_to_the_end_gets_all() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let server = tokio::spawn(async move {
            let mut server = Linger::new(stream);
            server.write_all(&vec![7; LENGTH]).await.unwrap();
            server.shutdown().await.unwrap();
        });
        let mut received = 0;
        let mut bytes = vec![0; LENGTH / 64];
        loop {
            client.write_all(b"I have it").await.unwrap();
            match timeout(Duration::from_secs(10), client.read(&mut bytes)).await.unwrap().unwrap() {
                0 => break,
                length => received += length,
            }
            sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(received, LENGTH);
        drop(client);
        timeout(Duration::from_secs(10), server).await.unwrap().unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_waited_for_who_says_nothing_or_goes_on_and_on() {
        let (stream, _silent) = duplex(64);
        let began = Instant::now();
        Linger::new(stream).shutdown().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), QUIET.as_secs());

        let (stream, mut client) = duplex(64);
        tokio::spawn(async move {
            while client.write_all(b"and").await.is_ok() {
                sleep(QUIET / 2).await;
            }
        });
        let began = Instant::now();
        Linger::new(stream).shutdown().await.unwrap();
        assert_eq!(began.elapsed().as_secs(), LONGEST.as_secs());
    }
}
