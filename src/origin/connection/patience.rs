//! How long a connection may be open without asking for anything, and without taking what it has asked for.

use std::{
    collections::BTreeMap,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use crate::{clock, config::Limits};

/// After so long without a request, an HTTP/1.1 connection is no longer worth the buffers that reading and writing take.
const AWAKE: Duration = Duration::from_secs(3);
/// A client that cannot keep up is measured for this long.
const MEASURED: Duration = Duration::from_secs(30);

/// Where every HTTP/2 connection starts (RFC 9113 3.4), and no method does.
const PREFACE: &[u8] = b"PRI";

/// What happens on a connection, as far as patience depends on it.
#[derive(Debug)]
pub(super) struct Activity {
    limits: Arc<Limits>,
    state: Mutex<State>,
    /// Shared beside the lock, because it is looked at with every byte that is read.
    waiting_for_bytes: AtomicBool,
    /// Likewise, with every byte that is written: true while the client takes less than is there for it.
    blocked: AtomicBool,
}

#[derive(Debug)]
struct State {
    requests: usize,
    idle_since: Instant,
    head_since: Option<Instant>,
    /// Set while the socket takes less than is there to be sent.
    writing: Option<Writing>,
    /// Since when each response of HTTP/2 has not been asked for more of its body: its client may have closed the window.
    untaken: BTreeMap<u64, Instant>,
    /// Tells responses apart.
    answers: u64,
    rest: Rest,
}

/// Whether a connection may do without its buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Never: over HTTP/2 there is always something that the buffers are for.
    Never,
    /// Once nothing has been asked for a while.
    Soon,
    /// It does, until the next request begins.
    Resting,
}

/// How a client takes what is more than its socket holds.
#[derive(Debug)]
struct Writing {
    /// When bytes were last taken.
    progress: Instant,
    /// Since when `taken` is counted.
    since: Instant,
    taken: u64,
}

/// Which limit a connection has run into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RanOut {
    /// Only the time for which its buffers are kept.
    Awake,
    Idle,
    Head,
    Stall,
    Rate,
}

impl RanOut {
    /// Its name in the log and in metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Awake => "awake",
            Self::Idle => "idle",
            Self::Head => "slow-head",
            Self::Stall => "stalled",
            Self::Rate => "too-slow",
        }
    }
}

impl Activity {
    pub(super) fn new(limits: Arc<Limits>) -> Self {
        let state = State {
            requests: 0,
            idle_since: clock::now(),
            head_since: None,
            writing: None,
            untaken: BTreeMap::new(),
            answers: 0,
            rest: Rest::Never,
        };
        let (waiting_for_bytes, blocked) = (AtomicBool::new(true), AtomicBool::new(false));
        Self { limits, state: Mutex::new(state), waiting_for_bytes, blocked }
    }

    /// From now on the connection is told when it may rest.
    pub(super) fn let_rest(&self) {
        self.with(|state| state.rest = Rest::Soon);
    }

