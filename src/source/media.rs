//! What a source gives, and how it is asked for.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, RecvError, RecvTimeoutError, SyncSender},
    },
    time::Duration,
};

use headwater_packager::{
    time::{FrameRate, Grid},
    track::Colour,
};

use super::{
    Error, stream, test_source,
    uri::{self, Location},
};

/// Items that wait for the encoder at most. Raw pictures are large, and what waits here is latency.
const QUEUE: usize = 6;

/// How media time relates to the machine's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Media time is Unix time and media comes at the speed of time, from the next segment line on.
    Live,
    /// The same, but the timestamps of a transport stream say which media belongs where: whoever receives it comes to
    /// the same, as long as [`super::epoch`] holds. What has no such timestamps is as with [`Pace::Live`].
    Source,
    /// Media time starts at zero and media comes as fast as it is taken.
    Asap,
}

/// What to open.
#[derive(Clone, Debug)]
pub struct Request {
    /// Channel or asset name; the test picture shows it.
    pub name: String,
    /// Source URI: see [`uri`].
    pub uri: String,
    /// `file:` sources must lie below this directory.
    pub file_root: Option<PathBuf>,
    /// Segment durations: live media starts on a line of it.
    pub grid: Grid,
    /// How media time relates to the machine's time.
    pub pace: Pace,
    /// Frame rate to convert to; `None` for the source's, snapped to the nearest usual one.
    pub frame_rate: Option<FrameRate>,
    /// Languages to take (RFC 5646); empty for all that the source has.
    pub audio_languages: Vec<String>,
}

/// A running source. Its formats stay what they are until it ends.
#[derive(Debug)]
pub struct Source {
    /// The pictures; `None` if it has none.
    pub video: Option<VideoFormat>,
    /// The audio streams; [`Item::Audio`] names one by its index here.
    pub audio: Vec<AudioFormat>,
    /// The media.
    pub media: Media,
    /// How long it is, where that is known. A repeated file has no end and no duration.
    pub duration: Option<Duration>,
}

/// Pictures: I420, progressive, upright, 8 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoFormat {
    /// Pixels; may be odd.
    pub width: u32,
    /// Pixels; may be odd.
    pub height: u32,
    /// Pixel aspect ratio, (1, 1) for square.
    pub sample_aspect: (u32, u32),
    /// Constant rate of the frame indices.
    pub frame_rate: FrameRate,
    /// Colour description as a GStreamer caps string, for example `bt709`; `None` if unknown.
    pub colorimetry: Option<String>,
    /// The same as code points.
    pub colour: Option<Colour>,
}

/// Sound: 48 kHz, [`super::CHANNELS`] interleaved channels of 32-bit floats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioFormat {
    /// RFC 5646 tag; `und` if unknown.
    pub language: String,
    /// Number of channels.
    pub channels: u16,
}

/// What comes out of a source.
#[derive(Debug)]
pub enum Item {
    /// A picture. Indices are consecutive from the first picture on, except after [`Item::Live`].
    Video {
        /// Frame index: the picture's time is `frame / frame_rate` since the epoch (live) or since zero.
        frame: i64,
        /// I420 in the size of [`VideoFormat`]. A `GstVideoMeta` tells the strides where they are not the default.
        buffer: gstreamer::Buffer,
        /// Microseconds since the Unix epoch when it came into this process from a live source, a repeated picture
        /// that of the first time; when it was due, of what is paced; 0 in files.
        captured_at: i64,
    },
    /// A block of [`super::BLOCK`] samples. Indices are consecutive within a stream, except after [`Item::Live`].
    Audio {
        /// Index in [`Source::audio`].
        stream: usize,
        /// Block index: its first sample is `block * 1024` samples after the epoch (live) or zero.
        block: i64,
        /// Samples.
        buffer: gstreamer::Buffer,
        /// The same of the first sound in it; 0 also if there is nothing but silence for what did not come.
        captured_at: i64,
    },
    /// The source gives nothing; media may come again.
    Stalled {
        /// What is missing, in words for an operator.
        why: String,
    },
    /// Media follows, in live pace from a segment line on. Comes before the first media and after [`Item::Stalled`].
    Live,
    /// The source came to its end. Nothing follows.
    Ended,
    /// The source broke. Nothing follows.
    Failed(Error),
}

/// The receiving end. Dropping it stops the source.
#[derive(Debug)]
pub struct Media {
    items: Receiver<Item>,
    stop: Stop,
}

impl Media {
    /// Waits for the next item.
    ///
    /// # Errors
    /// Nothing follows: the last item was taken before.
    pub fn recv(&self) -> Result<Item, RecvError> {
        self.items.recv()
    }

    /// Waits for the next item for at most `timeout`.
    ///
    /// # Errors
    /// It did not come, or nothing follows.
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Item, RecvTimeoutError> {
        self.items.recv_timeout(timeout)
    }

    /// All items, until nothing follows.
    pub fn iter(&self) -> impl Iterator<Item = Item> + '_ {
        self.items.iter()
    }
}

impl Drop for Media {
    fn drop(&mut self) {
        self.stop.set();
    }
}

/// Tells a source's thread that nobody listens any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The sending end of a source, and its stop signal.
pub(super) fn queue() -> (SyncSender<Item>, Media) {
    let (sender, items) = mpsc::sync_channel(QUEUE);
    (sender, Media { items, stop: Stop::default() })
}

impl Media {
    pub(super) fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

/// Opens a source: returns when its streams are known. A network listener waits for its caller for as long as it
/// takes and tells so through `waiting`; everything else answers within about ten seconds.
///
/// # Errors
/// Why there is no media.
pub fn open(request: Request, waiting: &mut dyn FnMut(String)) -> Result<Source, Error> {
    let location = uri::parse(&request.uri)?;
    gstreamer::init().map_err(|error| Error::Toolkit(error.to_string()))?;
    match location {
        Location::Test(test) => test_source::open(test, request),
        location => stream::open(location, request, waiting),
    }
}
