//! The `headwater` program.

use std::{error::Error, process::ExitCode};

use headwater::{access, check, clip, config, package, source::uri, store};
use tikv_jemallocator::Jemalloc;

/// Less time for a request and less memory for a connection than that of the system (docs/performance.md).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    match headwater::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", in_words(&error));
            status(&error).into()
        }
    }
}

/// As for a command line that cannot be understood.
const MISCONFIGURED: u8 = 2;
const FAILED: u8 = 1;
/// How a shell reports the end of a program by Ctrl-C: 128 + SIGINT.
const INTERRUPTED: u8 = 130;

fn status(error: &anyhow::Error) -> u8 {
    let of_configuration = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref().is_some_and(store::Error::is_of_configuration)
            || cause.is::<access::Error>()
            || cause.is::<config::Error>()
            || cause.is::<uri::Error>()
    };
    match (error.downcast_ref(), error.downcast_ref()) {
        (Some(package::Error::Interrupted), _) => INTERRUPTED,
        _ if matches!(error.downcast_ref(), Some(clip::Error::Interrupted)) => INTERRUPTED,
        // The check was done, and found something; all its other errors are of what it was told to check.
        (_, Some(check::Error::Violated { .. })) => FAILED,
        (_, Some(_)) => MISCONFIGURED,
        _ if error.chain().any(of_configuration) => MISCONFIGURED,
        _ => FAILED,
    }
}

/// The error and its causes on one line, without those that the message before has spelt out already.
fn in_words(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |words, cause| match words.as_str() {
        "" => cause,
        said if said.contains(&cause) => words,
        said => format!("{said}: {cause}"),
    })
}
