//! How far it is: a bar on a terminal, a line every few seconds elsewhere.

use std::{
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::clock;

const STEPS: u64 = 1000;
const BETWEEN_LINES: Duration = Duration::from_secs(5);
const BETWEEN_DRAWS: Duration = Duration::from_millis(100);

/// Tells on stderr how far it is.
pub(crate) struct Progress {
    started: Instant,
    told: Instant,
    /// Of the media; `None` if not known.
    duration: Option<Duration>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts with nothing done.
    pub(crate) fn start() -> Self {
        let started = clock::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:32} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(STEPS).with_style(style)
        });
        Self { started, told: started, duration: None, bar }
    }

    /// How long the media is.
    pub(crate) fn of(&mut self, duration: Duration) {
        self.duration = Some(duration);
    }

    /// So much media is done.
    pub(crate) fn at(&mut self, position: Duration) {
        let pause = if self.bar.is_some() { BETWEEN_DRAWS } else { BETWEEN_LINES };
        let now = clock::now();
        if now - self.told < pause {
            return;
        }
        self.told = now;
        let text = words(position, self.duration, now - self.started);
        match &self.bar {
            Some(bar) => {
                let done = self.duration.map_or(0.0, |duration| fraction(position, duration));
                bar.set_position((done * STEPS as f64) as u64);
                bar.set_message(text);
            }
            // There may be nobody to read it, which is no reason to stop.
            None => drop(writeln!(std::io::stderr(), "{text}")),
        }
    }

    /// Time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn fraction(position: Duration, duration: Duration) -> f64 {
    (position.as_secs_f64() / duration.as_secs_f64().max(1e-9)).min(1.0)
}

fn words(position: Duration, duration: Option<Duration>, elapsed: Duration) -> String {
    let speed = position.as_secs_f64() / elapsed.as_secs_f64().max(1e-9);
    let Some(duration) = duration else {
        return format!("{} done, {speed:.1} x real time", minutes(position));
    };
    let done = fraction(position, duration);
    let left = Duration::from_secs_f64(elapsed.as_secs_f64() * (1.0 - done) / done.max(1e-3));
    format!(
        "{} of {}, {:.0} %, {speed:.1} x real time, {} left",
        minutes(position.min(duration)),
        minutes(duration),
        (done * 100.0).floor(),
        minutes(left)
    )
}

fn minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds / 3600 {
        0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        hours => format!("{hours}:{:02}:{:02}", seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_speed_and_time_left_are_told() {
        let seconds = Duration::from_secs;
        assert_eq!(
            words(seconds(150), Some(seconds(600)), seconds(50)),
            "2:30 of 10:00, 25 %, 3.0 x real time, 2:30 left"
        );
        assert_eq!(words(seconds(3700), None, seconds(1850)), "1:01:40 done, 2.0 x real time");
        assert_eq!(
            words(seconds(0), Some(seconds(0)), seconds(0)),
            "0:00 of 0:00, 0 %, 0.0 x real time, 0:00 left"
        );
    }
}
