//! Collects what HTTP/2 writes before it goes to TLS.
//!
//! hyper writes and flushes each frame by itself: a response of a few bytes costs two records of TLS and two calls, and a
//! DATA frame of 16 KB with its head is nine bytes longer than a record may be (RFC 8446 5.1). What is collected leaves
//! when there is enough of it, or when the connection's task comes round again: all responses that were ready by then go
//! together, and nothing waits for a clock.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Collected at most: four full records.
const CAPACITY: usize = 64 << 10;

/// A stream whose writes are collected.
pub(super) struct Cork<S> {
    stream: S,
    /// Empty, and without memory, while there is nothing to send.
    collected: Vec<u8>,
    /// How many of the collected bytes `stream` has taken.
    taken: usize,
    /// True while `stream` may have something that the socket has not.
    unflushed: bool,
}

impl<S> Cork<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, collected: Vec::new(), taken: 0, unflushed: false }
    }

    /// Takes of `pieces` what there is room for.
    fn collect(&mut self, pieces: &[io::IoSlice<'_>]) -> usize {
        if self.collected.capacity() == 0 {
            self.collected.reserve_exact(CAPACITY);
        }
        let before = self.collected.len();
        for piece in pieces {
            let room = CAPACITY - self.collected.len();
            self.collected.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        self.collected.len() - before
    }
}

impl<S: AsyncWrite + Unpin> Cork<S> {
    /// Sends all that is collected.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.taken < self.collected.len() {
            self.unflushed = true;
            let rest = &self.collected[self.taken..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.taken += taken,
            }
        }
        (self.collected, self.taken) = (Vec::new(), 0);
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Cork<S> {
    /// HTTP/2 reads whenever its task runs, so this is where it comes round.
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Poll::Ready(Err(error)) = self.poll_drain(cx) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cork<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.collected.len() == CAPACITY {
            ready!(self.poll_drain(cx))?;
        }
        Poll::Ready(Ok(self.collect(pieces)))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Only sees to it that the task comes round: whoever runs before it may have more to send.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.collected.is_empty() {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// Counts what reaches the stream below.
    struct Counted {
        stream: DuplexStream,
        writes: usize,
    }

    impl AsyncRead for Counted {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for Counted {
        fn poll_write(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.writes += 1;
            Pin::new(&mut self.stream).poll_write(cx, bytes)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.stream).poll_shutdown(cx)
        }
    }

    fn corked(room: usize) -> (Cork<Counted>, DuplexStream) {
        let (stream, client) = duplex(room);
        (Cork::new(Counted { stream, writes: 0 }), client)
    }

    /// As a task does that comes round.
    async fn come_round(cork: &mut Cork<Counted>) {
        let mut bytes = [0];
        let mut buffer = ReadBuf::new(&mut bytes);
        poll_fn(|cx| Poll::Ready(Pin::new(&mut *cork).poll_read(cx, &mut buffer).is_pending())).await;
    }

    #[tokio::test]
    async fn frames_that_are_flushed_one_by_one_leave_together_when_the_task_comes_round() {
        let (mut cork, mut client) = corked(1 << 20);
        for frame in ["HEADERS ", "DATA ", "HEADERS"] {
            cork.write_all(frame.as_bytes()).await.unwrap();
            cork.flush().await.unwrap();
        }
        assert_eq!(cork.stream.writes, 0);
        come_round(&mut cork).await;
        let mut received = [0; 20];
        client.read_exact(&mut received).await.unwrap();
        assert_eq!((&received[..], cork.stream.writes), (&b"HEADERS DATA HEADERS"[..], 1));
        assert_eq!(cork.collected.capacity(), 0, "what rests keeps no memory");
    }

    #[tokio::test]
    async fn a_flush_sees_to_it_that_the_task_comes_round() {
        let (mut cork, mut client) = corked(1 << 20);
        cork.write_all(b"frame").await.unwrap();
        let task = tokio::spawn(async move {
            // Polled again only because the flush has asked for it: nothing comes to be read.
            let mut polled = 0;
            poll_fn(|cx| {
                polled += 1;
                let mut bytes = [0];
                let _ = Pin::new(&mut cork).poll_flush(cx);
                if polled == 1 {
                    return Poll::Pending;
                }
                let _ = Pin::new(&mut cork).poll_read(cx, &mut ReadBuf::new(&mut bytes));
                Poll::Ready(())
            })
            .await;
            cork
        });
        let mut received = [0; 5];
        tokio::time::timeout(std::time::Duration::from_secs(10), client.read_exact(&mut received))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(&received, b"frame");
        drop(task.await.unwrap());
    }

    #[tokio::test]
    async fn more_than_it_holds_passes_through_in_order_and_the_end_comes_last() {
        let (mut cork, mut client) = corked(1000);
        let sent: Vec<u8> = (0..5 * CAPACITY + 77).map(|index| (index / 251 + index) as u8).collect();
        let expected = sent.clone();
        let reading = tokio::spawn(async move {
            let mut received = Vec::new();
            client.read_to_end(&mut received).await.unwrap();
            received
        });
        cork.write_all(&sent).await.unwrap();
        cork.shutdown().await.unwrap();
        drop(cork);
        assert!(reading.await.unwrap() == expected);
    }
}
