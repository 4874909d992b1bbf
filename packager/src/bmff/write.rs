//! Writing boxes: a size is left open and patched when its box closes.

use bytes::BufMut;

/// Appends a box of type `kind` whose contents `body` appends. Boxes here are headers, far below 4 GiB.
pub(super) fn write_box(out: &mut Vec<u8>, kind: [u8; 4], body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_u32(0);
    out.put_slice(&kind);
    body(out);
    let size = (out.len() - start) as u32;
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Appends a FullBox (ISO/IEC 14496-12 4.2).
pub(super) fn write_full_box(
    out: &mut Vec<u8>,
    kind: [u8; 4],
    version: u8,
    flags: u32,
    body: impl FnOnce(&mut Vec<u8>),
) {
    write_box(out, kind, |out| {
        out.put_u32(u32::from(version) << 24 | flags);
        body(out);
    });
}

/// Appends a descriptor of ISO/IEC 14496-1 7.2.2.2, whose length is written seven bits a byte.
pub(super) fn write_descriptor(out: &mut Vec<u8>, tag: u8, body: impl FnOnce(&mut Vec<u8>)) {
    let mut contents = Vec::new();
    body(&mut contents);
    out.put_u8(tag);
    let length = contents.len();
    (1..4).rev().filter(|&group| length >> (7 * group) > 0).for_each(|group| {
        out.put_u8(0x80 | (length >> (7 * group) & 0x7f) as u8);
    });
    out.put_u8((length & 0x7f) as u8);
    out.put_slice(&contents);
}
