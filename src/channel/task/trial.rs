//! Whether the store keeps a second packager from publishing the channel: found out beside the live edge, and told.

use tokio::{sync::watch, time::sleep};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::{
    channel::{fence::Terms, status::Status},
    store::Store,
};

/// Tries until the store says, and ends with what it gives.
pub(super) fn start(store: &Store, terms: Terms, status: &watch::Sender<Status>) -> AbortOnDropHandle<()> {
    let (store, status) = (store.clone(), status.clone());
    let trial = async move {
        let unfenced = loop {
            match store.unfenced().await {
                Ok(unfenced) => break unfenced,
                Err(_) => sleep(terms.patience).await,
            }
        };
        if let Some(unfenced) = unfenced {
            tracing::warn!("{unfenced}");
            status.send_modify(|status| status.unfenced = Some(unfenced.to_string()));
        }
    };
    AbortOnDropHandle::new(tokio::spawn(trial.in_current_span()))
}
