//! Mutations of inputs, the same in every run.

/// A xorshift generator: small, seeded, good enough to choose bytes.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as usize).checked_rem(end).unwrap_or(0)
    }
}

/// Numbers at which length checks go wrong.
const NUMBERS: [u32; 14] =
    [0, 1, 2, 7, 8, 9, 15, 16, 0xffff, 0x00ff_ffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fff8, 0xffff_ffff];

/// Types that make a reader look inside.
const TYPES: [&[u8; 4]; 16] = [
    b"moov", b"trak", b"stsd", b"avc1", b"mp4a", b"meta", b"ilst", b"udta", b"moof", b"trun", b"elst",
    b"stsz", b"stsc", b"esds", b"avcC", b"hvcC",
];

/// Changes `input` in one to eight places.
pub fn mutate(input: &mut Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) {
    for _ in 0..=random.below(8) {
        let at = random.below(input.len());
        match random.below(8) {
            0 => input.truncate(at),
            1 => flip(input, at, random),
            2 | 3 => overwrite(input, at, &NUMBERS[random.below(NUMBERS.len())].to_be_bytes()),
            4 => overwrite(input, at, TYPES[random.below(TYPES.len())]),
            5 => {
                let end = (at + random.below(64)).min(input.len());
                let piece = input[at..end].to_vec();
                let to = random.below(input.len());
                input.splice(to..to, piece);
            }
            6 => drop(input.drain(at..(at + random.below(32)).min(input.len()))),
            _ => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len());
                let piece = &other[from..(from + random.below(256)).min(other.len())];
                input.splice(at..at, piece.iter().copied());
            }
        }
    }
}

fn flip(input: &mut [u8], at: usize, random: &mut Random) {
    if let Some(byte) = input.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn overwrite(input: &mut [u8], at: usize, bytes: &[u8; 4]) {
    if let Some(place) = input.get_mut(at..at + 4) {
        place.copy_from_slice(bytes);
    }
}
