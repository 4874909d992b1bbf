//! The encoder process: connects to the server, takes its job, does it, and goes when the server goes.

use std::{
    os::unix::net::UnixStream,
    path::Path,
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
    outlet::Outlet,
    wire::{Control, Event, Message},
};

mod inlet;
mod preparation;
mod session;

/// How long the last words may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long the process may take to exit; a driver's exit handler may hang.
const EXIT: Duration = Duration::from_secs(1);

/// Why there was no job to do.
#[derive(Debug, Error)]
pub enum Error {
    /// Nobody listens.
    #[error("cannot connect to {socket}: {source}; this command is started by the server")]
    Connect {
        /// The socket.
        socket: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The connection broke before the job came.
    #[error("the server gave no job: {0}")]
    NoJob(String),
    /// No thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Connects to the server at `socket` and does what it says. Ends the process when the job is done, has failed, or
/// when the server is gone: what hangs in a driver cannot be waited for.
///
/// # Errors
/// When there is no server, or it gives no job.
pub fn run(socket: &Path) -> Result<(), Error> {
    let connect = |source| Error::Connect { socket: socket.display().to_string(), source };
    let stream = UnixStream::connect(socket).map_err(connect)?;
    let mut inlet = Inlet { stream: stream.try_clone()?, buffer: BytesMut::new() };
    let job = loop {
        match inlet.next() {
            Ok(Message::Control(Control::Start { job, now })) => {
                clock::anchor(i128::from(now) * 1000);
                break job;
            }
            Ok(Message::Control(Control::Quit)) => return Ok(()),
            Ok(_) => {}
            Err(why) => return Err(Error::NoJob(why)),
        }
    };
    let outlet = Outlet::new(stream, || exit(0))?;
    report_panics(outlet.clone());
    let session = session::Session::new(*job, outlet.clone());
    inlet::listen(inlet, outlet.clone(), session.keys.clone())?;
    match session.run() {
        Ok(()) => outlet.event(Event::Ended),
        Err(why) => fail(&outlet, why),
    }
    outlet.flush(Duration::MAX);
    exit(0)
}

/// Tells the server why there will be no media, and ends the process.
fn fail(outlet: &Outlet, why: String) -> ! {
    static FAILING: AtomicBool = AtomicBool::new(false);
    while FAILING.swap(true, Ordering::Relaxed) {
        // One thread drags down others; only the first knows why.
        thread::sleep(LAST_WORDS + EXIT);
    }
    tracing::error!("{why}");
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
    exit(1)
}

/// A panic in any thread ends the process: half an encoder is worse than none.
fn report_panics(outlet: Outlet) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        report(panic);
        fail(&outlet, format!("a bug in the encoder: {panic}"));
    }));
}

fn exit(status: i32) -> ! {
    thread::spawn(|| {
        thread::sleep(EXIT);
        process::abort();
    });
    process::exit(status)
}
