//! Starts the channels, all at once: a bucket answers each of them after some ten round trips.

use std::collections::BTreeMap;

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::task::JoinHandle;

use crate::{
    channel::{self, Setup, edge::Reader},
    replica,
};

/// How many ask the store at once.
const AT_ONCE: usize = 16;

/// Those that run, by their names.
pub(super) type Started = BTreeMap<String, (Reader, JoinHandle<()>)>;

/// Packages these channels. What is kept of any of them and cannot be used is refused before the first one writes
/// anything: who is started again and again for it would else keep its standby from taking over the others.
///
/// # Errors
/// When something is kept of a channel and cannot be used.
pub(super) async fn package(setups: Vec<Setup>) -> anyhow::Result<Started> {
    let of = |name: &str| format!("channel {name}");
    let checks = setups
        .iter()
        .map(|setup| async move { channel::check(setup).await.with_context(|| of(&setup.name)) });
    stream::iter(checks).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let starts = setups.into_iter().map(|setup| async move {
        let name = setup.name.clone();
        let started = channel::start(setup).await.with_context(|| of(&name))?;
        anyhow::Ok((name, started))
    });
    stream::iter(starts).buffer_unordered(AT_ONCE).try_collect().await
}

/// Follows these channels.
pub(super) fn follow(setups: Vec<replica::Setup>) -> Started {
    setups.into_iter().map(|setup| (setup.name.clone(), replica::start(setup))).collect()
}
