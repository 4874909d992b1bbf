//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// An HLS/DASH adaptive-streaming origin server.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Encode for a server (started by it).
    #[command(hide = true)]
    Encode {
        /// `unix:PATH` of the server's socket.
        #[arg(long, value_parser = socket)]
        connect: PathBuf,
    },
}

fn socket(address: &str) -> Result<PathBuf, String> {
    address.strip_prefix("unix:").map(PathBuf::from).ok_or_else(|| "an address is unix:PATH".into())
}

/// Runs the program.
///
/// # Errors
/// Why it could not do what it was told.
pub fn run() -> anyhow::Result<()> {
    match Command::parse() {
        #[cfg(feature = "encoder")]
        Command::Encode { connect } => Ok(crate::ladder::worker::run(&connect)?),
        #[cfg(not(feature = "encoder"))]
        Command::Encode { .. } => anyhow::bail!("this program was built without the feature `encoder`"),
    }
}
