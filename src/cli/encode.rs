//! `headwater encode`: an encoder of its own, for a server that waits for one.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Encode {
    /// The server's socket.
    #[arg(long, value_name = "unix:PATH", value_parser = socket)]
    connect: PathBuf,
    /// One job and no more, in this process, which ends also when its standard input does. So a server starts its
    /// encoders, and this command its children.
    #[arg(long, hide = true)]
    once: bool,
}

fn socket(address: &str) -> Result<PathBuf, String> {
    let path = address.strip_prefix("unix:").filter(|path| !path.is_empty());
    path.map(PathBuf::from).ok_or_else(|| "an address is unix:PATH".into())
}

/// Encodes until the source has ended or somebody says stop, whatever happens to server and codecs meanwhile.
#[cfg(feature = "encoder")]
pub(super) fn run(arguments: Encode) -> anyhow::Result<()> {
    use anyhow::Context;

    use super::signals::Signals;
    use crate::{
        ladder::{keeper, worker},
        telemetry,
    };

    if arguments.once {
        match worker::run(&arguments.connect)? {}
    }
    telemetry::init()?;
    let program = std::env::current_exe().context("cannot find this program, to start encoders with it")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut signals = Signals::listen().context("cannot listen for signals")?;
        Ok(keeper::keep(&program, &arguments.connect, signals.next()).await?)
    })
}

#[cfg(not(feature = "encoder"))]
pub(super) fn run(_: Encode) -> anyhow::Result<()> {
    anyhow::bail!("this program was built without the feature `encoder`")
}
