//! Whether the system let a process run when it wanted to: on a machine that others use as well, figures of time mean
//! little without it.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use headwater::clock;

/// How often a witness wants to run.
const TICK: Duration = Duration::from_millis(5);

/// A thread that only ever sleeps, and sees how late it is woken.
#[derive(Clone, Debug)]
pub(crate) struct Witness(Arc<AtomicU64>);

impl Witness {
    /// Sees until it is dropped. It runs where the thread runs that starts it.
    pub(crate) fn start() -> io::Result<Self> {
        let witness = Self(Arc::default());
        let latest = Arc::downgrade(&witness.0);
        thread::Builder::new().name("witness".into()).spawn(move || {
            loop {
                let before = clock::now();
                thread::sleep(TICK);
                let late = clock::now().saturating_duration_since(before).saturating_sub(TICK);
                let Some(latest) = latest.upgrade() else { return };
                latest.fetch_max(late.as_millis() as u64, Ordering::Relaxed);
            }
        })?;
        Ok(witness)
    }

    /// Milliseconds by which it was late at most.
    pub(crate) fn held_up_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