    /// Counts a request until the guard is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> InFlight {
        self.with(|state| {
            state.requests += 1;
            state.answers += 1;
            state.wake();
            let began = state.head_since.take().unwrap_or_else(clock::now);
            InFlight { activity: self.clone(), answer: state.answers, began }
        })
    }

    fn head_begins(&self) {
        if self.waiting_for_bytes.swap(false, Ordering::Relaxed) {
            self.with(|state| {
                if state.requests == 0 {
                    state.head_since = Some(clock::now());
                    state.wake();
                }
            });
        }
    }

    /// `offered` bytes were to be sent, and so many were `taken`; `None` if the socket is full.
    fn wrote(&self, offered: usize, taken: Option<usize>) {
        let whole = taken.is_some_and(|taken| taken >= offered);
        if !whole || self.blocked.load(Ordering::Relaxed) {
            self.wrote_at(offered, taken, clock::now());
        }
    }

    fn wrote_at(&self, offered: usize, taken: Option<usize>, now: Instant) {
        let whole = taken.is_some_and(|taken| taken >= offered);
        self.blocked.store(!whole, Ordering::Relaxed);
        self.with(|state| {
            let writing = state.writing.get_or_insert(Writing { progress: now, since: now, taken: 0 });
            if let Some(taken) = taken.filter(|&taken| taken > 0) {
                writing.progress = now;
                writing.taken += taken as u64;
            }
            if whole {
                state.writing = None;
            }
        });
    }

    /// When patience is over if nothing happens, where that can be told.
    fn deadline(&self) -> Option<Instant> {
        self.with(|state| state.deadline(&self.limits)).map(|(deadline, _)| deadline)
    }

    fn ran_out(&self, now: Instant) -> Result<RanOut, Option<Instant>> {
        self.with(|state| state.ran_out(&self.limits, now))
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Writing {
    /// Counts anew, once enough was taken for long enough.
    fn turn(&mut self, slowest: u64, now: Instant) {
        if self.taken >= slowest * MEASURED.as_secs() && self.since + MEASURED <= now {
            (self.since, self.taken) = (now, 0);
        }
    }
}

impl State {
    fn wake(&mut self) {
        if self.rest == Rest::Resting {
            self.rest = Rest::Soon;
        }
    }

    fn deadline(&self, limits: &Limits) -> Option<(Instant, RanOut)> {
        let (idle, writing) = (self.requests == 0, self.writing.as_ref());
        let stall = limits.stall_timeout;
        let awake = idle && self.head_since.is_none() && writing.is_none() && self.rest == Rest::Soon;
        let deadlines = [
            awake.then_some((self.idle_since + AWAKE, RanOut::Awake)),
            idle.then_some((self.idle_since + limits.idle_timeout, RanOut::Idle)),
            self.head_since.filter(|_| idle).map(|since| (since + limits.head_timeout, RanOut::Head)),
            writing.map(|writing| (writing.progress + stall, RanOut::Stall)),
            writing.map(|writing| (writing.since + MEASURED, RanOut::Rate)),
            self.untaken.values().min().map(|since| (*since + stall, RanOut::Stall)),
        ];
        deadlines.into_iter().flatten().min_by_key(|(deadline, _)| *deadline)
    }

    fn ran_out(&mut self, limits: &Limits, now: Instant) -> Result<RanOut, Option<Instant>> {
        self.writing.iter_mut().for_each(|writing| writing.turn(limits.slowest, now));
        match self.deadline(limits) {
            Some((deadline, ran_out)) if deadline <= now => {
                if ran_out == RanOut::Awake {
                    self.rest = Rest::Resting;
                }
                Ok(ran_out)
            }
            Some((deadline, _)) => Err(Some(deadline)),
            None => Err(None),
        }
    }
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct InFlight {
    activity: Arc<Activity>,
    answer: u64,
    began: Instant,
}

impl InFlight {
    /// When its first byte came; over HTTP/2, when it was complete.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// A piece of the body was handed over; there is more.
    pub(super) fn handed(&self) {
        self.activity.with(|state| state.untaken.insert(self.answer, clock::now()));
    }

    /// The next piece is wanted.
    pub(super) fn wanted(&self) {
        self.activity.with(|state| state.untaken.remove(&self.answer));
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.activity.with(|state| {
            state.requests -= 1;
            state.idle_since = clock::now();
            state.untaken.remove(&self.answer);
        });
        self.activity.waiting_for_bytes.store(true, Ordering::Relaxed);
    }
}

/// Ends when the connection has run out of patience.
pub(super) struct Patience {
    activity: Arc<Activity>,
    alarm: Pin<Box<Sleep>>,
}

impl Patience {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        let alarm = Box::pin(tokio::time::sleep(activity.limits.idle_timeout));
        Self { activity, alarm }
    }
}

impl Future for Patience {
    type Output = RanOut;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<RanOut> {
        // This is polled with every request. An alarm that is too early only makes us look once more; reading the clock and
        // setting it anew each time would cost more.
        let alarm = self.alarm.deadline().into_std();
        let is_early = !self.alarm.is_elapsed() && self.activity.deadline().is_none_or(|it| it >= alarm);
        if is_early {
            ready!(self.alarm.as_mut().poll(cx));
        }
        loop {
            let now = clock::now();
            let deadline = match self.activity.ran_out(now) {
                Ok(ran_out) => return Poll::Ready(ran_out),
                Err(Some(deadline)) => deadline,
                // A request that ends on another task does not wake this one: look again soon enough.
                Err(None) => now + self.activity.limits.head_timeout,
            };
            self.alarm.as_mut().reset(deadline.into());
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
    /// What was read and not used yet.
    unread: Bytes,
    /// True if the last byte was a carriage return.
    after_cr: bool,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { stream, activity, preface: Some(0), unread: Bytes::new(), after_cr: false }
    }

    pub(super) fn into_inner(self) -> S {
        self.stream
    }

    /// What it is over.
    pub(super) fn stream(&self) -> &S {
        &self.stream
    }

    /// Takes back what was read and not used, to be read again.
    pub(super) fn unread(&mut self, bytes: Bytes) {
        self.unread = bytes;
    }

    /// True if there is something to be read again.
    pub(super) fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    fn sent(&self, offered: usize, outcome: &Poll<io::Result<usize>>) {
        let taken = match outcome {
            Poll::Ready(Ok(taken)) => Some(*taken),
            Poll::Ready(Err(_)) => return,
            Poll::Pending => None,
        };
        self.activity.wrote(offered, taken);
    }

    /// HTTP/2 clients send frames that ask for nothing, so there a byte does not begin a head.
    fn received(&mut self, bytes: &mut [u8]) {
        if let Some(seen) = self.preface.filter(|&seen| seen < PREFACE.len()) {
            let checked = bytes.len().min(PREFACE.len() - seen);
            self.preface = (bytes[..checked] == PREFACE[seen..seen + checked]).then_some(seen + checked);
        }
        match self.preface {
            Some(seen) if seen == PREFACE.len() => self.activity.with(|state| state.head_since = None),
            _ => {
                self.spoil_bare_line_feeds(bytes);
                self.activity.head_begins();
            }
        }
    }

    /// Makes a line feed without its carriage return into what hyper refuses anywhere in a head. It would take it for the
    /// end of a line, and a proxy in front that does not would think otherwise of where a request ends (RFC 9112 2.2 lets
    /// us do either). There is nothing but heads: a body is refused, and the connection with it.
    fn spoil_bare_line_feeds(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            let is_bare = *byte == b'\n' && !self.after_cr;
            self.after_cr = *byte == b'\r';
            if is_bare {
                *byte = 0;
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.unread.is_empty() {
            let length = self.unread.len().min(buffer.remaining());
            let again = self.unread.split_to(length);
            buffer.put_slice(&again);
            // It has been looked at when it came.
            self.activity.head_begins();
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.received(&mut buffer.filled_mut()[before..]);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.sent(bytes.len(), &outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.sent(pieces.iter().map(|piece| piece.len()).sum(), &outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.stream).poll_flush(cx);
        // What TLS has taken is not yet with the socket.
        match outcome {
            Poll::Pending => self.activity.wrote(1, None),
            Poll::Ready(_) => self.activity.wrote(0, Some(0)),
        }
        outcome
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: usize = 1 << 20;

    /// What becomes of a client that takes `taken` bytes a second of what is there, and when, in seconds.
    fn course(taken: impl Fn(u64) -> Option<usize>) -> Option<(u64, RanOut)> {
        let activity = Arc::new(Activity::new(Arc::default()));
        let _request = activity.begin();
        let start = clock::now();
        (0..200).find_map(|second| {
            let now = start + Duration::from_secs(second);
            activity.wrote_at(OFFERED, taken(second), now);
            activity.ran_out(now).ok().map(|ran_out| (second, ran_out))
        })
    }

    #[test]
    fn who_takes_nothing_for_ten_seconds_has_had_enough() {
        assert_eq!(course(|_| None), Some((10, RanOut::Stall)));
        assert_eq!(course(|second| (second < 25).then_some(100_000)), Some((34, RanOut::Stall)));
        assert_eq!(course(|second| second.is_multiple_of(9).then_some(400_000)), None);
    }

    #[test]
    fn who_takes_too_little_is_too_slow_after_half_a_minute() {
        assert_eq!(course(|_| Some(1)), Some((30, RanOut::Rate)));
        assert_eq!(course(|_| Some(30 * 1024)), Some((30, RanOut::Rate)));
        assert_eq!(course(|_| Some(33 * 1024)), None);
        // One good half minute does not pay for the next.
        assert_eq!(course(|second| Some(if second <= 30 { 100_000 } else { 10 })), Some((60, RanOut::Rate)));
    }

    #[test]
    fn what_may_rest_does_so_between_requests_and_not_before_all_is_taken() {
        let activity = Arc::new(Activity::new(Arc::default()));
        let asleep = |after: Duration| activity.ran_out(clock::now() + after) == Ok(RanOut::Awake);
        assert!(!asleep(AWAKE), "it has not said that it can");
        activity.let_rest();
        let request = activity.begin();
        assert!(!asleep(AWAKE), "it is asked for something");
        drop(request);
        activity.wrote_at(OFFERED, Some(7), clock::now());
        assert!(!asleep(AWAKE), "something is on its way");
        activity.wrote_at(7, Some(7), clock::now());
        assert!(!asleep(AWAKE / 2) && asleep(AWAKE));
        assert!(!asleep(AWAKE), "it does already");
        drop(activity.begin());
        assert!(asleep(AWAKE), "and again behind the next request");
    }

    #[test]
    fn who_has_taken_all_is_not_measured() {
        let activity = Arc::new(Activity::new(Arc::default()));
        let _request = activity.begin();
        let start = clock::now();
        activity.wrote_at(OFFERED, Some(7), start);
        activity.wrote_at(7, Some(7), start + Duration::from_secs(1));
        assert_eq!(activity.ran_out(start + Duration::from_secs(100)), Err(None));
    }
}
