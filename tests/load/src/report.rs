//! What a run came to, for people and for programs.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use crate::player::Target;

/// The figures of one run, or the medians of several.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) waiters: usize,
    pub(crate) target: Target,
    pub(crate) gzip: bool,
    /// Seconds that were measured.
    pub(crate) seconds: f64,
    /// Parts that were published in them.
    pub(crate) updates: usize,
    /// Replies to them (chunks, if the target is a segment), and how many never came.
    pub(crate) replies: usize,
    pub(crate) missing: usize,
    /// Replies that came before what they were about was published.
    pub(crate) early: usize,
    /// From the publication to the last byte, in milliseconds.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// Requests that reached the origin for each part.
    pub(crate) requests_an_update: f64,
    /// Share of one core that server and players used.
    pub(crate) server_cores: f64,
    pub(crate) player_cores: f64,
    /// The server's processor time for each reply, in microseconds.
    pub(crate) server_us_a_reply: f64,
    /// The server's memory before the players came and at its highest with them, in bytes.
    pub(crate) memory_before: u64,
    pub(crate) memory_highest: u64,
    /// What one player adds, in units of 1000 bytes.
    pub(crate) kilobytes_a_waiter: f64,
    /// Why players gave up, and how many.
    pub(crate) failures: BTreeMap<String, usize>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { waiters, target, seconds, updates, replies, missing, early, .. } = self;
        let gzip = if self.gzip { ", gzip" } else { "" };
        writeln!(
            f,
            "{waiters} waiters for the next {target}{gzip}, {seconds:.0} s, {updates} updates, {replies} replies"
        )?;
        writeln!(
            f,
            "  published -> last byte   p50 {:.1} ms   p99 {:.1} ms   max {:.1} ms",
            self.p50_ms, self.p99_ms, self.max_ms
        )?;
        writeln!(
            f,
            "  server                   {:.2} cores   {:.1} us a reply   {:.1} requests an update",
            self.server_cores, self.server_us_a_reply, self.requests_an_update
        )?;
        writeln!(
            f,
            "  server's memory          {:.1} MB before   {:.1} MB at most   {:.1} KB a waiter",
            self.memory_before as f64 / 1e6,
            self.memory_highest as f64 / 1e6,
            self.kilobytes_a_waiter
        )?;
        write!(f, "  players                  {:.2} cores", self.player_cores)?;
        if *missing > 0 || *early > 0 {
            write!(f, "\n  {missing} replies never came, {early} came too early")?;
        }
        for (why, count) in &self.failures {
            write!(f, "\n  {count} gave up: {why}")?;
        }
        Ok(())
    }
}

impl Report {
    /// The median of each figure; what should be nought is added up.
    pub(crate) fn median(runs: &[Self]) -> Option<Self> {
        let middle = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = runs.iter().map(figure).collect();
            figures.sort_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or_default()
        };
        let mut failures = BTreeMap::new();
        for (why, count) in runs.iter().flat_map(|run| &run.failures) {
            *failures.entry(why.clone()).or_default() += count;
        }
        Some(Self {
            seconds: middle(|run| run.seconds),
            updates: middle(|run| run.updates as f64) as usize,
            replies: middle(|run| run.replies as f64) as usize,
            missing: runs.iter().map(|run| run.missing).sum(),
            early: runs.iter().map(|run| run.early).sum(),
            p50_ms: middle(|run| run.p50_ms),
            p99_ms: middle(|run| run.p99_ms),
            max_ms: middle(|run| run.max_ms),
            requests_an_update: middle(|run| run.requests_an_update),
            server_cores: middle(|run| run.server_cores),
            player_cores: middle(|run| run.player_cores),
            server_us_a_reply: middle(|run| run.server_us_a_reply),
            memory_before: middle(|run| run.memory_before as f64) as u64,
            memory_highest: middle(|run| run.memory_highest as f64) as u64,
            kilobytes_a_waiter: middle(|run| run.kilobytes_a_waiter),
            failures,
            ..runs.first()?.clone()
        })
    }

    /// What is wrong with the run itself, whatever its figures are.
    pub(crate) fn flaw(&self) -> Option<String> {
        let Self { missing, early, failures, .. } = self;
        let gave_up: usize = failures.values().sum();
        (self.updates == 0 || *missing > 0 || *early > 0 || gave_up > 0).then(|| {
            format!(
                "{} updates, {missing} replies missing, {early} early, {gave_up} waiters gave up",
                self.updates
            )
        })
    }
}

/// The value below which `share` of `sorted` lies (nearest rank), 0 of nothing.
pub(crate) fn percentile(sorted: &[f64], share: f64) -> f64 {
    let rank = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(rank.saturating_sub(1).min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!([0.0, 0.5, 0.99, 1.0].map(|share| percentile(&hundred, share)), [1.0, 50.0, 99.0, 100.0]);
        assert_eq!((percentile(&[7.0], 0.99), percentile(&[], 0.5)), (7.0, 0.0));
    }
}
