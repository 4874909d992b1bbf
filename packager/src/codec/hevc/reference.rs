//! The parts of a sequence parameter set that are only passed over, to reach what lies behind them.

use crate::codec::{Error, bits::Bits};

/// 7.3.4.
pub(super) fn scaling_lists(bits: &mut Bits<'_>) -> Result<(), Error> {
    for size in 0..4_u32 {
        let matrices = if size == 3 { 2 } else { 6 };
        for _ in 0..matrices {
            if !bits.flag()? {
                bits.unsigned()?;
                continue;
            }
            if size > 1 {
                bits.signed()?;
            }
            (0..64.min(1 << (4 + 2 * size))).try_for_each(|_| bits.signed().map(drop))?;
        }
    }
    Ok(())
}

/// All sets of 7.3.7.
pub(super) fn short_term_sets(bits: &mut Bits<'_>) -> Result<(), Error> {
    let sets = bits.unsigned_up_to(64, "num_short_term_ref_pic_sets")?;
    (0..sets).try_fold(0, |pictures, set| short_term_set(bits, set, pictures)).map(drop)
}

/// Passes over one set and returns how many pictures are in it; `previous` is how many are in the one before, from
/// which it may be predicted.
fn short_term_set(bits: &mut Bits<'_>, set: u32, previous: u32) -> Result<u32, Error> {
    if set > 0 && bits.flag()? {
        bits.skip(1)?; // delta_rps_sign
        bits.unsigned()?;
        return (0..=previous).try_fold(0, |pictures, _| {
            let used = bits.flag()?;
            Ok(pictures + u32::from(used || bits.flag()?))
        });
    }
    let negative = bits.unsigned_up_to(16, "num_negative_pics")?;
    let positive = bits.unsigned_up_to(16, "num_positive_pics")?;
    for _ in 0..negative + positive {
        bits.unsigned()?;
        bits.skip(1)?;
    }
    Ok(negative + positive)
}
