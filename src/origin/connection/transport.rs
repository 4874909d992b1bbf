//! What a connection's bytes go over.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustix::{
    fs::sendfile,
    net::{SendAncillaryBuffer, SendFlags, sendmsg},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, Interest, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

use crate::pages::{self, Place};

/// Below, copying costs less than another call.
const WORTH_A_CALL: usize = 32 << 10;
/// Bytes that are copied together on the stack: a head with a playlist.
const FLAT: usize = 4 << 10;

/// TCP, or TLS over it.
#[derive(Debug)]
pub enum Transport {
    /// As it is.
    Plain(TcpStream),
    /// Boxed, so that connections without it do not pay for its kilobyte.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Transport {
    /// The socket below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// Sends as much of `pieces` as goes at once, those that lie in a memory file without copying them.
fn poll_send(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    pieces: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let length: usize = pieces.iter().map(|piece| piece.len()).sum();
    if length <= FLAT {
        return poll_write_flat(stream, cx, pieces);
    }
    let Some((before, place)) = first_in_file(pieces) else {
        return Pin::new(stream).poll_write_vectored(cx, pieces);
    };
    loop {
        ready!(stream.poll_write_ready(cx))?;
        let sent = stream.try_io(Interest::WRITABLE, || send(stream, pieces, before, &place));
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return Poll::Ready(sent),
        }
    }
}

/// A head and a small body in one piece, which costs the system less than two.
fn poll_write_flat(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    pieces: &[io::IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let (mut bytes, mut length) = ([0; FLAT], 0);
    for piece in pieces {
        bytes[length..length + piece.len()].copy_from_slice(piece);
        length += piece.len();
    }
    Pin::new(stream).poll_write(cx, &bytes[..length])
}

/// How many pieces there are before the first that lies in a memory file, and where that is.
fn first_in_file(pieces: &[io::IoSlice<'_>]) -> Option<(usize, Place)> {
    let large = pieces.iter().enumerate().filter(|(_, piece)| piece.len() >= WORTH_A_CALL);
    large.map(|(index, piece)| Some((index, pages::find(piece)?))).find_map(|found| found)
}

fn send(stream: &TcpStream, pieces: &[io::IoSlice<'_>], before: usize, place: &Place) -> io::Result<usize> {
    let sent = match before {
        0 => sendfile(stream, place.file(), Some(&mut place.offset.clone()), pieces[0].len()),
        // The head waits for the body, and does not get a packet of its own.
        _ => sendmsg(
            stream,
            &pieces[..before],
            &mut SendAncillaryBuffer::default(),
            SendFlags::MORE | SendFlags::NOSIGNAL,
        ),
    };
    Ok(sent?)
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => poll_send(stream, cx, pieces),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use bytes::{Buf, Bytes};
    use tokio::{io::AsyncReadExt, net::TcpListener};

    use super::*;
    use crate::pages::Arena;

    fn pattern(length: usize, seed: usize) -> Bytes {
        (0..length).map(|index| (index * 31 + index / 251 + seed) as u8).collect()
    }

    /// Sends `pieces` to a client that takes them in small bites, and tells how many calls that took.
    async fn sent(pieces: &[Bytes]) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut server = Transport::Plain(listener.accept().await.unwrap().0);
        let expected = pieces.concat();
        let reading = tokio::spawn(async move {
            let mut received = Vec::new();
            while client.read_buf(&mut received).await.unwrap() > 0 {
                tokio::task::yield_now().await;
            }
            received
        });
        let (mut rest, mut calls) = (pieces.to_vec(), 0);
        while !rest.is_empty() {
            let slices: Vec<_> = rest.iter().map(|piece| io::IoSlice::new(piece)).collect();
            let mut sent =
                poll_fn(|cx| Pin::new(&mut server).poll_write_vectored(cx, &slices)).await.unwrap();
            calls += 1;
            while sent > 0 {
                let taken = sent.min(rest[0].len());
                rest[0].advance(taken);
                sent -= taken;
                if rest[0].is_empty() {
                    rest.remove(0);
                }
            }
        }
        drop(server);
        assert!(reading.await.unwrap() == expected, "the bytes, in their order");
        calls
    }

    #[tokio::test]
    async fn what_lies_in_memory_files_and_what_does_not_arrives_in_order() {
        let mut arena = Arena::default();
        let mut kept = |length: usize, seed| arena.keep(&[pattern(length, seed)]);
        let head = pattern(300, 1);
        sent(&[head.clone(), kept(3_000_000, 2)]).await;
        sent(&[kept(100_000, 3).slice(5..80_000), head.clone(), kept(40_000, 4), pattern(200_000, 5)]).await;
        sent(&[head.clone(), pattern(50_000, 6), kept(10, 7), kept(500_000, 8), pattern(10, 9)]).await;
        assert_eq!(sent(&[head, kept(1_000, 10)]).await, 1, "small ones go together");
    }
}
