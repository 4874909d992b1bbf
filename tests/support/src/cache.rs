//! Caches in front of an origin: the examples of cdn-config, run by the programs that they are for.

mod place;
mod program;

use std::{
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use thiserror::Error;

pub use self::program::{Program, Streams};
use crate::{ports, skip};

/// How often a program is looked at that starts or stops, and how many times.
const LOOK: Duration = Duration::from_millis(10);
const LOOKS: usize = 3_000;
/// Ports that are tried, each if the one before was somebody else's.
const TRIES: usize = 5;

/// Why a cache could not be started.
#[derive(Debug, Error)]
pub enum Error {
    /// Its files or its process.
    #[error("{0}: {1}")]
    Io(String, #[source] io::Error),
    /// The example does not have the line that is replaced to run it here.
    #[error("{file} does not have \"{text}\", which tests replace")]
    Setting {
        /// The file of the example.
        file: PathBuf,
        /// What is missing there.
        text: String,
    },
    /// It ended.
    #[error("{0} ended at once, with {1}, and said: {2}")]
    Ended(&'static str, ExitStatus, String),
    /// It runs and takes no connections.
    #[error("{0} does not listen")]
    Deaf(&'static str),
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
    let what = what.into();
    |error| Error::Io(what, error)
}

/// A cache that runs, and is stopped when this is dropped.
#[derive(Debug)]
pub struct Cache {
    /// Where players ask it.
    pub address: SocketAddr,
    process: Child,
    // Its files, which live as long as it does.
    _directory: tempfile::TempDir,
}

impl Cache {
    /// Starts `program` in front of `origin` with the example of cdn-config, on a free port of the loopback interface.
    /// `None`, and a loud word, where it is not installed.
    pub fn start(program: Program, origin: SocketAddr) -> Result<Option<Self>, Error> {
        if let Some(missing) = program.missing() {
            skip(&format!(
                "cdn-config/{} is not tried, for want of {missing} (see deploy/setup.sh --test)",
                program.name()
            ));
            return Ok(None);
        }
        Self::somewhere(program, |directory, address| program.command(directory, origin, address))
    }

    /// Starts nginx over the files of a store, with the example of cdn-config.
    pub fn over(store: &Path) -> Result<Option<Self>, Error> {
        let program = Program::Nginx;
        if let Some(missing) = program.missing() {
            skip(&format!("cdn-config/nginx/directory.conf is not tried, for want of {missing}"));
            return Ok(None);
        }
        Self::somewhere(program, |directory, address| program::over(store, directory, address))
    }

    fn somewhere(
        program: Program,
        command: impl Fn(&Path, SocketAddr) -> Result<Command, Error>,
    ) -> Result<Option<Self>, Error> {
        let mut last = Error::Deaf(program.name());
        for _ in 0..TRIES {
            let address = (LOOPBACK, ports::tcp().map_err(failed("a free port"))?).into();
            match Self::at(program, &command, address) {
                // Somebody else may have taken the port in between.
                Err(error @ Error::Ended(..)) => last = error,
                outcome => return outcome.map(Some),
            }
        }
        Err(last)
    }

    fn at(
        program: Program,
        command: impl Fn(&Path, SocketAddr) -> Result<Command, Error>,
        address: SocketAddr,
    ) -> Result<Self, Error> {
        let directory = tempfile::tempdir().map_err(failed("a directory for a cache"))?;
        let mut command = command(directory.path(), address)?;
        let words = directory.path().join("words");
        let file = File::create(&words).map_err(failed("a file for what a cache says"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let process = command.spawn().map_err(failed(format!("starting {}", program.name())))?;
        let mut cache = Self { address, process, _directory: directory };
        for _ in 0..LOOKS {
            if let Some(status) = cache.process.try_wait().map_err(failed(program.name()))? {
                let words = fs::read_to_string(&words).unwrap_or_default();
                return Err(Error::Ended(program.name(), status, words));
            }
            if TcpStream::connect(address).is_ok() {
                return Ok(cache);
            }
            thread::sleep(LOOK);
        }
        Err(Error::Deaf(program.name()))
    }

    /// The same object as at `url` of the origin, through here.
    pub fn of(&self, url: &str) -> String {
        let path = url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]));
        format!("http://{}{}", self.address, path.unwrap_or("/"))
    }

    /// The process that was started; some programs have children that do the work.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        // Asked to end, they take their children with them.
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        for _ in 0..LOOKS / 6 {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(LOOK);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The loopback interface.
const LOOPBACK: Ipv4Addr = Ipv4Addr::LOCALHOST;
