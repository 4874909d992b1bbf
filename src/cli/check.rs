//! `headwater check`.

use std::{io::Write, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::check::{self, Options};

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Multivariant playlists, media playlists and MPDs; several of one presentation are compared with each other.
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
    /// How long to follow live presentations.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Write the report as JSON.
    #[arg(long)]
    json: bool,
    /// Speak HTTP/2 without TLS; over TLS it is negotiated anyway.
    #[arg(long)]
    http2: bool,
}

/// Checks, prints the report, and fails if there are violations.
pub(super) fn run(arguments: Check) -> anyhow::Result<()> {
    let Check { urls, seconds, json, http2 } = arguments;
    let options = Options { urls, span: Duration::from_secs(seconds), http2 };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let interrupt = CancellationToken::new();
        let stop = interrupt.clone();
        tokio::spawn(async move {
            // The report is of what was seen until then.
            if tokio::signal::ctrl_c().await.is_ok() {
                stop.cancel();
            }
        });
        check::run(&options, interrupt).await
    })?;
    let text = if json { serde_json::to_string_pretty(&report)? + "\n" } else { report.to_string() };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .context("cannot write to the standard output")?;
    match report.violated() {
        Some(violated) => Err(violated.into()),
        None => Ok(()),
    }
}
