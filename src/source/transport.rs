//! Reads from MPEG-TS (ISO/IEC 13818-1) what GStreamer's demultiplexer does not hand on: the sender's own timestamps.
//! Pure, and forgiving: what is not a packet or has no timestamp is passed over.

/// Bytes of a packet (ISO/IEC 13818-1 2.4.3.2).
const PACKET: usize = 188;
const SYNC: u8 = 0x47;
/// Bytes of a PES header before its optional fields.
const FIXED: usize = 9;

/// The beginning of a PES packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit<'a> {
    /// The elementary stream that it belongs to.
    pub pid: u16,
    /// When it is presented: 33 bits at 90 kHz.
    pub pts: u64,
    /// When it is decoded; the same, where nothing else is said.
    pub dts: u64,
    /// As much of its payload as lies in its first transport packet.
    pub head: &'a [u8],
}

/// The PES packets that begin in `bytes` and say when. Packets may lie anywhere in `bytes`, one behind the other.
pub fn units(bytes: &[u8]) -> impl Iterator<Item = Unit<'_>> {
    bytes[first(bytes)..].chunks_exact(PACKET).filter_map(unit)
}

/// Where the first packet begins.
fn first(bytes: &[u8]) -> usize {
    let begins = |at: &usize| bytes[*at] == SYNC && bytes.get(at + PACKET).is_none_or(|next| *next == SYNC);
    (0..bytes.len().min(PACKET)).find(begins).unwrap_or(bytes.len())
}

fn unit(packet: &[u8]) -> Option<Unit<'_>> {
    let [sync, flags, low, control, ..] = *packet else { return None };
    let (broken, starts, scrambled) = (flags & 0x80 != 0, flags & 0x40 != 0, control & 0xc0 != 0);
    if sync != SYNC || broken || !starts || scrambled || control & 0x10 == 0 {
        return None;
    }
    // An adaptation field comes before the payload (2.4.3.4).
    let skipped = if control & 0x20 != 0 { 1 + usize::from(*packet.get(4)?) } else { 0 };
    let (pts, dts, head) = stamps(packet.get(4 + skipped..)?)?;
    Some(Unit { pid: u16::from_be_bytes([flags & 0x1f, low]), pts, dts, head })
}

/// PTS, DTS and what is behind the header (2.4.3.6).
fn stamps(pes: &[u8]) -> Option<(u64, u64, &[u8])> {
    let [0, 0, 1, stream, _, _, marker, flags, length, ..] = *pes else { return None };
    // Sound, pictures, private streams 1 (AC-3) and extended ones; others have no such header.
    if !matches!(stream, 0xc0..=0xef | 0xbd | 0xfd) || marker & 0xc0 != 0x80 || flags & 0x80 == 0 {
        return None;
    }
    let pts = stamp(pes.get(FIXED..)?)?;
    let dts = if flags & 0x40 != 0 { stamp(pes.get(FIXED + 5..)?)? } else { pts };
    Some((pts, dts, pes.get(FIXED + usize::from(length)..)?))
}

fn stamp(field: &[u8]) -> Option<u64> {
    let [a, b, c, d, e, ..] = *field else { return None };
    let [a, b, c, d, e] = [a, b, c, d, e].map(u64::from);
    Some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(prefix: u64, ticks: u64) -> [u8; 5] {
        let part = |shift: u64, bits: u64| ticks >> shift & ((1 << bits) - 1);
        [
            (prefix << 4 | part(30, 3) << 1 | 1) as u8,
            part(22, 8) as u8,
            (part(15, 7) << 1 | 1) as u8,
            part(7, 8) as u8,
            (part(0, 7) << 1 | 1) as u8,
        ]
    }

    /// A packet with the beginning of a PES packet, its payload at its end behind stuffing.
    fn packet(pid: u16, stream: u8, stamps: &[[u8; 5]], payload: &[u8]) -> Vec<u8> {
        let flags = [0, 0x80, 0xc0][stamps.len()];
        let mut pes = vec![0, 0, 1, stream, 0, 0, 0x80, flags, 5 * stamps.len() as u8];
        pes.extend(stamps.concat());
        pes.extend(payload);
        let [high, low] = pid.to_be_bytes();
        let mut packet = vec![SYNC, 0x40 | high, low, 0x30, (PACKET - 5 - pes.len()) as u8];
        packet.resize(PACKET - pes.len(), 0xff);
        packet.extend(pes);
        packet
    }

    #[test]
    fn the_stamps_of_pictures_and_sound_are_read_wherever_the_first_packet_lies() {
        const LATEST: u64 = (1 << 33) - 1;
        let picture = packet(0x100, 0xe0, &[field(3, LATEST), field(1, LATEST - 3003)], b"picture");
        let sound = packet(0x101, 0xc0, &[field(2, 126_000)], b"sound");
        let mute = packet(0x101, 0xc0, &[], b"no time");
        let table = [&[SYNC, 0x40, 0, 0x10, 0][..], &[0; PACKET - 5]].concat();
        let goes_on = [&[SYNC, 0x01, 0, 0x10][..], &[0; PACKET - 4]].concat();
        let bytes = [&b"\x80rest of another"[..], &table, &picture, &goes_on, &sound, &mute].concat();
        let expected = [
            Unit { pid: 0x100, pts: LATEST, dts: LATEST - 3003, head: b"picture" },
            Unit { pid: 0x101, pts: 126_000, dts: 126_000, head: b"sound" },
        ];
        assert_eq!(units(&bytes).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_is_cut_off_or_no_transport_stream_gives_nothing_and_does_no_harm() {
        let whole = packet(0x100, 0xe0, &[field(3, 1), field(1, 1)], b"");
        for length in 0..PACKET {
            assert_eq!(units(&whole[..length]).count(), 0, "{length}");
            assert!(unit(&whole[..length]).is_none_or(|unit| unit.pts == 1), "{length}");
        }
        for byte in [0, SYNC, 0xff] {
            assert_eq!(units(&[byte; 1316]).count(), 0, "{byte}");
        }
    }
}
