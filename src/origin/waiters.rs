//! How many requests may wait for what is not there yet.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::refusal::Refusal;
use crate::metrics;

/// Counts the requests of a listener that wait. Cloning is cheap and counts the same.
#[derive(Clone, Debug)]
pub struct Waiters {
    all: metrics::Waiting,
    limits: Limits,
}

/// How many requests may wait at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of all connections.
    pub all: usize,
    /// Of one connection.
    pub of_connection: usize,
}

/// The requests of one connection that wait. HTTP/2 has many on one; without a limit they would use up its streams.
#[derive(Clone, Debug, Default)]
pub struct Waiting(Arc<AtomicUsize>);

/// A request that waits, until this is dropped.
#[derive(Debug)]
pub struct Waiter {
    all: metrics::Waiting,
    of_connection: Arc<AtomicUsize>,
}

impl Waiters {
    /// None yet; they are counted in `metrics`, which nobody else does.
    pub fn new(limits: Limits, metrics: metrics::Waiting) -> Self {
        Self { all: metrics, limits }
    }

    /// How many wait now.
    pub fn count(&self) -> usize {
        usize::try_from(self.all.count()).unwrap_or_default()
    }

    /// What is measured of them.
    pub fn metrics(&self) -> &metrics::Waiting {
        &self.all
    }

    /// Counts a request on `connection` in.
    ///
    /// # Errors
    /// [`Refusal::TooManyWaiters`].
    pub fn enter(&self, connection: &Waiting) -> Result<Waiter, Refusal> {
        let waiter = Waiter { all: self.all.clone(), of_connection: connection.0.clone() };
        // Counted before it is looked at: two that come at once cannot both take the last place.
        let all = usize::try_from(self.all.enter()).unwrap_or_default();
        let of_connection = connection.0.fetch_add(1, Ordering::Relaxed);
        if all >= self.limits.all || of_connection >= self.limits.of_connection {
            self.all.refuse();
            return Err(Refusal::TooManyWaiters);
        }
        Ok(waiter)
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.all.leave();
        self.of_connection.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_or_is_refused_makes_room() {
        let waiters = Waiters::new(Limits { all: 3, of_connection: 2 }, metrics::Waiting::default());
        let (one, other) = (Waiting::default(), Waiting::default());
        let first = waiters.enter(&one).unwrap();
        let second = waiters.enter(&one).unwrap();
        assert_eq!(waiters.enter(&one).unwrap_err(), Refusal::TooManyWaiters);
        let third = waiters.enter(&other).unwrap();
        assert_eq!(waiters.enter(&other).unwrap_err(), Refusal::TooManyWaiters);
        assert_eq!(waiters.count(), 3);
        drop(first);
        let fourth = waiters.enter(&other).unwrap();
        drop((second, third, fourth));
        assert_eq!(waiters.count(), 0);
    }
}
