//! Keeps an encoder at work where the server does not start it: a small process whose children do the jobs. So what
//! crashes in a codec or hangs in a driver is no more than a lost child here too, and each starts with a clean clock.

use std::{
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{sleep, timeout},
};

use super::{
    process::{end, in_words},
    status,
};
use crate::clock;

const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Between attempts to reach a server: its viewers wait.
const LONGEST_WITHOUT_SERVER: Duration = Duration::from_secs(5);
/// Between attempts at a job that fails: as long as a server waits between encoders that it starts.
const LONGEST_AFTER_FAILURE: Duration = Duration::from_secs(30);
/// A child that lived this long earns its successor a quick start.
const PROVEN: Duration = Duration::from_secs(10);
/// How long a child's last words may take: a process that it has left behind may hold the pipe.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why there is no encoder.
#[derive(Debug, Error)]
pub enum Error {
    /// The program could not be started.
    #[error("cannot start {}: {source}", program.display())]
    Spawn {
        /// The program.
        program: std::path::PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Runs `program encode --connect unix:SOCKET --once` again and again, until the source has ended or `stop` is ready.
/// No child outlives this, whichever way it ends.
///
/// # Errors
/// When one cannot be started.
pub async fn keep(program: &Path, socket: &Path, stop: impl Future<Output = ()>) -> Result<(), Error> {
    tokio::pin!(stop);
    let mut log = Log::default();
    let mut pause = None;
    loop {
        let started = clock::now();
        let mut worker = Worker::start(program, socket)?;
        let outcome = tokio::select! {
            biased;
            () = &mut stop => return worker.stop().await,
            outcome = worker.outcome(&mut log) => outcome,
        };
        let next = outcome.pause(pause, started.elapsed());
        match outcome {
            Outcome::Ended => {
                tracing::info!("the source has ended");
                return Ok(());
            }
            // It has said why.
            Outcome::NoServer => {}
            Outcome::Failed(how) => {
                let pause_ms = next.as_millis() as u64;
                tracing::warn!(pause_ms, "the encoder {how}; it is started again after a pause");
            }
        }
        pause = Some(next);
        tokio::select! {
            () = sleep(next) => {}
            () = &mut stop => return Ok(()),
        }
    }
}

/// What a child says on its standard output, but not the same thing twice in a row: while there is no server, that is
/// all that there is to say.
#[derive(Debug, Default)]
struct Log {
    last: String,
}

impl Log {
    fn relay(&mut self, line: String) {
        if self.last != line {
            tracing::info!("{line}");
            self.last = line;
        }
    }
}

async fn relay(words: Option<Lines<BufReader<ChildStdout>>>, log: &mut Log) {
    let Some(mut words) = words else { return };
    while let Ok(Some(line)) = words.next_line().await {
        log.relay(line);
    }
}

/// How a child ended.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Ended,
    NoServer,
    Failed(String),
}

impl Outcome {
    fn new(status: io::Result<ExitStatus>) -> Self {
        match status.as_ref().ok().and_then(ExitStatus::code) {
            Some(status::ENDED) => Self::Ended,
            Some(status::NO_SERVER) => Self::NoServer,
            _ => Self::Failed(in_words(status)),
        }
    }

    /// How long to wait after a child that `lived` so long, and after the pause before it.
    fn pause(&self, last: Option<Duration>, lived: Duration) -> Duration {
        let longest = match self {
            Self::NoServer => LONGEST_WITHOUT_SERVER,
            Self::Ended | Self::Failed(_) => LONGEST_AFTER_FAILURE,
        };
        let last = last.filter(|_| lived < PROVEN);
        last.map_or(FIRST_PAUSE, |pause| (pause * 2).min(longest))
    }
}

/// A child at work.
#[derive(Debug)]
struct Worker {
    child: Child,
    /// The child ends when this closes, and so also when this process is killed. It is kept apart, because to wait for a
    /// child closes its standard input.
    lifeline: Option<ChildStdin>,
    words: Option<Lines<BufReader<ChildStdout>>>,
}

impl Worker {
    fn start(program: &Path, socket: &Path) -> Result<Self, Error> {
        let mut address = std::ffi::OsString::from("unix:");
        address.push(socket);
        let mut child = Command::new(program)
            .args(["encode", "--once", "--connect"])
            .arg(address)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // A Ctrl-C at the terminal is for the parent, which then ends its child in good order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| Error::Spawn { program: program.into(), source })?;
        let words = child.stdout.take().map(|output| BufReader::new(output).lines());
        Ok(Self { lifeline: child.stdin.take(), child, words })
    }

    /// Sees to its end.
    async fn outcome(&mut self, log: &mut Log) -> Outcome {
        let mut relaying = std::pin::pin!(relay(self.words.take(), log));
        tokio::select! {
            status = self.child.wait() => {
                let _ = timeout(LAST_WORDS, relaying).await;
                Outcome::new(status)
            }
            () = &mut relaying => Outcome::new(self.child.wait().await),
        }
    }

    async fn stop(mut self) -> Result<(), Error> {
        drop(self.lifeline.take());
        end(&mut self.child).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn pauses_grow_with_failures_in_a_row_and_less_while_there_is_no_server() {
        let pauses = |outcome: &Outcome, lived| {
            let next = |last: &Option<Duration>| Some(Some(outcome.pause(*last, lived)));
            std::iter::successors(Some(None), next).flatten().take(9).collect::<Vec<_>>()
        };
        let millis = |numbers: [u64; 9]| numbers.map(Duration::from_millis);
        let at_once = Duration::from_millis(30);
        assert_eq!(
            pauses(&Outcome::NoServer, at_once),
            millis([250, 500, 1000, 2000, 4000, 5000, 5000, 5000, 5000])
        );
        let failed = Outcome::Failed("was killed".into());
        assert_eq!(
            pauses(&failed, at_once),
            millis([250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
        );
        assert_eq!(pauses(&failed, PROVEN), millis([250; 9]));
        assert_eq!(
            Outcome::NoServer.pause(Some(LONGEST_AFTER_FAILURE), at_once),
            LONGEST_WITHOUT_SERVER,
            "a server that comes back is not kept waiting for what was before"
        );
    }

    #[test]
    fn the_status_of_a_child_tells_how_it_went() {
        let of = |raw| Outcome::new(Ok(ExitStatus::from_raw(raw)));
        assert_eq!(of(0), Outcome::Ended);
        assert_eq!(of(3 << 8), Outcome::NoServer);
        assert_eq!(of(1 << 8), Outcome::Failed("exited with status 1".into()));
        assert_eq!(of(11), Outcome::Failed("was killed by signal 11 (SIGSEGV)".into()));
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let socket = Path::new("/nonexistent/a.sock");
        let error =
            keep(Path::new("/nonexistent/headwater"), socket, std::future::pending()).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot start /nonexistent/headwater: "), "{error}");
    }
}
