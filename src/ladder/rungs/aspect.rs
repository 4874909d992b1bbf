//! Sizes and pixel aspects.

use super::Picture;
use crate::config::{
    Rung,
    rung::{BITRATES, MAX_SIDE, MIN_SIDE},
};

/// VUI `sar_width` and `sar_height` have 16 bits (ISO/IEC 14496-10 E.2.1).
const MAX_SAMPLE_ASPECT: u64 = u16::MAX as u64;

/// Width of a rung of `height`, and the pixel aspect that keeps the display aspect exact. Pixels become as good as
/// square, unless that would stretch the picture beyond the source's own width.
pub(super) fn width(height: u32, picture: &Picture) -> (u32, (u32, u32)) {
    let (num, den) = display_aspect(picture);
    let square = even(u64::from(height) * num, den);
    let width = square.min(even(u64::from(picture.width), 1));
    (width, fraction(u64::from(height) * num, u64::from(width) * den))
}

/// True if some of the picture would be enlarged.
pub(super) fn upscales(rung: &Rung, picture: &Picture) -> bool {
    match rung.width {
        None => rung.height > picture.height,
        Some(width) => {
            let (num, den) = display_aspect(picture);
            // The picture is fitted into the box, so it is enlarged only if the box is larger in both directions.
            rung.height > picture.height && u64::from(width) * den > u64::from(picture.height) * num
        }
    }
}

/// The rung as large as the source, with the bitrate that its pixels deserve.
pub(super) fn shrunk(rung: &Rung, picture: &Picture) -> Rung {
    let (num, den) = display_aspect(picture);
    let by_height = f64::from(picture.height) / f64::from(rung.height);
    let scale = rung.width.map_or(by_height, |width| {
        by_height.max(f64::from(picture.height) * num as f64 / den as f64 / f64::from(width))
    });
    let side = |pixels: u32| (((f64::from(pixels) * scale / 2.0).floor() as u32) * 2).max(MIN_SIDE);
    Rung {
        height: side(rung.height),
        width: rung.width.map(side),
        bitrate: ((f64::from(rung.bitrate) * scale.powf(1.5)) as u32).max(*BITRATES.start()),
        ..rung.clone()
    }
}

fn display_aspect(picture: &Picture) -> (u64, u64) {
    let (num, den) = picture.sample_aspect;
    let num = u64::from(picture.width) * u64::from(num.max(1));
    let den = u64::from(picture.height) * u64::from(den.max(1));
    let divisor = gcd(num, den);
    (num / divisor, den / divisor)
}

/// `num / den` as an even number of pixels, the nearest one.
fn even(num: u64, den: u64) -> u32 {
    let pixels = (num + den) / (2 * den) * 2;
    pixels.clamp(u64::from(MIN_SIDE), u64::from(MAX_SIDE)) as u32
}

/// `num / den` in lowest terms, or the last of its continued fraction's convergents that fits 16 bits.
fn fraction(num: u64, den: u64) -> (u32, u32) {
    let (mut rest, mut divisor) = (num, den);
    let (mut previous, mut current) = ((0, 1), (1, 0));
    while divisor != 0 {
        let whole = rest / divisor;
        let next = (whole * current.0 + previous.0, whole * current.1 + previous.1);
        if next.0 > MAX_SAMPLE_ASPECT || next.1 > MAX_SAMPLE_ASPECT {
            break;
        }
        (previous, current) = (current, next);
        (rest, divisor) = (divisor, rest % divisor);
    }
    (current.0 as u32, current.1 as u32)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}
