//! One viewer: reads what comes, at once or at a rate, and notes how long each frame took and what it was told.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    task::ready,
    time::Duration,
};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::{TcpSocket, TcpStream},
    time::sleep,
};

use super::{
    message::{Message, Messages},
    seen::Seen,
};
use crate::clock;

/// Bytes that a read takes at most: a key frame.
const READ: usize = 64 << 10;
/// Bytes of the answer to a handshake.
const HEAD: usize = 4 << 10;
/// What the system holds for a slow viewer, so that it is the server that has to deal with it.
const SLOW_BUFFER: u32 = 8 << 10;
/// How often a slow viewer reads.
const SLOW_READS: Duration = Duration::from_millis(100);
/// A pong without payload and with a mask of zeros.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// What all viewers of a run have in common.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    /// Path and query of the WebSocket; `None` where the server writes without being asked.
    pub(crate) target: Option<String>,
    /// Frames that were made from the first to the second moment of [`clock::nanos`] count.
    pub(crate) window: Cell<(u64, u64)>,
    /// Bytes that all have received.
    pub(crate) received: Cell<u64>,
    /// Nobody is slow any more.
    pub(crate) hurry: Cell<bool>,
}

thread_local! {
    // All viewers of a thread read into the same place: what they read is only looked at.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ].into());
}

/// A viewer that is connected.
pub(crate) struct Viewer {
    stream: TcpStream,
    messages: Messages,
    plan: Rc<Plan>,
    seen: Rc<RefCell<Seen>>,
    /// Bytes a second, if it is slow.
    rate: Option<u64>,
}

impl Viewer {
    /// Connects, and is let in.
    pub(crate) async fn connect(
        plan: Rc<Plan>,
        rate: Option<u64>,
        seen: Rc<RefCell<Seen>>,
    ) -> anyhow::Result<Self> {
        let socket = if plan.address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if rate.is_some() {
            socket.set_recv_buffer_size(SLOW_BUFFER)?;
        }
        let stream = socket.connect(plan.address).await.context("cannot connect")?;
        stream.set_nodelay(true)?;
        let mut viewer = Self { stream, messages: Messages::default(), plan, seen, rate };
        if let Some(target) = viewer.plan.target.clone() {
            viewer.shake_hands(&target).await?;
        }
        Ok(viewer)
    }

    /// RFC 6455 4.1. That the server has understood the key is for its tests to find out.
    async fn shake_hands(&mut self, target: &str) -> anyhow::Result<()> {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Protocol: headwater.v1\r\n\r\n",
            self.plan.address
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            // Byte by byte, so that no message is taken for a part of it. It is short, and comes once.
            match self.stream.read_u8().await {
                Ok(byte) if head.len() < HEAD => head.push(byte),
                _ => bail!("the handshake broke off after {:?}", String::from_utf8_lossy(&head)),
            }
        }
        if !head.starts_with(b"HTTP/1.1 101 ") {
            bail!("not let in: {:?}", String::from_utf8_lossy(&head));
        }
        Ok(())
    }

    /// Watches until the server ends it.
    pub(crate) async fn watch(mut self) {
        let end = loop {
            let slow = self.rate.filter(|_| !self.plan.hurry.get());
            let read = match slow {
                Some(rate) => self.sip(rate).await,
                None => self.gulp().await,
            };
            match read {
                Ok(true) => {}
                Ok(false) => break "the server closed the connection".to_owned(),
                Err(error) => break error.to_string(),
            }
        };
        self.seen.borrow_mut().over(end);
    }

    /// Reads what there is, once there is something. False at the end.
    async fn gulp(&mut self) -> anyhow::Result<bool> {
        let length = poll_fn(|context| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
                let length = buffer.filled().len();
                take(&mut self.messages, &self.plan, &self.seen, &self.stream, buffer.filled())?;
                std::task::Poll::Ready(anyhow::Ok(length))
            })
        });
        Ok(length.await? > 0)
    }

    /// Reads no more than `rate` allows. False at the end.
    async fn sip(&mut self, rate: u64) -> anyhow::Result<bool> {
        sleep(SLOW_READS).await;
        let mut left = (rate * SLOW_READS.as_millis() as u64 / 1000).clamp(1, READ as u64) as usize;
        while left > 0 {
            let read = SCRATCH.with_borrow_mut(|scratch| {
                let length = self.stream.try_read(&mut scratch[..left])?;
                take(&mut self.messages, &self.plan, &self.seen, &self.stream, &scratch[..length])?;
                io::Result::Ok(length)
            });
            match read {
                Ok(0) => return Ok(false),
                Ok(length) => left -= length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}

fn take(
    messages: &mut Messages,
    plan: &Plan,
    seen: &RefCell<Seen>,
    stream: &TcpStream,
    bytes: &[u8],
) -> io::Result<()> {
    let now = clock::nanos();
    plan.received.set(plan.received.get() + bytes.len() as u64);
    let mut seen = seen.borrow_mut();
    let each = |message| {
        if message == Message::Ping {
            // Where there is no room for six bytes the server hears of a viewer anyway.
            let _ = stream.try_write(&PONG);
        }
        seen.take(message, now, plan.window.get());
    };
    messages.feed(bytes, each).map_err(io::Error::other)
}
