//! How long a connection may be open without asking for anything.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use crate::clock;

/// How long a connection may be idle between requests, and before the first.
pub(in crate::origin) const IDLE: Duration = Duration::from_secs(75);
/// How long an HTTP/1.1 request head may take from its first byte.
const HEAD: Duration = Duration::from_secs(5);

/// Where every HTTP/2 connection starts (RFC 9113 3.4), and no method does.
const PREFACE: &[u8] = b"PRI";

/// What happens on a connection, as far as patience depends on it.
#[derive(Debug)]
pub(super) struct Activity {
    state: Mutex<State>,
    /// Shared beside the lock, because it is looked at with every byte that is read.
    waiting_for_bytes: AtomicBool,
}

#[derive(Debug)]
struct State {
    requests: usize,
    idle_since: Instant,
    head_since: Option<Instant>,
}

/// Which limit a connection has run into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RanOut {
    Idle,
    Head,
}

impl fmt::Display for RanOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "nothing was asked for too long",
            Self::Head => "a request head took too long",
        })
    }
}

impl Activity {
    pub(super) fn new() -> Self {
        let state = State { requests: 0, idle_since: clock::now(), head_since: None };
        Self { state: Mutex::new(state), waiting_for_bytes: AtomicBool::new(true) }
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.with(|state| {
            state.requests += 1;
            state.head_since = None;
        });
        InFlight(self.clone())
    }

    fn head_begins(&self) {
        if self.waiting_for_bytes.swap(false, Ordering::Relaxed) {
            self.with(|state| {
                if state.requests == 0 {
                    state.head_since = Some(clock::now());
                }
            });
        }
    }

    fn ran_out(&self, now: Instant) -> Result<RanOut, Option<Instant>> {
        self.with(|state| {
            if state.requests > 0 {
                return Err(None);
            }
            let idle = state.idle_since + IDLE;
            match state.head_since.map(|since| since + HEAD) {
                Some(head) if head <= now => Ok(RanOut::Head),
                _ if idle <= now => Ok(RanOut::Idle),
                head => Err(Some(head.map_or(idle, |head| head.min(idle)))),
            }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.with(|state| {
            state.requests -= 1;
            state.idle_since = clock::now();
        });
        self.0.waiting_for_bytes.store(true, Ordering::Relaxed);
    }
}

/// Ends when the connection has run out of patience.
pub(super) struct Patience {
    activity: Arc<Activity>,
    alarm: Pin<Box<Sleep>>,
}

impl Patience {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        Self { activity, alarm: Box::pin(tokio::time::sleep(IDLE)) }
    }
}

impl Future for Patience {
    type Output = RanOut;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<RanOut> {
        loop {
            let now = clock::now();
            let deadline = match self.activity.ran_out(now) {
                Ok(ran_out) => return Poll::Ready(ran_out),
                Err(Some(deadline)) => deadline,
                // A request that ends on another task does not wake this one: look again soon enough.
                Err(None) => now + HEAD,
            };
            // An alarm that is too early only makes us look once more; setting it anew at every poll would cost more.
            if self.alarm.is_elapsed() || deadline < self.alarm.deadline().into_std() {
                self.alarm.as_mut().reset(deadline.into());
            }
            ready!(self.alarm.as_mut().poll(cx));
        }
    }
}

/// A byte stream that tells when a request head begins.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    /// How much of HTTP/2's preface has come, while it may still be one.
    preface: Option<usize>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, preface: Some(0) }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// HTTP/2 clients send frames that ask for nothing, so there a byte does not begin a head.
    fn received(&mut self, bytes: &[u8]) {
        if let Some(seen) = self.preface.filter(|&seen| seen < PREFACE.len()) {
            let checked = bytes.len().min(PREFACE.len() - seen);
            self.preface = (bytes[..checked] == PREFACE[seen..seen + checked]).then_some(seen + checked);
        }
        match self.preface {
            Some(seen) if seen == PREFACE.len() => self.activity.with(|state| state.head_since = None),
            _ => self.activity.head_begins(),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.received(&buffer.filled()[before..]);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
