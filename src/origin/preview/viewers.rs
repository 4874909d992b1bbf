//! How many may watch over WebSockets.

use crate::{metrics, origin::refusal::Refusal};

/// How many may watch at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// All channels together.
    pub all: usize,
    /// One channel.
    pub of_channel: usize,
}

/// Counts who watches. Cloning is cheap and counts the same.
#[derive(Clone, Debug)]
pub struct Viewers {
    limits: Limits,
    metrics: metrics::Viewing,
}

/// The place of one viewer, until this is dropped.
#[derive(Debug)]
pub struct Place {
    all: metrics::Viewing,
    /// What is measured of the channel's viewers.
    pub(super) metrics: metrics::Viewers,
    /// The channel, for the log.
    pub(super) channel: String,
}

impl Viewers {
    /// None yet; they are counted in `metrics`, which nobody else does.
    pub fn new(limits: Limits, metrics: metrics::Viewing) -> Self {
        Self { limits, metrics }
    }

    /// Counts a viewer of `channel`, which has to exist, in.
    ///
    /// # Errors
    /// [`Refusal::TooManyViewers`].
    pub(super) fn enter(&self, channel: &str) -> Result<Place, Refusal> {
        let metrics = self.metrics.of(channel);
        // Counted before it is looked at: two that come at once cannot both take the last place.
        let (all, of_channel) = (self.metrics.enter(), metrics.enter());
        let place = Place { all: self.metrics.clone(), metrics, channel: channel.to_owned() };
        let over = |count: i64, limit: usize| usize::try_from(count).unwrap_or_default() >= limit;
        if over(all, self.limits.all) || over(of_channel, self.limits.of_channel) {
            return Err(Refusal::TooManyViewers);
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.leave();
        self.metrics.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_or_is_refused_makes_room() {
        let viewers = Viewers::new(Limits { all: 3, of_channel: 2 }, metrics::Viewing::default());
        let first = viewers.enter("a").unwrap();
        let second = viewers.enter("a").unwrap();
        assert_eq!(viewers.enter("a").unwrap_err(), Refusal::TooManyViewers);
        let third = viewers.enter("b").unwrap();
        assert_eq!(viewers.enter("b").unwrap_err(), Refusal::TooManyViewers);
        drop(first);
        drop((second, third, viewers.enter("a").unwrap()));
        assert_eq!(viewers.metrics.enter(), 0);
    }
}
