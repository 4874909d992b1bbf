//! Where server and encoder meet: a socket of mode 0600 in a directory of mode 0700.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::PathBuf,
    process,
};

use tokio::net::UnixListener;

use super::Error;
use crate::clock;

/// A listening socket that nobody else can reach. It is removed on drop, which is right after the connection: what
/// is not there cannot be left behind by a killed server.
#[derive(Debug)]
pub(super) struct Rendezvous {
    pub(super) listener: UnixListener,
    directory: Directory,
}

impl Rendezvous {
    pub(super) fn new() -> Result<Self, Error> {
        let directory = Directory::new()?;
        let path = directory.0.join("encoder");
        let failed = |source| Error::Socket { path: path.clone(), source };
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, directory })
    }

    pub(super) fn address(&self) -> String {
        format!("unix:{}", self.directory.0.join("encoder").display())
    }
}

#[derive(Debug)]
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self, Error> {
        loop {
            let path =
                std::env::temp_dir().join(format!("headwater-{}-{:x}", process::id(), clock::unix_nanos()));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::Socket { path, source }),
            }
        }
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
