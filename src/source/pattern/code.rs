//! The machine-readable code in the test picture: a row of 64 black and white cells that carry a time.
//!
//! Geometry, in fractions of the picture, so that it survives scaling: the row spans 1/16 to 15/16 of the width and
//! 4 % to 9 % of the height; each of the 64 cells has the same width. From the left:
//!
//! | cells | content |
//! |---|---|
//! | 0-3 | sync: white, black, white, black |
//! | 4-51 | 48 bits, most significant first: milliseconds since the Unix epoch; white is one |
//! | 52-59 | CRC-8 of those 6 bytes (polynomial 0x07, initial value 0), most significant bit first |
//! | 60-63 | sync: black, white, black, white |
//!
//! It is read from the centre of the cells, against a threshold half way between the white and the black sync cells.

use super::{BLACK, Luma, Rect, WHITE};

const CELLS: usize = 64;
const SYNC_HEAD: u64 = 0b1010;
const SYNC_TAIL: u64 = 0b0101;

/// Where a cell lies in a picture of `width` by `height` pixels.
fn cell(index: usize, width: usize, height: usize) -> Rect {
    let edge = |index: usize| width / 16 + index * (width * 14 / 16) / CELLS;
    let (top, bottom) = (height * 4 / 100, height * 9 / 100);
    Rect { x: edge(index), y: top, width: edge(index + 1) - edge(index), height: bottom - top }
}

fn crc8(bits: u64) -> u64 {
    let mut crc = 0u8;
    for byte in &bits.to_be_bytes()[2..] {
        crc ^= byte;
        for _ in 0..8 {
            crc = if crc & 0x80 != 0 { crc << 1 ^ 0x07 } else { crc << 1 };
        }
    }
    u64::from(crc)
}

fn word(unix_millis: u64) -> u64 {
    let bits = unix_millis & ((1 << 48) - 1);
    SYNC_HEAD << 60 | bits << 12 | crc8(bits) << 4 | SYNC_TAIL
}

pub(super) fn write(luma: &mut Luma<'_>, width: usize, height: usize, unix_millis: u64) {
    let word = word(unix_millis);
    for index in 0..CELLS {
        let white = word >> (CELLS - 1 - index) & 1 == 1;
        luma.fill(cell(index, width, height), if white { WHITE } else { BLACK });
    }
}

/// Reads the code from the luma plane of a picture: milliseconds since the Unix epoch, or `None` if there is no
/// code, or one that is damaged.
pub fn read(luma: &[u8], stride: usize, width: usize, height: usize) -> Option<u64> {
    let levels = (0..CELLS)
        .map(|index| level(luma, stride, cell(index, width, height)))
        .collect::<Option<Vec<u32>>>()?;
    let white = (levels[0] + levels[2] + levels[61] + levels[63]) / 4;
    let black = (levels[1] + levels[3] + levels[60] + levels[62]) / 4;
    if white < black + 60 {
        return None;
    }
    let threshold = (white + black) / 2;
    let read = levels.iter().fold(0u64, |word, level| word << 1 | u64::from(*level > threshold));
    let millis = read >> 12 & ((1 << 48) - 1);
    (read == word(millis)).then_some(millis)
}

/// Mean luma of the middle half of a cell.
fn level(luma: &[u8], stride: usize, cell: Rect) -> Option<u32> {
    let (x, width) = (cell.x + cell.width / 4, cell.width.div_ceil(2));
    let (y, height) = (cell.y + cell.height / 4, cell.height.div_ceil(2));
    if cell.width < 2 || cell.height < 2 {
        return None;
    }
    let mut sum = 0;
    for row in y..y + height {
        let pixels = luma.get(row * stride + x..row * stride + x + width)?;
        sum += pixels.iter().map(|pixel| u32::from(*pixel)).sum::<u32>();
    }
    Some(sum / (width * height) as u32)
}
