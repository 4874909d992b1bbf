//! The door for encoders that the server does not start: a listening socket with a path of its own.

use std::{
    convert::Infallible,
    fs::{self, File, Permissions},
    io::{self, ErrorKind},
    os::{
        fd::AsFd,
        unix::{
            fs::{FileTypeExt, MetadataExt, PermissionsExt},
            net::UnixDatagram,
        },
    },
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use tokio::{
    io::AsyncWriteExt,
    net::{UnixListener, UnixSocket, UnixStream},
    time::{sleep, timeout},
};

use super::{SEND, peer};
use crate::ladder::wire::{self, Control, Message};

/// Read and written by the server's user, which is to say: connected to by it.
const MODE: u32 = 0o600;
/// Encoders that the system holds for us while we are busy.
const BACKLOG: u32 = 16;
/// How long a pause is after the system has failed to accept; usually it has no descriptor left.
const PAUSE: Duration = Duration::from_secs(1);

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum Error {
    /// It is somebody's.
    #[error(
        "{} is in use: stop the server that listens there, or give this channel another path",
        path.display()
    )]
    Taken {
        /// The socket.
        path: PathBuf,
    },
    /// Something else has its name.
    #[error("{} is there and is no socket: move it away, or give this channel another path", path.display())]
    NotASocket {
        /// What should be the socket.
        path: PathBuf,
    },
    /// There is no place for it.
    #[error(
        "cannot listen on {}: there is no directory {}; create it (for a systemd unit, RuntimeDirectory= does so), \
         or give this channel a path in one that exists",
        path.display(),
        directory(path).display()
    )]
    NoDirectory {
        /// The socket.
        path: PathBuf,
    },
    /// Its place is not ours.
    #[error(
        "cannot listen on {}: this user may not write there; make {} the server's own, or give this channel a path \
         in a directory that is",
        path.display(),
        directory(path).display()
    )]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot listen on {}: {source}", path.display())]
    System {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl Error {
    fn new(path: &Path, source: io::Error) -> Self {
        let path = path.into();
        match source.kind() {
            ErrorKind::AddrInUse => Self::Taken { path },
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::NoDirectory { path },
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::NotAllowed { path },
            _ => Self::System { path, source },
        }
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// A listening socket of mode 0600. Its file is removed on drop.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    path: PathBuf,
    /// Device and number of its file: what has its name later may be another server's.
    file: (u64, u64),
}

impl Door {
    /// Listens at `path`. The file of a server that is dead is replaced; nobody who lives is disturbed. Has to be
    /// called within a Tokio runtime.
    ///
    /// # Errors
    /// Says what is in the way and what would be right.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::new(path, source);
        let socket = match bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                clear(path)?;
                bind(path)
            }
            bound => bound,
        };
        let socket = socket.map_err(failed)?;
        let file = fs::symlink_metadata(path).map_err(failed)?;
        if file.mode() & 0o777 != MODE {
            // A strange umask has taken something from the owner.
            fs::set_permissions(path, Permissions::from_mode(MODE)).map_err(failed)?;
        }
        let listener = socket.listen(BACKLOG).map_err(failed)?;
        Ok(Self { listener, path: path.into(), file: (file.dev(), file.ino()) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next encoder. Dropping the future loses nobody.
    pub async fn accept(&self) -> UnixStream {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return stream,
                Err(error) => {
                    tracing::warn!(path = %self.path.display(), %error, "cannot accept an encoder");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Sends away everybody who comes.
    pub async fn refuse(&self) -> Infallible {
        let mut told = false;
        loop {
            let mut stream = self.accept().await;
            // One that stands by comes again and again.
            if !std::mem::replace(&mut told, true) {
                let pid = peer(&stream);
                tracing::warn!(path = %self.path.display(), pid, "a second encoder is sent away while one works");
            }
            let quit = wire::encode(&Message::Control(Control::Quit));
            let _ = timeout(SEND, stream.write_all(&quit)).await;
        }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let ours = |file: fs::Metadata| (file.dev(), file.ino()) == self.file;
        if fs::symlink_metadata(&self.path).is_ok_and(ours) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A socket with a file that is never, not for a moment, anybody else's to connect to: on Linux the file is made with
/// the mode that the socket had before, less the umask. To change the mode of the file afterwards would leave a gap.
fn bind(path: &Path) -> io::Result<UnixSocket> {
    let socket = UnixSocket::new_stream()?;
    File::from(socket.as_fd().try_clone_to_owned()?).set_permissions(Permissions::from_mode(MODE))?;
    socket.bind(path)?;
    Ok(socket)
}

/// Removes a socket's file on which nobody answers.
fn clear(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::new(path, source);
    let file = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file.map_err(failed)?,
    };
    if !file.file_type().is_socket() {
        return Err(Error::NotASocket { path: path.into() });
    }
    // To a datagram socket, a stream socket that lives says that it is of the wrong kind, and hears nothing of it. To
    // connect in earnest would look like an encoder to the server that listens there.
    match UnixDatagram::unbound().and_then(|probe| probe.connect(path)) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed)?;
            tracing::info!(path = %path.display(), "replaced the socket of a server that is gone");
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Err(failed(error)),
        _ => Err(Error::Taken { path: path.into() }),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net;

    use tempfile::TempDir;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[tokio::test]
    async fn its_file_is_the_users_own_from_its_first_moment_and_goes_with_it() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("a.sock");
        drop(bind(&path).unwrap());
        assert_eq!(mode(&path), MODE, "before anything else was done");
        let door = Door::open(&path).unwrap();
        assert_eq!(mode(&path), MODE);
        drop(door);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_has_taken_its_name_is_left_alone() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("a.sock");
        let door = Door::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = net::UnixListener::bind(&path).unwrap();
        drop(door);
        assert!(path.exists());
    }

    #[tokio::test]
    async fn only_what_nobody_listens_on_is_replaced() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("a.sock");
        drop(net::UnixListener::bind(&path).unwrap());
        let door = Door::open(&path).unwrap();
        let refusal = Door::open(&path).unwrap_err().to_string();
        assert!(refusal.contains("in use") && refusal.contains("another path"), "{refusal}");
        let stranger = timeout(Duration::from_millis(100), door.accept()).await;
        assert!(stranger.is_err(), "the server that listens is not disturbed by who asks whether it does");

        let path = directory.path().join("notes");
        fs::write(&path, "precious").unwrap();
        let refusal = Door::open(&path).unwrap_err().to_string();
        assert!(refusal.contains("no socket"), "{refusal}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let refusal = Door::open(&path.join("a.sock")).unwrap_err().to_string();
        assert!(refusal.contains("no directory"), "{refusal}");
        let refusal = Door::open(&directory.path().join("missing/a.sock")).unwrap_err().to_string();
        assert!(refusal.contains("no directory") && refusal.contains("RuntimeDirectory="), "{refusal}");
    }

    #[tokio::test]
    async fn a_second_encoder_is_told_to_quit() {
        use tokio::io::AsyncReadExt;
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("a.sock");
        let door = Door::open(&path).unwrap();
        let heard = async {
            let mut stream = UnixStream::connect(&path).await.unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            heard
        };
        let heard = tokio::select! {
            never = door.refuse() => match never {},
            heard = timeout(SEND, heard) => heard.unwrap(),
        };
        assert_eq!(heard, wire::encode(&Message::Control(Control::Quit)));
    }
}
