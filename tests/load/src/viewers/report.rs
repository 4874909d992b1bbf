//! What a run of viewers came to, for people and for programs.

use std::{collections::BTreeMap, fmt};

use serde::Serialize;

use super::{
    run::Task,
    seen::{Fates, Seen},
};
use crate::{child::Counts, report::percentile};

/// What was measured around the viewers.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) seconds: f64,
    /// What all viewers received.
    pub(crate) gigabits: f64,
    /// Seconds of processor time of the server.
    pub(crate) processor: f64,
    pub(crate) client_cores: f64,
    /// Bytes of the server before the viewers and at most.
    pub(crate) memory: (u64, u64),
    pub(crate) counts: Counts,
    /// Milliseconds for which the system has kept the clients from running at most.
    pub(crate) held_up_ms: u64,
    pub(crate) hls: Option<Hls>,
}

/// How long news of a playlist took to reach HLS players: 50th and 99th percentile, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Hls {
    pub(crate) players: usize,
    /// Before the viewers came, and while they watched.
    pub(crate) alone: [f64; 2],
    pub(crate) among: [f64; 2],
}

/// The figures of one run, or the medians of several.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Who sent.
    pub(crate) server: &'static str,
    pub(crate) viewers: usize,
    pub(crate) seconds: f64,
    /// Frames that came to viewers that were not slow.
    pub(crate) frames: usize,
    /// From the making of a frame to its last byte at such a viewer, in milliseconds.
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
    /// What all viewers received.
    pub(crate) gigabits: f64,
    pub(crate) server_cores: f64,
    pub(crate) cpu_seconds_a_gigabit: f64,
    pub(crate) client_cores: f64,
    pub(crate) memory_before: u64,
    pub(crate) memory_highest: u64,
    /// What a viewer adds, in units of 1000 bytes, without the system's socket buffers.
    pub(crate) kilobytes_a_viewer: f64,
    /// What has become of viewers that read at once, and of slow ones.
    pub(crate) ready: Fates,
    pub(crate) slow: Fates,
    /// What the server has counted.
    pub(crate) counts: Counts,
    /// Milliseconds for which the system has kept the server or the clients from running at most.
    pub(crate) held_up_ms: u64,
    /// Frames that did not follow the ones before, although nothing was said of it.
    pub(crate) flaws: BTreeMap<&'static str, u64>,
    /// How connections ended, and how many.
    pub(crate) ends: BTreeMap<String, usize>,
    pub(crate) hls: Option<Hls>,
}

impl Report {
    pub(crate) fn new(task: &Task, figures: &Figures, all: &[&Seen]) -> Self {
        let part = |slow: bool| {
            all.iter()
                .enumerate()
                .filter(move |&(index, _)| task.is_slow(index) == slow)
                .map(|(_, seen)| *seen)
        };
        let mut sorted_ms: Vec<f64> =
            part(false).flat_map(|seen| &seen.delays).map(|&micros| f64::from(micros) / 1e3).collect();
        sorted_ms.sort_by(f64::total_cmp);
        let mut flaws = BTreeMap::new();
        for (flaw, count) in all.iter().flat_map(|seen| &seen.gaps) {
            *flaws.entry(*flaw).or_default() += count;
        }
        let mut ends = BTreeMap::new();
        for end in all.iter().filter_map(|seen| seen.end.clone()) {
            *ends.entry(end).or_default() += 1;
        }
        let (memory_before, memory_highest) = figures.memory;
        Self {
            server: if task.headwater { "headwater" } else { "write loop" },
            viewers: task.viewers,
            seconds: figures.seconds,
            frames: sorted_ms.len(),
            p50_ms: percentile(&sorted_ms, 0.5),
            p99_ms: percentile(&sorted_ms, 0.99),
            max_ms: percentile(&sorted_ms, 1.0),
            gigabits: figures.gigabits,
            server_cores: figures.processor / figures.seconds,
            cpu_seconds_a_gigabit: figures.processor / figures.gigabits.max(1e-9),
            client_cores: figures.client_cores,
            memory_before,
            memory_highest,
            kilobytes_a_viewer: (memory_highest - memory_before) as f64 / 1e3 / task.viewers.max(1) as f64,
            ready: Fates::of(part(false)),
            slow: Fates::of(part(true)),
            counts: figures.counts,
            held_up_ms: figures.held_up_ms.max(figures.counts.held_up_ms),
            flaws,
            ends,
            hls: figures.hls,
        }
    }

