//! Tokens that have been found good, so that a player's many requests cost one signature.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use moka::{policy::EvictionPolicy, sync::Cache};

use super::claims::Claims;

/// How many are remembered, at some 2 KiB each at most.
const CAPACITY: u64 = 10_000;
/// How long one is remembered that nobody shows.
const IDLE: Duration = Duration::from_secs(300);

/// What good tokens say, by their hash: a token itself is kept nowhere. What is no good is not kept either, so that
/// nobody without a key can fill this.
#[derive(Clone, Debug)]
pub(super) struct Known(Cache<[u8; 32], Arc<Good>>);

#[derive(Debug)]
struct Good {
    claims: Arc<Claims>,
    /// That of the keys it was judged by.
    generation: u64,
}

impl Known {
    pub(super) fn new() -> Self {
        let cache = Cache::builder().max_capacity(CAPACITY).time_to_idle(IDLE);
        Self(cache.eviction_policy(EvictionPolicy::lru()).build())
    }

    /// What `token` says, as it was found with keys of this generation or is found by `judge` now.
    pub(super) fn get<E>(
        &self,
        token: &str,
        generation: u64,
        judge: impl FnOnce() -> Result<Claims, E>,
    ) -> Result<Arc<Claims>, E> {
        let Ok(hash) = <[u8; 32]>::try_from(digest(&SHA256, token.as_bytes()).as_ref()) else {
            return judge().map(Arc::new);
        };
        if let Some(good) = self.0.get(&hash).filter(|good| good.generation == generation) {
            return Ok(good.claims.clone());
        }
        let claims = Arc::new(judge()?);
        self.0.insert(hash, Arc::new(Good { claims: claims.clone(), generation }));
        Ok(claims)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.entry_count()
    }
}
