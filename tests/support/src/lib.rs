//! What tests of the server and of the packager share: media that may be absent, and how to say so.

pub mod cache;
pub mod fault;
pub mod keys;
pub mod ports;

use std::{
    env,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Says what was not tested, past the capture of output, and notes it in the file that `HEADWATER_SKIPPED` names, for
/// the summary of `make test`.
pub fn skip(why: &str) {
    let line = format!("SKIPPED: {why}\n");
    let noted =
        io::stderr().write_all(line.as_bytes()).and_then(|()| match env::var_os("HEADWATER_SKIPPED") {
            // One write a line: tests run side by side.
            Some(path) => File::options().create(true).append(true).open(path)?.write_all(line.as_bytes()),
            None => Ok(()),
        });
    assert!(noted.is_ok(), "cannot note what was skipped: {noted:?}");
}

/// A file or directory of the shared media (`HEADWATER_SHARED`, else `shared` beside the repository); `None`, and a loud
/// word, where it is absent.
pub fn shared(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let path = env::var_os("HEADWATER_SHARED").map_or_else(beside, PathBuf::from).join("media").join(name);
    if !path.exists() {
        skip(&format!(
            "shared media {name} is absent; set HEADWATER_SHARED to the directory that has media/"
        ));
        return None;
    }
    Some(path)
}
