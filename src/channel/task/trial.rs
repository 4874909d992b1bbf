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
        let mut is_told = false;
        let unfenced = loop {
            match store.unfenced().await {
                Ok(unfenced) => break unfenced,
                // Who may write below live/ only never finds out.
                Err(error) if !std::mem::replace(&mut is_told, true) => {
                    tracing::warn!(%error, "it is not known yet whether the store keeps a second packager off");
                }
                Err(_) => {}
            }
            sleep(terms.patience).await;
        };
        if let Some(unfenced) = unfenced {
            tracing::warn!("{unfenced}");
            status.send_modify(|status| status.unfenced = Some(unfenced.to_string()));
        }
    };
    AbortOnDropHandle::new(tokio::spawn(trial.in_current_span()))
}
