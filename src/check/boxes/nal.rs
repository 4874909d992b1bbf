//! What kind of picture a sample begins with.

use super::Pictures;

/// True if the first coded slice in a sample is of an IDR picture; `None` if there is none that can be read, as in a
/// sample that is encrypted from its start.
pub(super) fn begins_with_idr(sample: &[u8], pictures: Pictures) -> Option<bool> {
    let (Pictures::Avc(length) | Pictures::Hevc(length)) = pictures;
    let mut rest = sample;
    while !rest.is_empty() {
        let (size, behind) = rest.split_at_checked(usize::from(length))?;
        let size = size.iter().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
        let (unit, behind) = behind.split_at_checked(size)?;
        rest = behind;
        let Some(first) = unit.first() else { continue };
        let slice = match pictures {
            // nal_unit_type 1 to 5 are slices, 5 those of an IDR picture (ISO/IEC 14496-10 table 7-1).
            Pictures::Avc(_) => {
                Some(first & 0x1f).filter(|kind| (1..=5).contains(kind)).map(|kind| kind == 5)
            }
            // Below 32 are slices; 19 and 20 are IDR_W_RADL and IDR_N_LP (ISO/IEC 23008-2 table 7-1).
            Pictures::Hevc(_) => {
                Some(first >> 1 & 0x3f).filter(|kind| *kind < 32).map(|kind| matches!(kind, 19 | 20))
            }
        };
        if slice.is_some() {
            return slice;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_slice_decides_and_what_is_before_it_is_passed_over() {
        let avc = |kinds: &[u8]| {
            let sample: Vec<u8> = kinds.iter().flat_map(|&kind| [0, 0, 0, 2, kind, 0]).collect();
            begins_with_idr(&sample, Pictures::Avc(4))
        };
        assert_eq!(avc(&[0x09, 0x67, 0x68, 0x06, 0x65, 0x41]), Some(true));
        assert_eq!(avc(&[0x09, 0x41, 0x65]), Some(false));
        assert_eq!(avc(&[0x09, 0x67]), None);
        let hevc = |kind: u8| begins_with_idr(&[0, 2, 32 << 1, 0, 0, 2, kind << 1, 0], Pictures::Hevc(2));
        assert_eq!(
            (hevc(19), hevc(20), hevc(21), hevc(1)),
            (Some(true), Some(true), Some(false), Some(false))
        );
        assert_eq!(begins_with_idr(&[0, 0, 1, 0, 0x65], Pictures::Avc(4)), None);
    }
}
