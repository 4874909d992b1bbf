//! `headwater clip`.

use std::{io::Write, path::PathBuf};

use anyhow::{Context, anyhow};
use chrono::DateTime;
use clap::Args;

use super::signals::Signals;
use crate::{
    clip::{self, Request},
    config::Config,
    origin::stretch::query,
    store::Store,
};

#[derive(Debug, Args)]
pub(super) struct Clip {
    /// Name of a channel of the configuration.
    channel: String,
    /// Where it begins, such as 2026-11-26T03:00:00Z, or seconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: i64,
    /// Where it ends.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: i64,
    /// A file whose name ends in .mp4, or a directory or store for a presentation. Below the vod directory of a server's
    /// data, that is served.
    #[arg(long, value_name = "PATH")]
    out: String,
    /// The video track that goes into an .mp4, such as 360p; without it, the best.
    #[arg(long, value_name = "TRACK")]
    rung: Option<String>,
    /// The server's configuration, which says where its store is.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Nanoseconds since the Unix epoch, of all that a stretch is asked for by, and of any time zone.
fn time(text: &str) -> Result<i64, String> {
    let wrong =
        || format!("{text:?} is no time; write one such as 2026-11-26T03:00:00Z, or seconds since 1970");
    let zoned = DateTime::parse_from_rfc3339(text).ok().and_then(|time| time.timestamp_nanos_opt());
    zoned.or_else(|| query::time(text)).ok_or_else(wrong)
}

impl Clip {
    fn request(self, config: &Config) -> anyhow::Result<Request> {
        let channel = config.channels.get(&self.channel).ok_or_else(|| {
            let names: Vec<&str> = config.channels.keys().map(String::as_str).collect();
            anyhow!("there is no channel {}; the configuration has {}", self.channel, names.join(", "))
        })?;
        if self.from >= self.to {
            return Err(anyhow!("--to lies before --from, or is the same time; give a later one"));
        }
        if self.rung.is_some() && !self.out.ends_with(".mp4") {
            return Err(anyhow!("--rung is for one file; leave it out, or give an --out that ends in .mp4"));
        }
        let segment = channel.grid.segment;
        let Self { channel, from, to, out, rung, .. } = self;
        Ok(Request { channel, segment, from, to, out, rung })
    }
}

/// Cuts it out, and prints what was made.
pub(super) fn run(arguments: Clip) -> anyhow::Result<()> {
    let config = arguments.config.as_deref().map(Config::read).transpose()?.unwrap_or_default();
    let request = arguments.request(&config)?;
    let directory = PathBuf::from(config.store.url.trim_start_matches("file://"));
    if !config.store.url.contains("://") && !directory.is_dir() {
        return Err(anyhow!(
            "the store {} does not exist; --config says which one to read",
            directory.display()
        ));
    }
    let store = Store::of(&config.store)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let summary = runtime.block_on(async {
        let mut signals = Signals::listen().context("cannot listen for signals")?;
        tokio::select! {
            made = clip::run(&store, &config.store, &request) => anyhow::Ok(made?),
            () = signals.next() => Err(clip::Error::Interrupted.into()),
        }
    })?;
    let mut out = std::io::stdout().lock();
    write!(out, "{summary}").and_then(|()| out.flush()).context("cannot write to the standard output")
}
