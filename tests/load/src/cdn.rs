//! Players behind a cache: what reaches the origin, and what the players notice.

mod audience;
mod report;

use std::{net::SocketAddr, time::Duration};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use headwater_test_support::cache::{Cache, Program};
use tokio::{runtime::Builder, task::LocalSet, time::sleep};

use self::{
    audience::Audience,
    report::{Report, Run},
};
use crate::{child::Server, clock, process, say, server};

/// From the last connection to the first figure.
const SETTLE: Duration = Duration::from_secs(2);
/// Parts before the players come: a list that is full, and segments to begin with.
const WARM_UP: usize = 8;

#[derive(Debug, Args)]
pub(crate) struct Cdn {
    /// Which caches; all that are installed, if none is named.
    #[arg(long, value_enum)]
    cache: Vec<Name>,
    /// How many players.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    count: u32,
    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// How many players there are first, for a third of the time, so that it can be seen what more of them change.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    few: u32,
    /// Bit/s of the video.
    #[arg(long, default_value_t = 1_000_000)]
    bitrate: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Fail if a cache that collapses requests answers less than this share of the requests for media, if more players mean
    /// more requests to the origin, or if one of them stalls.
    #[arg(long, value_name = "SHARE")]
    min_hits: Option<f64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Name {
    Nginx,
    Varnish,
    Trafficserver,
    Haproxy,
}

impl Name {
    fn program(self) -> Program {
        match self {
            Self::Nginx => Program::Nginx,
            Self::Varnish => Program::Varnish,
            Self::Trafficserver => Program::TrafficServer,
            Self::Haproxy => Program::Haproxy,
        }
    }
}

impl Cdn {
    pub(crate) fn run(&self) -> anyhow::Result<()> {
        process::allow_connections(2 * self.count as usize)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let mut reports = Vec::new();
        for program in self.programs() {
            let Some(report) = LocalSet::new().block_on(&runtime, self.measure(program))? else { continue };
            if !self.json {
                say(&report)?;
            }
            reports.push(report);
        }
        if self.json {
            say(&serde_json::to_string_pretty(&reports)?)?;
        }
        let Some(bar) = self.min_hits else { return Ok(()) };
        let flaws: Vec<String> = reports.iter().flat_map(|report| report.flaws(bar)).collect();
        if flaws.is_empty() { Ok(()) } else { bail!("missed: {}", flaws.join("; ")) }
    }

    fn programs(&self) -> Vec<Program> {
        match &self.cache[..] {
            [] => Program::ALL.to_vec(),
            named => named.iter().map(|name| name.program()).collect(),
        }
    }

    async fn measure(&self, program: Program) -> anyhow::Result<Option<Report>> {
        let mut server = Server::start(&self.server()).await?;
        let origin = server.address;
        let start = tokio::task::spawn_blocking(move || Cache::start(program, origin));
        let Some(cache) = start.await.context("starting a cache")?? else {
            server.stop().await?;
            return Ok(None);
        };
        server.publishes(WARM_UP).await?;
        let few = watch(&mut server, cache.address, self.few, self.seconds.div_ceil(3)).await?;
        let many = watch(&mut server, cache.address, self.count, self.seconds).await?;
        server.stop().await?;
        Ok(Some(Report { program, few, many }))
    }

    fn server(&self) -> Vec<String> {
        let players = (2 * self.count.max(self.few)).to_string();
        [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--max-waiters",
            &players,
            "--max-waiters-per-connection",
            &players,
            "--bitrate",
            &self.bitrate.to_string(),
        ]
        .map(str::to_owned)
        .into()
    }
}

/// Lets `players` watch through `address` for so long.
async fn watch(server: &mut Server, address: SocketAddr, players: u32, seconds: u64) -> anyhow::Result<Run> {
    let newest = server.publishes(1).await?;
    let audience = Audience::gather(address, players, newest.position).await?;
    sleep(SETTLE).await;
    let (from, before) = (clock::nanos(), server.counts().await?);
    sleep(Duration::from_secs(seconds)).await;
    let (to, after) = (clock::nanos(), server.counts().await?);
    let seen = audience.leave(to).await?;
    let published = server.published();
    Ok(Run::new(players, from..to, (before, after), &published, seen))
}

/// What players and report know of the stream.
const PARTS: u32 = server::PARTS;
