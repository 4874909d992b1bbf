//! What goes on with a connection once its response has been sent: RFC 9110 7.8, Upgrade.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::future::BoxFuture;
use hyper::upgrade::OnUpgrade;
use tokio_util::sync::CancellationToken;

use super::connection::Transport;

type Run = dyn Fn(Transport, CancellationToken) -> BoxFuture<'static, ()> + Send + Sync;

/// Goes into the extensions of a 101 response, and takes the connection over when that has been sent.
#[derive(Clone)]
pub struct Takeover(Arc<Run>);

impl Takeover {
    /// `run` speaks the other protocol until it is over, which should be soon after it is told to stop.
    pub fn new(
        run: impl Fn(Transport, CancellationToken) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(run))
    }

    /// Speaks on `stream` until it is over.
    pub(super) async fn run(&self, stream: Transport, shutdown: CancellationToken) {
        (self.0)(stream, shutdown).await;
    }
}

impl fmt::Debug for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Takeover")
    }
}

/// Where a connection's request leaves what takes the connection over.
#[derive(Clone, Debug, Default)]
pub(super) struct Slot(Arc<Mutex<Option<(OnUpgrade, Takeover)>>>);

impl Slot {
    pub(super) fn put(&self, upgrade: OnUpgrade, takeover: Takeover) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((upgrade, takeover));
    }

    pub(super) fn take(&self) -> Option<(OnUpgrade, Takeover)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
