//! The `headwater` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    match headwater::cli::run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", in_words(&error));
            ExitCode::FAILURE
        }
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
