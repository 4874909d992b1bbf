//! The command line: what may be typed, and which module does it.

mod check;
mod clip;
mod encode;
mod package;
mod serve;
mod signals;
mod token;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::{
    config::{Config, Role},
    inspect, source, telemetry,
};

/// An HLS/DASH adaptive-streaming origin server.
#[derive(Debug, Parser)]
#[command(name = "headwater", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve live channels and packaged files; without a file, the built-in demo channel.
    Serve(Serve),
    /// Make a presentation of a file, for HLS and DASH.
    Package(package::Package),
    /// Cut a stretch of what is kept of a channel out, as a presentation or one file.
    Clip(clip::Clip),
    /// Hold any server to what HLS and DASH players count on, and tell what it breaks.
    Check(check::Check),
    /// Tell in words what is in a file or segment.
    Inspect {
        /// An MP4 file, a CMAF segment or a playlist.
        file: PathBuf,
    },
    /// Make a token for a channel or file that is signed.
    Token(token::Token),
    /// Encode for a server that listens at unix:PATH (channel.NAME.encoder_socket).
    Encode(encode::Encode),
}

#[derive(Debug, Args)]
struct Serve {
    /// Channels, listeners and store, in TOML.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address of the media listener, instead of the file's.
    #[arg(long, value_name = "ADDRESS")]
    media: Option<std::net::SocketAddr>,
    /// Address of the control listener, instead of the file's.
    #[arg(long, value_name = "ADDRESS")]
    control: Option<std::net::SocketAddr>,
    /// What this server does, instead of what the file says.
    #[arg(long, value_name = "ROLE", env = "HEADWATER_ROLE")]
    role: Option<Role>,
    /// Where segments are kept, instead of the file's: a directory or memory://.
    #[arg(long, value_name = "URL")]
    data: Option<String>,
}

impl Serve {
    /// Everything that can be refused without touching the machine is refused here.
    fn config(self) -> anyhow::Result<Config> {
        let file = self.config.as_deref();
        let mut config = file.map(|file| Config::read_as(file, self.role)).transpose()?.unwrap_or_default();
        config.server.role = self.role.unwrap_or(config.server.role);
        config.server.media = self.media.unwrap_or(config.server.media);
        config.server.control = self.control.unwrap_or(config.server.control);
        config.store.url = self.data.unwrap_or(config.store.url);
        config.server.check()?;
        if config.server.role == Role::Origin {
            // What is never opened cannot be wrong, and what never writes needs no place for what waits.
            config.store.spool.disk = None;
            // Frames do not go through the store.
            config.server.max_viewers = 0;
            return Ok(config);
        }
        for (name, channel) in &config.channels {
            let file = file.unwrap_or(Path::new("the demo")).display();
            source::uri::parse(&channel.source).with_context(|| format!("{file}: channel.{name}.source"))?;
        }
        Ok(config)
    }
}

/// Does what the process was asked to.
///
/// # Errors
/// Whatever stopped it, with the chain of causes.
pub fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Serve(arguments) => {
            telemetry::init()?;
            serve::run(arguments.config()?)
        }
        Command::Package(arguments) => {
            // Logs would break the progress bar; who asks for them gets them.
            if std::env::var_os("RUST_LOG").is_some() {
                telemetry::init()?;
            }
            package::run(arguments)
        }
        Command::Clip(arguments) => {
            if std::env::var_os("RUST_LOG").is_some() {
                telemetry::init()?;
            }
            clip::run(arguments)
        }
        Command::Check(arguments) => check::run(arguments),
        Command::Inspect { file } => Ok(inspect::run(&file, &mut std::io::stdout().lock())?),
        Command::Token(arguments) => token::run(arguments),
        Command::Encode(arguments) => encode::run(arguments),
    }
}
