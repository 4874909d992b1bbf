//! How long a packager may publish: until a while after it last wrote the record, as long as nobody can have taken over.

use std::{
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::Terms;
use crate::{clock, store::Store};

/// What all who write for a channel know. Cloning gives the same.
#[derive(Clone, Debug)]
pub(in crate::channel) struct Tenure {
    terms: Terms,
    /// How long a write of the record may take altogether.
    budget: Duration,
    /// As who is active may write to it, once that is so.
    store: Arc<OnceLock<Store>>,
    /// Until when nobody takes over; `None` once somebody has.
    until: watch::Sender<Option<Instant>>,
    shown: Arc<Mutex<Shown>>,
}

/// What readers are shown although it has run out.
#[derive(Debug, Default)]
struct Shown {
    /// The store has failed, so nobody can have taken over: until then.
    failing_until: Option<Instant>,
    /// Since when it is waited for what the store says.
    held: Option<Instant>,
    /// When it was last asked.
    asked: Option<Instant>,
}

/// Above its budget, by so much a write that is not held up may take.
const SPARE: Duration = Duration::from_millis(500);

impl Tenure {
    /// Of who has written a record to `store` that was `asked` for then.
    pub(super) fn new(terms: Terms, store: Store, asked: Instant) -> Self {
        let tenure = Self::ahead(terms, store.effort().budget, asked);
        tenure.begin(store, asked);
        tenure
    }

    /// Of who has written nothing yet, as the store takes nothing `now`, and whose writes may take `budget`.
    pub(super) fn ahead(terms: Terms, budget: Duration, now: Instant) -> Self {
        let until = watch::channel(Some(now)).0;
        let tenure = Self { terms, budget, store: Arc::default(), until, shown: Arc::default() };
        tenure.fail(now, now);
        tenure
    }

    /// The first record was written to `store`, which was `asked` for then.
    pub(super) fn begin(&self, store: Store, asked: Instant) {
        // Who has gone ahead has none before, and all others begin with it.
        let _ = self.store.set(store);
        self.confirm(asked);
    }

    /// The record was written, which was `asked` for then.
    pub(super) fn confirm(&self, asked: Instant) {
        self.until.send_if_modified(|until| {
            until.is_some() && until.replace(asked + self.terms.lease) != Some(asked + self.terms.lease)
        });
    }

    /// The store has failed to take a record that was `asked` for then. That says something unless it took so long that
    /// this process was stopped in the meantime.
    pub(super) fn fail(&self, asked: Instant, now: Instant) {
        if now.saturating_duration_since(asked) <= self.budget + SPARE {
            self.shown(|shown| shown.failing_until = Some(now + self.terms.lease));
        }
    }

    /// Somebody has taken over.
    pub(in crate::channel) fn lose(&self) {
        self.until.send_replace(None);
    }

    /// When a record is to be written at the latest, although nothing is new; `None` once somebody has taken over.
    pub(in crate::channel) fn due(&self) -> Option<Instant> {
        (*self.until.borrow()).and_then(|until| (until + self.terms.beat).checked_sub(self.terms.lease))
    }

    /// True once somebody has taken over.
    pub(in crate::channel) fn is_lost(&self) -> bool {
        self.until.borrow().is_none()
    }

    /// True if something may be written now.
    pub(in crate::channel) fn is_held(&self) -> bool {
        self.holds(clock::now())
    }

    /// True if something may be written at `now`.
    fn holds(&self, now: Instant) -> bool {
        self.until.borrow().is_some_and(|until| now < until)
    }

    /// The store, as soon as something may be written to it that has no conditions: never if somebody has taken over.
    pub(in crate::channel) async fn permit(&self) -> Store {
        let mut until = self.until.subscribe();
        loop {
            if let Some(store) = self.store.get().filter(|_| self.holds(clock::now())) {
                return store.clone();
            }
            if until.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// True if readers may be told at `now` of what is new. A process that was stopped does not know whether it was
    /// succeeded, and asks first; while the store fails, nobody can have taken over.
    pub(in crate::channel) fn may_show(&self, now: Instant) -> bool {
        if self.is_lost() {
            return false;
        }
        let holds = self.holds(now);
        self.shown(|shown| {
            let asked = shown.asked.replace(now);
            if holds || shown.failing_until.is_some_and(|until| now < until) {
                shown.held = None;
                return true;
            }
            let stopped = asked.is_some_and(|asked| now.saturating_duration_since(asked) > self.terms.lease);
            let held = *if stopped { shown.held.insert(now) } else { shown.held.get_or_insert(now) };
            now.saturating_duration_since(held) > self.budget + SPARE
        })
    }

    fn shown<T>(&self, act: impl FnOnce(&mut Shown) -> T) -> T {
        act(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
