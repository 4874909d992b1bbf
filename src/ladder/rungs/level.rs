//! H.264 levels (ISO/IEC 14496-10 table A-1).

use std::fmt;

use super::PlannedRung;

/// An H.264 level: `level_idc`, ten times its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

struct Limits {
    idc: u8,
    /// MaxMBPS, macroblocks per second.
    speed: u64,
    /// MaxFS, macroblocks.
    frame: u64,
    /// MaxDpbMbs, macroblocks.
    buffer: u64,
    /// MaxBR and MaxCPB, kbit/s and kbit, before the profile's factor.
    bitrate: u64,
    coded_buffer: u64,
}

const fn limits(idc: u8, speed: u64, frame: u64, buffer: u64, bitrate: u64, coded_buffer: u64) -> Limits {
    Limits { idc, speed, frame, buffer, bitrate, coded_buffer }
}

const LEVELS: [Limits; 19] = [
    limits(10, 1485, 99, 396, 64, 175),
    limits(11, 3000, 396, 900, 192, 500),
    limits(12, 6000, 396, 2376, 384, 1000),
    limits(13, 11_880, 396, 2376, 768, 2000),
    limits(20, 11_880, 396, 2376, 2000, 2000),
    limits(21, 19_800, 792, 4752, 4000, 4000),
    limits(22, 20_250, 1620, 8100, 4000, 4000),
    limits(30, 40_500, 1620, 8100, 10_000, 10_000),
    limits(31, 108_000, 3600, 18_000, 14_000, 14_000),
    limits(32, 216_000, 5120, 20_480, 20_000, 20_000),
    limits(40, 245_760, 8192, 32_768, 20_000, 25_000),
    limits(41, 245_760, 8192, 32_768, 50_000, 62_500),
    limits(42, 522_240, 8704, 34_816, 50_000, 62_500),
    limits(50, 589_824, 22_080, 110_400, 135_000, 135_000),
    limits(51, 983_040, 36_864, 184_320, 240_000, 240_000),
    limits(52, 2_073_600, 36_864, 184_320, 240_000, 240_000),
    limits(60, 4_177_920, 139_264, 696_320, 240_000, 240_000),
    limits(61, 8_355_840, 139_264, 696_320, 480_000, 480_000),
    limits(62, 16_711_680, 139_264, 696_320, 800_000, 800_000),
];

impl Level {
    /// The lowest level that allows the rung, whose VBV buffer holds one second.
    pub(super) fn of(rung: &PlannedRung) -> Option<Self> {
        let (across, down) = (u64::from(rung.width.div_ceil(16)), u64::from(rung.height.div_ceil(16)));
        let macroblocks = across * down;
        let (num, den) = (u64::from(rung.frame_rate.num.get()), u64::from(rung.frame_rate.den.get()));
        // Table A-2: the High profile may have a quarter more.
        let percent = if rung.profile.contains("high") { 125 } else { 100 };
        let kilobits = u64::from(rung.bitrate).div_ceil(1000);
        let fits = |level: &&Limits| {
            macroblocks * num <= level.speed * den
                && macroblocks <= level.frame
                && across.max(down).pow(2) <= 8 * level.frame
                && macroblocks * needed(rung.b_frames, &rung.preset) <= level.buffer
                && kilobits * 100 <= level.bitrate.min(level.coded_buffer) * percent
        };
        LEVELS.iter().find(fits).map(|level| Self(level.idc))
    }

    /// How many frames a decoder of this level holds of such pictures (ISO/IEC 14496-10 A.3.1 h).
    pub(super) fn frames_held(self, width: u32, height: u32) -> u32 {
        let macroblocks = u64::from(width.div_ceil(16)) * u64::from(height.div_ceil(16));
        let buffer = LEVELS.iter().find(|level| level.idc == self.0).map_or(0, |level| level.buffer);
        (buffer / macroblocks.max(1)).clamp(1, 16) as u32
    }
}

/// Frames that x264 keeps for reference with a preset.
pub(super) fn references(preset: &str) -> u32 {
    match preset {
        "ultrafast" | "superfast" | "veryfast" => 1,
        "faster" | "fast" => 2,
        "slow" => 5,
        "slower" => 8,
        "veryslow" | "placebo" => 16,
        _ => 3,
    }
}

/// Frames that a decoder has to hold at least: those that wait for their turn to be shown, and few for reference.
fn needed(b_frames: u32, preset: &str) -> u64 {
    let reordered = [0, 2, 4][b_frames.min(2) as usize];
    u64::from(references(preset).min(4).max(reordered))
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}
