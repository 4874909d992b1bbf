//! An encoder process as the server sees it: spawned or let in, listened to, told, and seen to its end.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use bytes::BytesMut;
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    process::{Child, ChildStderr, ChildStdin, Command},
    time::timeout,
};

use self::rendezvous::Rendezvous;
use crate::clock;

use super::{
    job::Job,
    wire::{self, Control, Message},
};

pub mod door;
mod rendezvous;

/// How long a child may take from its start to its connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a child may take to exit once it was told to, or has closed its socket.
const EXIT: Duration = Duration::from_secs(2);
/// How long a few bytes of control may take: the socket's buffer holds thousands of them.
const SEND: Duration = Duration::from_secs(2);

/// Why there is no encoder, or none any more.
#[derive(Debug, Error)]
pub enum Error {
    /// No private directory or socket could be made for it.
    #[error("cannot make a socket for the encoder at {}: {source}", path.display())]
    Socket {
        /// The socket, or the directory around it.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The program could not be started.
    #[error("cannot start the encoder {}: {source}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It was started but did not connect in time.
    #[error("the encoder did not connect within {} s", CONNECT.as_secs())]
    Silent,
    /// It is gone: the process ended, or closed its end of the connection.
    #[error("the encoder {how}")]
    Gone {
        /// Exit status or signal, in words.
        how: String,
    },
    /// It does not read what it is told.
    #[error("the encoder has not read a command within {} s", SEND.as_secs())]
    Deaf,
    /// It sent something that is not the wire protocol.
    #[error("the encoder sent nonsense: {0}")]
    Wire(#[from] wire::Error),
}

/// A running encoder process. When this is dropped it is killed if it was started here, and disconnected if not.
#[derive(Debug)]
pub struct Encoder {
    /// `None` for one that came by itself, through a [`door::Door`].
    process: Option<Process>,
    pid: Option<u32>,
    stream: UnixStream,
    buffer: BytesMut,
}

#[derive(Debug)]
struct Process {
    child: Child,
    /// The child ends when this closes. It is kept apart, because to wait for a child closes its standard input.
    _lifeline: Option<ChildStdin>,
}

impl Encoder {
    /// Starts `program encode --connect unix:PATH --once` and gives it `job`.
    ///
    /// # Errors
    /// When it cannot be started or does not connect within five seconds.
    pub async fn spawn(job: &Job, program: &Path) -> Result<Self, Error> {
        let rendezvous = Rendezvous::new()?;
        let mut child = command(program, &rendezvous.address())
            .spawn()
            .map_err(|source| Error::Spawn { program: program.into(), source })?;
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(relay_log(job.name.clone(), stderr));
        }
        let lifeline = child.stdin.take();
        let stream = connection(&rendezvous.listener, &mut child).await?;
        let pid = child.id();
        let process = Some(Process { child, _lifeline: lifeline });
        Self { process, pid, stream, buffer: BytesMut::new() }.start(job).await
    }

    /// Gives `job` to an encoder that came by itself.
    ///
    /// # Errors
    /// When it has gone again.
    pub async fn engage(stream: UnixStream, job: &Job) -> Result<Self, Error> {
        Self { process: None, pid: peer(&stream), stream, buffer: BytesMut::new() }.start(job).await
    }

    async fn start(mut self, job: &Job) -> Result<Self, Error> {
        let now = clock::unix_nanos().div_euclid(1000) as i64;
        self.send(Control::Start { job: Box::new(job.clone()), now }).await?;
        Ok(self)
    }

    /// What happens to it when this is dropped, in one word.
    pub fn fate(&self) -> &'static str {
        if self.process.is_some() { "killed" } else { "disconnected" }
    }

    /// The process id, also after its end.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// The next message. Dropping the future loses nothing.
    ///
    /// # Errors
    /// [`Error::Gone`] once the process has ended and all that it sent has been taken.
    pub async fn next(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(message) = wire::decode(&mut self.buffer)? {
                return Ok(message);
            }
            // A killed process may reset the connection instead of closing it; both say that it is gone.
            if self.stream.read_buf(&mut self.buffer).await.unwrap_or(0) == 0 {
                return Err(Error::Gone { how: self.end().await });
            }
        }
    }

    /// Tells it something. Not to be dropped halfway.
    ///
    /// # Errors
    /// [`Error::Gone`] or [`Error::Deaf`].
    pub async fn send(&mut self, control: Control) -> Result<(), Error> {
        self.write(&Message::Control(control)).await
    }

    /// Asks for a [`Message::Pong`]. Not to be dropped halfway.
    ///
    /// # Errors
    /// [`Error::Gone`] or [`Error::Deaf`].
    pub async fn ping(&mut self) -> Result<(), Error> {
        self.write(&Message::Ping).await
    }

    /// Asks it to quit. If it was started here, it is killed when it has not within two seconds.
    pub async fn stop(mut self) {
        let _ = self.send(Control::Quit).await;
        self.end().await;
    }

    /// Sees to the end of what has closed its connection or was told to quit, and says how it ended.
    async fn end(&mut self) -> String {
        match &mut self.process {
            Some(process) => end(&mut process.child).await,
            None => "closed its connection".into(),
        }
    }

    async fn write(&mut self, message: &Message) -> Result<(), Error> {
        match timeout(SEND, self.stream.write_all(&wire::encode(message))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::Gone { how: self.end().await }),
            Err(_) => Err(Error::Deaf),
        }
    }
}

fn command(program: &Path, address: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(["encode", "--connect", address, "--once"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A Ctrl-C at the terminal is for the server, which then stops its encoders in good order.
        .process_group(0)
        .kill_on_drop(true);
    command
}

async fn connection(listener: &UnixListener, child: &mut Child) -> Result<UnixStream, Error> {
    let outcome = timeout(CONNECT, async {
        tokio::select! {
            accepted = listener.accept() => accepted.map(|(stream, _)| stream).map_err(|error| error.to_string()),
            status = child.wait() => Err(in_words(status)),
        }
    });
    match outcome.await {
        Ok(accepted) => accepted.map_err(|how| Error::Gone { how }),
        Err(_) => Err(Error::Silent),
    }
}

/// The process at the other end, if it can be seen from here.
fn peer(stream: &UnixStream) -> Option<u32> {
    let pid = stream.peer_cred().ok()?.pid()?;
    u32::try_from(pid).ok().filter(|&pid| pid > 0)
}

/// Waits for the end of the process, kills it if it takes too long, and says how it ended.
pub(super) async fn end(child: &mut Child) -> String {
    if let Ok(status) = timeout(EXIT, child.wait()).await {
        return in_words(status);
    }
    let _ = child.kill().await;
    "closed its socket but did not exit, and was killed".into()
}

pub(super) fn in_words(status: std::io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Err(error) => format!("cannot be waited for: {error}"),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(0), _) => "exited".into(),
            (Some(code), _) => format!("exited with status {code}"),
            (None, Some(signal)) => format!("was killed by {}", signal_name(signal)),
            (None, None) => format!("ended: {status}"),
        },
    }
}

/// The name of a signal that ends processes (signal(7); the numbers are the same on all common machines).
fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return format!("signal {number}"),
    };
    format!("signal {number} ({name})")
}

async fn relay_log(name: String, stderr: ChildStderr) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::info!(target: "headwater::encoder", channel = name, "{line}");
    }
}
