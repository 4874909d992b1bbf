//! From capture to publication, by track.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{BUCKETS, Storing};

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Labels {
    channel: String,
    track: String,
}

impl Labels {
    pub(super) fn new(channel: &str, track: &str) -> Self {
        Self { channel: channel.to_owned(), track: track.to_owned() }
    }
}

type Seconds = Family<Labels, Histogram, fn() -> Histogram>;
type Count = Family<Labels, Counter>;

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}

/// Families of all tracks.
#[derive(Clone, Debug)]
pub struct Tracks {
    /// Of what waits for the store.
    pub storing: Storing,
    capture_to_encoded: Seconds,
    encoded_to_packaged: Seconds,
    capture_to_packaged: Seconds,
    published_parts: Count,
    published_segments: Count,
    filler_parts: Count,
}

impl Default for Tracks {
    fn default() -> Self {
        let seconds = || Seconds::new_with_constructor(histogram as fn() -> Histogram);
        Self {
            storing: Storing::default(),
            capture_to_encoded: seconds(),
            encoded_to_packaged: seconds(),
            capture_to_packaged: seconds(),
            published_parts: Count::default(),
            published_segments: Count::default(),
            filler_parts: Count::default(),
        }
    }
}

impl Tracks {
    pub(super) fn register(&self, registry: &mut Registry) {
        self.storing.register(registry);
        for (name, help, family) in [
            (
                "capture_to_encoded",
                "From the capture of a picture or of sound until the channel has it from its encoder",
                &self.capture_to_encoded,
            ),
            (
                "encoded_to_packaged",
                "From the arrival of a part's last sample until the part can be fetched",
                &self.encoded_to_packaged,
            ),
            (
                "capture_to_packaged",
                "From the capture of a part's first sample until the part can be fetched: its own duration included",
                &self.capture_to_packaged,
            ),
        ] {
            registry.register_with_unit(name, help, Unit::Seconds, family.clone());
        }
        let unit = |unit: &str| Unit::Other(unit.to_owned());
        for (name, unit, help, family) in [
            ("published", unit("parts"), "Parts published one by one", &self.published_parts),
            ("published", unit("segments"), "Segments listed whole", &self.published_segments),
            ("filler", unit("parts"), "Parts made of the filler", &self.filler_parts),
        ] {
            registry.register_with_unit(name, help, unit, family.clone());
        }
    }

    /// One track's, which are told from now on.
    pub fn of(&self, channel: &str, track: &str) -> Track {
        let labels = Labels::new(channel, track);
        Track {
            capture_to_encoded: self.capture_to_encoded.get_or_create_owned(&labels),
            encoded_to_packaged: self.encoded_to_packaged.get_or_create_owned(&labels),
            capture_to_packaged: self.capture_to_packaged.get_or_create_owned(&labels),
            published_parts: self.published_parts.get_or_create_owned(&labels),
            published_segments: self.published_segments.get_or_create_owned(&labels),
            filler_parts: self.filler_parts.get_or_create_owned(&labels),
        }
    }
}

/// What is measured of one track. Times are nanoseconds, captures microseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub struct Track {
    capture_to_encoded: Histogram,
    encoded_to_packaged: Histogram,
    capture_to_packaged: Histogram,
    published_parts: Counter,
    published_segments: Counter,
    filler_parts: Counter,
}

/// When a part came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// When its first sample was captured; 0 if nobody knows.
    pub captured_at: i64,
    /// When its last sample came from the encoder; `None` for filler.
    pub arrived: Option<i128>,
}

impl Track {
    /// A sample that was captured at `captured_at` came from the encoder at `now`.
    pub fn encoded(&self, captured_at: i64, now: i128) {
        if captured_at != 0 {
            self.capture_to_encoded.observe(seconds(now - i128::from(captured_at) * 1000));
        }
    }

    /// A part was published at `now`.
    pub fn published_part(&self, part: Part, now: i128) {
        self.published_parts.inc();
        let Some(arrived) = part.arrived else { return };
        self.encoded_to_packaged.observe(seconds(now - arrived));
        if part.captured_at != 0 {
            self.capture_to_packaged.observe(seconds(now - i128::from(part.captured_at) * 1000));
        }
    }

    /// Segments were listed whole.
    pub fn published_segments(&self, count: u64) {
        self.published_segments.inc_by(count);
    }

    /// A part was made of the filler.
    pub fn filled(&self) {
        self.filler_parts.inc();
    }
}

/// Clocks of two processes differ by a little: nothing comes before it was captured.
fn seconds(nanos: i128) -> f64 {
    Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX)).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: i128 = 1_000_000;

    #[test]
    fn each_stage_is_measured_from_where_it_begins() {
        let tracks = Tracks::default();
        let track = tracks.of("demo", "720p");
        track.encoded(2_000_000, 2_030 * MILLI);
        track.encoded(2_100_000, 2_040 * MILLI);
        track.encoded(0, 9_000 * MILLI);
        let encoded = &track.capture_to_encoded;
        assert_eq!(
            (encoded.count(), encoded.sum()),
            (2, 0.03),
            "never negative, and nothing of an unknown time"
        );
        track.published_part(Part { captured_at: 2_000_000, arrived: Some(2_400 * MILLI) }, 2_404 * MILLI);
        track.published_part(Part { captured_at: 0, arrived: Some(2_800 * MILLI) }, 2_806 * MILLI);
        track.published_part(Part { captured_at: 0, arrived: None }, 3_200 * MILLI);
        let (packaged, whole) = (&track.encoded_to_packaged, &track.capture_to_packaged);
        assert_eq!((packaged.count(), packaged.sum()), (2, 0.01));
        assert_eq!((whole.count(), whole.sum()), (1, 0.404));
        assert_eq!(track.published_parts.get(), 3);
        assert_eq!(
            tracks.of("demo", "720p").published_parts.get(),
            3,
            "all who ask for a track get the same"
        );
        assert_eq!(tracks.of("demo", "480p").published_parts.get(), 0);
    }
}
