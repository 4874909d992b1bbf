//! Why there is no media.

use std::path::PathBuf;

use thiserror::Error;

use super::uri;

/// Why a source cannot be opened, or broke. Each tells an operator what, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// The URI is not one.
    #[error(transparent)]
    Uri(#[from] uri::Error),
    /// Nothing there.
    #[error("{0} does not exist")]
    Missing(PathBuf),
    /// A directory, a device.
    #[error("{0} is not a file; name a media file")]
    NotAFile(PathBuf),
    /// Zero bytes.
    #[error("{0} is empty")]
    Empty(PathBuf),
    /// The file system refuses.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        why: String,
    },
    /// Outside the root.
    #[error("{path} is outside {root}, below which files must lie")]
    OutsideRoot {
        /// The file.
        path: PathBuf,
        /// The configured root.
        root: PathBuf,
    },
    /// Text, or an unknown container.
    #[error("{uri} is not media that can be read ({why}); give MP4, MKV, MPEG-TS or the like")]
    NotMedia {
        /// The source.
        uri: String,
        /// What GStreamer found.
        why: String,
    },
    /// A container without streams of use.
    #[error("{0} has neither audio nor video")]
    NoStreams(String),
    /// Live where a file is needed.
    #[error("{0} is live and has no end; name a file, or serve it as a channel")]
    Endless(String),
    /// None of the languages that are wanted.
    #[error("{uri} has no audio in {wanted}; it has {has}")]
    NoLanguage {
        /// The source.
        uri: String,
        /// The languages asked for.
        wanted: String,
        /// The languages it has.
        has: String,
    },
    /// A codec that GStreamer has no decoder for.
    #[error(
        "{uri}: there is no decoder for its {kind}, {codec}; install the GStreamer plugin for it or convert the source"
    )]
    NoDecoder {
        /// The source.
        uri: String,
        /// `video` or `audio`.
        kind: &'static str,
        /// The codec in words.
        codec: String,
    },
    /// Encrypted media.
    #[error("{0} is encrypted; decrypt it first")]
    Encrypted(String),
    /// An HTTP error.
    #[error("{uri} answers HTTP {status} ({reason})")]
    Http {
        /// The source.
        uri: String,
        /// Status code.
        status: u32,
        /// Reason in words.
        reason: String,
    },
    /// Nobody there.
    #[error("{uri} cannot be reached: {why}")]
    Unreachable {
        /// The source.
        uri: String,
        /// What the network says.
        why: String,
    },
    /// Opened, but nothing came.
    #[error("{uri} gave no media within {seconds} s")]
    Silent {
        /// The source.
        uri: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The media is damaged so that no more can be read.
    #[error("{uri} is damaged: {why}")]
    Damaged {
        /// The source.
        uri: String,
        /// What GStreamer says.
        why: String,
    },
    /// A live source that went away.
    #[error("{uri} was lost: {why}")]
    Lost {
        /// The source.
        uri: String,
        /// What happened.
        why: String,
    },
    /// GStreamer lacks something.
    #[error("GStreamer: {0}; install the packages that deploy/ lists")]
    Toolkit(String),
}
