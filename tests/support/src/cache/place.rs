//! Where a cache of a test runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Error, failed};

/// cdn-config.
pub(super) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cdn-config")
}

/// Copies a file of an example to where it is run, with its settings replaced, each of which has to be there.
pub(super) fn copy(example: &Path, to: &Path, settings: &[(&str, String)]) -> Result<(), Error> {
    let name = example.display().to_string();
    let mut text = fs::read_to_string(example).map_err(failed(&name))?;
    for (setting, value) in settings {
        if !text.contains(setting) {
            return Err(Error::Setting { file: example.to_owned(), text: (*setting).to_owned() });
        }
        text = text.replace(setting, value);
    }
    fs::write(to, text).map_err(failed(name))
}

/// Whether this process is root's: then some programs would go on as another user, who may not enter our directory.
pub(super) fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// Where a program is; a path with a `/` in front is one already.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Not in everybody's PATH, though everybody may run what is there.
    let places = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    places.map(|place| place.join(program)).find(|file| file.is_file())
}
