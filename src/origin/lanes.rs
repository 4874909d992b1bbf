//! One runtime for each core, with one thread each: a connection stays where it was begun, so that nothing of it moves
//! between cores and no other core has to be woken for it.
//!
//! Connections are dealt out by one listener, to the lane that has the fewest. With a listener of its own for each
//! (SO_REUSEPORT), the system would deal them by hash, of which a CDN's few long connections may end on one core; the
//! connections that wait in a closed listener would be lost at a restart; and a second server on the same port would
//! take half of the viewers instead of being told that the port is in use.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The runtimes, until this is dropped.
#[derive(Debug)]
pub struct Lanes {
    lanes: Vec<Lane>,
    _stop: DropGuard,
}

#[derive(Debug)]
struct Lane {
    handle: Handle,
    connections: Arc<AtomicUsize>,
}

/// A connection's place on a lane.
#[derive(Debug)]
pub(super) struct OnLane(Arc<AtomicUsize>);

impl Lanes {
    /// Starts as many as the machine, or the share of it that this process may use, has cores.
    ///
    /// # Errors
    /// When the system gives no thread or no descriptors.
    pub fn start() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, usize::from);
        let stop = CancellationToken::new();
        let lanes = (0..count).map(|index| Lane::start(index, stop.clone())).collect::<io::Result<_>>()?;
        Ok(Self { lanes, _stop: stop.drop_guard() })
    }

    /// The lane with the fewest connections, which has one more until the guard is dropped.
    pub(super) fn join(&self) -> Option<(&Handle, OnLane)> {
        let lane = self.lanes.iter().min_by_key(|lane| lane.connections.load(Ordering::Relaxed))?;
        lane.connections.fetch_add(1, Ordering::Relaxed);
        Some((&lane.handle, OnLane(lane.connections.clone())))
    }
}

impl Lane {
    fn start(index: usize, stop: CancellationToken) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        thread::Builder::new()
            .name(format!("lane-{index}"))
            .spawn(move || runtime.block_on(stop.cancelled()))?;
        Ok(Self { handle, connections: Arc::default() })
    }
}

impl Drop for OnLane {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
