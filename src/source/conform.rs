//! Puts timestamps on the grid.

use headwater_packager::time::{FrameRate, Grid, Timescale};

use super::{BLOCK, SAMPLE_RATE};

/// Where media begins: the first frame and the first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Index of the first frame.
    pub frame: i64,
    /// Index of the first block.
    pub block: i64,
}

impl Origin {
    /// The start of a timeline that counts from zero.
    pub const ZERO: Self = Self { frame: 0, block: 0 };

    /// The first frame and the first block that start at or after the first segment line that is not before `nanos`.
    pub fn live(grid: &Grid, rate: FrameRate, nanos: i128) -> Self {
        let line = i128::from(grid.first_segment_at_or_after(nanos)) * grid.segment.as_nanos() as i128;
        let samples = Timescale::new(SAMPLE_RATE).map_or(0, |scale| scale.ceil(line));
        Self { frame: rate.frame_at_or_after(line), block: -(-samples).div_euclid(BLOCK) }
    }
}