    /// The median of each figure of the runs, and all else of the last one.
    pub(crate) fn median(runs: &[Self]) -> Option<Self> {
        Some(Self {
            seconds: median(runs, |run| run.seconds),
            p50_ms: median(runs, |run| run.p50_ms),
            p99_ms: median(runs, |run| run.p99_ms),
            max_ms: median(runs, |run| run.max_ms),
            held_up_ms: median(runs, |run| run.held_up_ms as f64) as u64,
            gigabits: median(runs, |run| run.gigabits),
            server_cores: median(runs, |run| run.server_cores),
            cpu_seconds_a_gigabit: median(runs, |run| run.cpu_seconds_a_gigabit),
            client_cores: median(runs, |run| run.client_cores),
            memory_highest: median(runs, |run| run.memory_highest as f64) as u64,
            kilobytes_a_viewer: median(runs, |run| run.kilobytes_a_viewer),
            ..runs.last()?.clone()
        })
    }
}

/// The median of a figure, 0 of nothing.
pub(crate) fn median<T>(runs: &[T], figure: impl Fn(&T) -> f64) -> f64 {
    let mut figures: Vec<f64> = runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, viewers, seconds, gigabits, frames, .. } = self;
        writeln!(
            f,
            "{viewers} viewers of the {server}, {seconds:.0} s, {gigabits:.2} Gbit, {frames} frames"
        )?;
        writeln!(
            f,
            "  made -> last byte   p50 {:.1} ms   p99 {:.1} ms   max {:.1} ms   (held up for {} ms)",
            self.p50_ms, self.p99_ms, self.max_ms, self.held_up_ms
        )?;
        writeln!(
            f,
            "  server              {:.2} cores   {:.3} CPU s a Gbit   (clients {:.2} cores)",
            self.server_cores, self.cpu_seconds_a_gigabit, self.client_cores
        )?;
        write!(
            f,
            "  server's memory     {:.1} MB before   {:.1} MB at most   {:.1} KB a viewer, without socket buffers",
            self.memory_before as f64 / 1e6,
            self.memory_highest as f64 / 1e6,
            self.kilobytes_a_viewer
        )?;
        for (what, fates) in [("ready", &self.ready), ("slow", &self.slow)] {
            let Fates { viewers, lowered, skipped, closed, dropped, untouched } = fates;
            if untouched < viewers {
                write!(f, "\n  of {viewers} {what} viewers   {lowered} lowered   {skipped} skipped   ")?;
                write!(f, "{closed} closed   {dropped} dropped   {untouched} untouched")?;
            }
        }
        if self.counts.lowered + self.counts.skips + self.counts.too_slow > 0 {
            write!(f, "\n  the server counted  {:?}", self.counts)?;
        }
        if let Some(Hls { players, alone, among }) = self.hls {
            write!(
                f,
                "\n  {players} HLS players       p50 {:.1} ms, p99 {:.1} ms alone; ",
                alone[0], alone[1]
            )?;
            write!(f, "p50 {:.1} ms, p99 {:.1} ms among viewers", among[0], among[1])?;
        }
        for (flaw, count) in &self.flaws {
            write!(f, "\n  {count} times {flaw}")?;
        }
        for (end, count) in &self.ends {
            write!(f, "\n  {count} ended: {end}")?;
        }
        Ok(())
    }
}
