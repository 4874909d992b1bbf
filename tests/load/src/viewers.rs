//! Viewers over WebSockets: what they cost the server, and what becomes of slow ones.

mod client;
mod message;
mod report;
mod run;
mod seen;
pub(crate) mod writes;

use std::net::SocketAddr;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use tokio::runtime::Builder;

use self::{
    report::{Report, median},
    run::{Task, listen_on, measure},
};
use crate::{cpus, on_this_machine, process, say};

/// What the rungs below the best one have of its bit rate.
const RUNGS: [f64; 3] = [1.0, 0.5, 0.25];

#[derive(Debug, Args)]
pub(crate) struct Viewers {
    /// How many viewers.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=18_000))]
    count: u32,
    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often; the figures are then the medians.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    runs: u32,
    /// Bit/s of the best video rung.
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u32).range(100_000..=50_000_000))]
    bitrate: u32,
    /// Video rungs, each with half the bit rate of the one above it.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=3))]
    rungs: u32,
    /// Also measure, before each run, a loop that writes the same messages to as many sockets.
    #[arg(long)]
    compare: bool,
    /// The share of viewers that read too slowly.
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    slow: f64,
    /// How fast they read, as a share of the best rung's bit rate.
    #[arg(long, default_value_t = 0.1, value_parser = share)]
    slow_rate: f64,
    /// Players beside them that wait for the next playlist, as low-latency HLS players do.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=100))]
    hls_players: u32,
    /// Where the server listens; a loopback address.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Do not hold the server to one processor and the viewers to the others.
    #[arg(long)]
    anywhere: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Fail if the 99th percentile is above so many milliseconds.
    #[arg(long)]
    max_p99_ms: Option<f64>,
    /// Fail if the server needs more than so many times the processor time of the loop.
    #[arg(long, requires = "compare")]
    max_ratio: Option<f64>,
    /// Fail if a viewer costs the server more memory than so many kilobytes (1000 bytes).
    #[arg(long)]
    max_kb: Option<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is a number from 0 to 1".into())
}

/// What all runs came to.
#[derive(Debug, Serialize)]
struct Outcome {
    headwater: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    write_loop: Option<Report>,
    /// The median of the ratios of each pair, in processor time a bit.
    #[serde(skip_serializing_if = "Option::is_none")]
    ratio: Option<f64>,
}

impl Viewers {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        on_this_machine(&[self.listen])?;
        process::allow_connections((self.count + self.hls_players) as usize)?;
        let cpu = if self.anywhere { None } else { cpus::divide()? };
        if cpu.is_none() && !self.anywhere {
            eprintln!("note: there is one processor only, which server and viewers share");
        }
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (mut loops, mut reports) = (Vec::new(), Vec::new());
        for _ in 0..self.runs {
            if self.compare {
                loops.push(self.tell(runtime.block_on(measure(&self.loop_task(cpu)))?)?);
            }
            reports.push(self.tell(runtime.block_on(measure(&self.task(cpu)))?)?);
        }
        let outcome = outcome(&reports, &loops).context("no run")?;
        self.conclude(&outcome)?;
        self.judge(&outcome)
    }

    fn tell(&self, report: Report) -> anyhow::Result<Report> {
        if !self.json {
            say(&report)?;
        }
        Ok(report)
    }

    fn conclude(&self, outcome: &Outcome) -> anyhow::Result<()> {
        if self.json {
            return say(&serde_json::to_string(outcome)?);
        }
        if self.runs > 1 {
            let both = outcome.write_loop.iter().chain([&outcome.headwater]);
            for report in both {
                say(&format_args!("medians of {} runs: {report}", self.runs))?;
            }
        }
        outcome
            .ratio
            .map_or(Ok(()), |ratio| say(&format_args!("processor time a bit: {ratio:.2} x the write loop's")))
    }

    fn task(&self, cpu: Option<usize>) -> Task {
        let bitrates: Vec<String> = RUNGS[..self.rungs as usize]
            .iter()
            .map(|part| ((f64::from(self.bitrate) * part) as u32).to_string())
            .collect();
        let waiters = (self.hls_players + 1).to_string();
        let mut server: Vec<String> =
            ["serve", "--max-waiters", &waiters, "--max-waiters-per-connection", &waiters]
                .map(str::to_owned)
                .into();
        server.extend(["--bitrate".into(), bitrates.join(",")]);
        server.extend(listen_on(self.listen, cpu));
        let slow = (f64::from(self.count) * self.slow).round() as usize;
        Task {
            viewers: self.count as usize,
            slow: (slow, (f64::from(self.bitrate) * self.slow_rate / 8.0) as u64),
            seconds: self.seconds,
            players: self.hls_players as usize,
            headwater: true,
            server,
        }
    }

    fn loop_task(&self, cpu: Option<usize>) -> Task {
        let (count, bitrate) = (self.count.to_string(), self.bitrate.to_string());
        let mut server: Vec<String> =
            ["write", "--count", &count, "--bitrate", &bitrate].map(str::to_owned).into();
        server.extend(listen_on(self.listen, cpu));
        Task { slow: (0, 0), players: 0, headwater: false, server, ..self.task(cpu) }
    }

    fn judge(&self, outcome: &Outcome) -> anyhow::Result<()> {
        let Outcome { headwater, ratio, .. } = outcome;
        if headwater.frames == 0 {
            bail!("the run is not sound: no frame came");
        }
        let above = |what, figure: f64, bar: Option<f64>| match bar {
            Some(bar) if figure > bar => bail!("missed: {what} is {figure:.2}, the bar is {bar}"),
            _ => Ok(()),
        };
        above("the 99th percentile in ms", headwater.p99_ms, self.max_p99_ms)?;
        above("the processor time in that of the loop", ratio.unwrap_or_default(), self.max_ratio)?;
        above("the memory of a viewer in KB", headwater.kilobytes_a_viewer, self.max_kb)
    }
}

fn outcome(reports: &[Report], loops: &[Report]) -> Option<Outcome> {
    let pairs: Vec<_> = reports.iter().zip(loops).collect();
    let ratio = |(report, plain): &(&Report, &Report)| {
        report.cpu_seconds_a_gigabit / plain.cpu_seconds_a_gigabit.max(1e-9)
    };
    Some(Outcome {
        headwater: Report::median(reports)?,
        write_loop: Report::median(loops),
        ratio: (!pairs.is_empty()).then(|| median(&pairs, ratio)),
    })
}
