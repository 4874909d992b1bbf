//! What it costs to publish a part or a segment, by how much of the past is listed.

mod channel;

use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use rustix::time::{ClockId, clock_gettime};

use self::channel::Channel;
use crate::say;

/// Windows, in minutes; the first is what the others are compared with.
const WINDOWS: [(&str, u64); 4] = [("1 min", 1), ("1 h", 60), ("4 h", 240), ("24 h", 1440)];
/// Segments that are published before it counts: after a start, blocks are compressed a few at a time.
const WARMING: i64 = 40;

/// Measures the processor time that a channel of four rungs and sound needs for each part or segment that it publishes, with
/// windows of a minute to a day: in pieces, as the server does, and rendered whole for comparison.
#[derive(Debug, Args)]
pub(crate) struct Lists {
    /// How many segments are published for each figure.
    #[arg(long, default_value_t = 192, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    segments: i64,
    /// Fail if a part with a window of four hours costs more than so many times what it does with one of a minute.
    #[arg(long)]
    max_ratio: Option<f64>,
}

/// How lists are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Making {
    /// From what was made before.
    Pieces,
    /// Anew each time.
    Whole,
}

/// Microseconds of one publication: on the average, and if somebody then asks for each list with gzip.
struct Figure {
    made: f64,
    asked: f64,
}

impl Lists {
    /// Measures, and prints a table.
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        for (parts, what) in [(true, "part, low latency"), (false, "segment, no low latency")] {
            say(&format!(
                "| a {what} | µs | × 1 min | with gzip: µs | × 1 min | rendered whole: µs | with gzip: µs |"
            ))?;
            say(&"|---|---|---|---|---|---|---|")?;
            let mut first = None;
            for (name, minutes) in WINDOWS {
                let pieces = self.measure(minutes, parts, Making::Pieces, self.segments)?;
                let whole = self.measure(minutes, parts, Making::Whole, (self.segments / 96).max(1))?;
                let Figure { made, asked } = *first.get_or_insert(Figure { ..pieces });
                let (made, asked) = (pieces.made / made, pieces.asked / asked);
                say(&format!(
                    "| {name} | {:.1} | {made:.2} | {:.1} | {asked:.2} | {:.1} | {:.1} |",
                    pieces.made, pieces.asked, whole.made, whole.asked
                ))?;
                self.judge(name, parts, made)?;
            }
            say(&"")?;
        }
        Ok(())
    }

    fn judge(&self, name: &str, parts: bool, ratio: f64) -> anyhow::Result<()> {
        match self.max_ratio {
            Some(bar) if parts && name == "4 h" && ratio > bar => {
                bail!(
                    "missed: a part with a window of {name} costs {ratio:.2} times what it does with a minute's, the bar is {bar}"
                )
            }
            _ => Ok(()),
        }
    }

    fn measure(&self, minutes: u64, parts: bool, making: Making, segments: i64) -> anyhow::Result<Figure> {
        let time = |gzip| -> anyhow::Result<f64> {
            let window = Duration::from_secs(60 * minutes);
            let mut channel = Channel::new(window, parts, making, gzip).context("the made-up tracks")?;
            if making == Making::Pieces {
                (0..WARMING).for_each(|_| {
                    channel.segment();
                });
            }
            let begun = processor();
            let published: u32 = (0..segments).map(|_| channel.segment()).sum();
            Ok((processor() - begun).as_secs_f64() * 1e6 / f64::from(published))
        };
        Ok(Figure { made: time(false)?, asked: time(true)? })
    }
}

/// Processor time of this thread.
fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}
