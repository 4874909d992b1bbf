//! Measures what many waiting players and viewers cost a Headwater origin, on this machine only: see `--help`.

mod cdn;
mod child;
mod clock;
mod cpus;
mod delay;
mod encoder;
mod floor;
mod lane;
mod lists;
mod player;
mod process;
mod reply;
mod report;
mod run;
mod server;
mod viewers;
mod witness;

use std::{io::Write, net::SocketAddr, path::PathBuf, process::ExitCode};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use tikv_jemallocator::Jemalloc;
use tokio::runtime::Builder;

use self::{
    cdn::Cdn,
    floor::Floor,
    lists::Lists,
    player::Target,
    report::Report,
    run::Task,
    server::Serve,
    viewers::{Viewers, writes::WriteLoop},
};

/// As the program has it that is measured here.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Measures what many clients cost a Headwater origin. Everything happens on this machine, in two processes: this one
/// has the clients, the other one an origin and a channel whose encoder is made up.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Players that wait for what is published next, again and again.
    Waiters(Waiters),
    /// Viewers over WebSockets, and what becomes of slow ones.
    Viewers(Viewers),
    /// Players behind each of the caches of cdn-config.
    Cdn(Cdn),
    /// What publishing costs, by how much of the past is listed.
    Lists(Lists),
    /// What serving costs at least.
    Floor(Floor),
    /// The server of a run.
    #[command(hide = true)]
    Serve(Serve),
    /// What viewers cost at least.
    #[command(hide = true)]
    Write(WriteLoop),
    /// The encoder of its channel: started by the server.
    #[command(hide = true)]
    Encode {
        #[arg(long, value_name = "unix:PATH")]
        connect: String,
        /// As the server says it to every encoder; this one never does anything else.
        #[arg(long)]
        once: bool,
    },
}

#[derive(Debug, Args)]
struct Waiters {
    /// How many players.
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    count: u32,
    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How often; the figures are then the medians.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    runs: u32,
    /// What each of them asks for.
    #[arg(long, value_enum, default_value_t = Target::Playlist)]
    target: Target,
    /// Ask for gzip.
    #[arg(long)]
    gzip: bool,
    /// Where the server listens; a loopback address.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A cache in front of the server that players ask instead; a loopback address.
    #[arg(long)]
    via: Option<SocketAddr>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Fail if the 99th percentile is above so many milliseconds.
    #[arg(long)]
    max_p99_ms: Option<f64>,
    /// Fail if a waiter costs the server more memory than so many kilobytes (1000 bytes).
    #[arg(long)]
    max_kb: Option<f64>,
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Waiters(waiters) => waiters.run(),
        Command::Viewers(viewers) => viewers.run(),
        Command::Cdn(cdn) => cdn.run(),
        Command::Lists(lists) => lists.run(),
        Command::Floor(floor) => floor.run(),
        Command::Write(write) => viewers::writes::run(&write),
        Command::Serve(serve) => server::run(&serve),
        Command::Encode { connect, .. } => encoder::run(&PathBuf::from(connect.trim_start_matches("unix:"))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Waiters {
    fn run(&self) -> anyhow::Result<()> {
        on_this_machine(&Vec::from_iter([Some(self.listen), self.via].into_iter().flatten()))?;
        process::allow_connections(self.count as usize)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut reports = Vec::new();
        for _ in 0..self.runs {
            let report = runtime.block_on(run::measure(&self.task()))?;
            if self.runs > 1 && !self.json {
                say(&report)?;
            }
            reports.push(report);
        }
        let report = Report::median(&reports).context("no run")?;
        if self.json {
            say(&serde_json::to_string(&report)?)?;
        } else if self.runs > 1 {
            say(&format_args!("medians of {} runs: {report}", self.runs))?;
        } else {
            say(&report)?;
        }
        self.judge(&report)
    }

    fn task(&self) -> Task {
        Task {
            waiters: self.count as usize,
            seconds: self.seconds,
            target: self.target,
            gzip: self.gzip,
            via: self.via,
            base: server::base(),
            parts: server::PARTS,
            server: [
                "serve",
                "--listen",
                &self.listen.to_string(),
                "--max-waiters",
                &(2 * self.count).to_string(),
                // Of a cache, all come on a few connections.
                "--max-waiters-per-connection",
                &self.count.to_string(),
                "--bitrate",
                &self.bitrate().to_string(),
            ]
            .map(str::to_owned)
            .into(),
        }
    }

    /// Where nobody asks for media it is small, so that what is kept of it does not hide what a waiter costs.
    fn bitrate(&self) -> u32 {
        match self.target {
            Target::Playlist => 100_000,
            Target::Part | Target::Segment => 2_500_000,
        }
    }

    fn judge(&self, report: &Report) -> anyhow::Result<()> {
        if let Some(flaw) = report.flaw() {
            bail!("the run is not sound: {flaw}");
        }
        let above = |what, figure, bar: Option<f64>| match bar {
            Some(bar) if figure > bar => bail!("missed: {what} is {figure:.1}, the bar is {bar}"),
            _ => Ok(()),
        };
        above("the 99th percentile in ms", report.p99_ms, self.max_p99_ms)?;
        above("the memory of a waiter in KB", report.kilobytes_a_waiter, self.max_kb)
    }
}

fn on_this_machine(addresses: &[SocketAddr]) -> anyhow::Result<()> {
    match addresses.iter().find(|address| !address.ip().is_loopback()) {
        Some(address) => bail!("{address} is not on this machine; load is put on 127.0.0.0/8 and [::1] only"),
        None => Ok(()),
    }
}

fn say(what: &impl std::fmt::Display) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{what}").context("cannot write to the standard output")
}
