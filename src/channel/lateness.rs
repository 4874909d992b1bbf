//! How late samples come, and how long a missing part is waited for.

const MILLI: i128 = 1_000_000;
/// How much later than usual a part may come before it counts as missing.
const MARGIN: i128 = 250 * MILLI;
/// How much longer a silent but living encoder is waited for: its pauses are more often load than loss.
const PATIENCE: i128 = 800 * MILLI;
/// How late samples are taken to come before any has.
const UNKNOWN: i128 = 2_000 * MILLI;
/// Samples later than this count as missing, whatever was seen before.
const MAX: i128 = 5_000 * MILLI;
/// A high lateness is forgotten by this fraction a sample: in some seconds of video.
const DECAY: i128 = 256;

/// Where the samples of a track come from at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// The encoder.
    Encoder,
    /// The filler, until the encoder begins a segment behind it.
    Awaited,
    /// The filler, as there is no encoder, or none that has anything to encode.
    Gone,
}

/// The latest of the recent samples, in nanoseconds from the end of a sample to its arrival.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lateness(Option<i128>);

impl Lateness {
    /// A sample came this long after its end.
    pub(super) fn observe(&mut self, late: i128) {
        let late = late.clamp(0, MAX);
        self.0 = Some(match self.0 {
            Some(recent) if recent > late => recent - (recent - late) / DECAY,
            _ => late,
        });
    }

    /// How long after its end a part is waited for.
    pub(super) fn allowance(&self, feed: Feed) -> i128 {
        let usual = self.0.unwrap_or(UNKNOWN);
        match feed {
            Feed::Encoder => usual + MARGIN + PATIENCE,
            Feed::Awaited => usual + MARGIN,
            // Nothing is waited for: players with low latency have less than a second. The usual pace is kept.
            Feed::Gone => usual.min(MARGIN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_sample_counts_at_once_and_is_forgotten_slowly() {
        let mut lateness = Lateness::default();
        assert_eq!(lateness.allowance(Feed::Awaited), UNKNOWN + MARGIN);
        lateness.observe(100 * MILLI);
        lateness.observe(900 * MILLI);
        assert_eq!(lateness.allowance(Feed::Encoder), 900 * MILLI + MARGIN + PATIENCE);
        (0..3000).for_each(|_| lateness.observe(100 * MILLI));
        assert!(lateness.allowance(Feed::Awaited) < 110 * MILLI + MARGIN);
        lateness.observe(3_600_000 * MILLI);
        assert_eq!(lateness.allowance(Feed::Awaited), MAX + MARGIN);
        assert_eq!(lateness.allowance(Feed::Gone), MARGIN);
    }
}
