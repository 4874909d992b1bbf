//! The encoder process: connects to the server, takes its job, does it, and goes when the server goes.

use std::{
    convert::Infallible,
    io::{ErrorKind, Write, stdout},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use bytes::BytesMut;
use thiserror::Error;

use self::inlet::Inlet;
use crate::clock;

use super::{
    job::Job,
    outlet::Outlet,
    status,
    wire::{Control, Event, Message},
};

mod inlet;
mod preparation;
mod session;

/// How long the last words may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the process may take to exit; a driver's exit handler may hang.
const EXIT: Duration = Duration::from_secs(1);

/// Set when the source has come to its end: then it matters no more how the connection ends.
static ENDED: AtomicBool = AtomicBool::new(false);
/// Set when the reason is known for which the job cannot be done: then that is what there is to say.
static FAILING: AtomicBool = AtomicBool::new(false);
/// Set when the process ends without either.
static LEAVING: AtomicBool = AtomicBool::new(false);

/// Why there was no job to do.
#[derive(Debug, Error)]
pub enum Error {
    /// Nobody listens.
    #[error("cannot connect to unix:{}: {source}{}", path.display(), hint(source.kind()))]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It has an encoder, or is going down.
    #[error("the server at unix:{} gives no job: it has another encoder, or is going down", path.display())]
    NotWanted {
        /// The socket.
        path: PathBuf,
    },
    /// The connection broke before the job came.
    #[error("the server at unix:{} gives no job: {why}", path.display())]
    NoJob {
        /// The socket.
        path: PathBuf,
        /// In words.
        why: String,
    },
    /// No thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

fn hint(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::PermissionDenied => "; the socket is for the server's user only",
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            "; no server is running that has this channel.NAME.encoder_socket"
        }
        _ => "",
    }
}

/// Connects to the server at `socket` and does what it says. Ends the process when the job is done, has failed, or
/// when the server is gone: what hangs in a driver cannot be waited for. Its [`status`] tells how it went, the last
/// line of its standard output in words. It goes when its standard input ends, too.
///
/// # Errors
/// When the system gives it no thread.
pub fn run(socket: &Path) -> Result<Infallible, Error> {
    inlet::heed_parent()?;
    let (job, inlet) = match engage(socket) {
        Ok(engaged) => engaged,
        Err(why) => leave(&why.to_string()),
    };
    say(&format!("encoding channel {}", job.name));
    let outlet = Outlet::new(inlet.stream.try_clone()?, || leave("the server is gone"))?;
    report_panics(outlet.clone());
    let session = session::Session::new(job, outlet.clone());
    inlet::listen(inlet, outlet.clone(), session.keys.clone())?;
    match session.run() {
        Ok(()) => {
            ENDED.store(true, Ordering::Relaxed);
            outlet.event(Event::Ended);
        }
        Err(why) => fail(&outlet, why),
    }
    outlet.flush(Duration::MAX);
    exit(status::ENDED)
}

fn engage(socket: &Path) -> Result<(Job, Inlet), Error> {
    let stream =
        UnixStream::connect(socket).map_err(|source| Error::Connect { path: socket.into(), source })?;
    let mut inlet = Inlet { stream, buffer: BytesMut::new() };
    loop {
        match inlet.next() {
            Ok(Message::Control(Control::Start { job, now })) => {
                clock::anchor(i128::from(now) * 1000);
                return Ok((*job, inlet));
            }
            Ok(Message::Control(Control::Quit)) => return Err(Error::NotWanted { path: socket.into() }),
            Ok(_) => {}
            Err(why) => return Err(Error::NoJob { path: socket.into(), why }),
        }
    }
}

/// One line for who started this process. Nobody may be there to read it.
fn say(line: &str) {
    let _ = writeln!(stdout(), "{line}");
}

/// Tells the server why there will be no media, and ends the process.
fn fail(outlet: &Outlet, why: String) -> ! {
    while FAILING.swap(true, Ordering::Relaxed) {
        // One thread drags down others; only the first knows why.
        thread::sleep(LAST_WORDS + EXIT);
    }
    say(&why);
    let outlet = outlet.clone();
    // Even the queue may be full for good.
    let told = thread::spawn(move || {
        outlet.event(Event::Failed { why });
        outlet.flush(LAST_WORDS);
    });
    let started = crate::clock::now();
    while !told.is_finished() && started.elapsed() < LAST_WORDS {
        thread::sleep(Duration::from_millis(5));
    }
    exit(status::FAILED)
}

/// A panic in any thread ends the process: half an encoder is worse than none.
fn report_panics(outlet: Outlet) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        fail(&outlet, format!("a bug in the encoder: {panic}"));
    }));
}

/// Ends the process because there is nobody, or nothing, left to work for.
fn leave(why: &str) -> ! {
    if ENDED.load(Ordering::Relaxed) {
        exit(status::ENDED)
    }
    if FAILING.load(Ordering::Relaxed) || LEAVING.swap(true, Ordering::Relaxed) {
        // Another thread is about to end the process, and has a better reason or the same.
        thread::sleep(LAST_WORDS + EXIT);
    }
    say(why);
    exit(status::NO_SERVER)
}

fn exit(status: i32) -> ! {
    thread::spawn(|| {
        thread::sleep(EXIT);
        process::abort();
    });
    process::exit(status)
}
