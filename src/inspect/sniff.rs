//! What a file is, by its first bytes.

/// So many bytes are looked at.
pub(super) const ENOUGH: u64 = 1024;

/// Kind of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// No bytes.
    Empty,
    /// A file of boxes: MP4, CMAF, QuickTime.
    Boxes,
    /// An HLS playlist.
    Playlist,
    /// Something else.
    Foreign {
        /// What it is.
        what: &'static str,
        /// What would be right.
        advice: &'static str,
    },
}

const PACKAGE: &str = "`ffprobe` describes it, and `headwater package` encodes whatever GStreamer can decode";

/// Types that a file or segment may begin with.
const FIRST_BOXES: [&[u8]; 17] = [
    b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"prft", b"emsg", b"sidx",
    b"pdin", b"meta", b"uuid", b"mfra", b"pnot", b"ssix",
];

/// Containers by the bytes that they begin with.
const SIGNATURES: [(&[u8], &str); 10] = [
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM file"),
    (b"FLV", "an FLV file"),
    (b"OggS", "an Ogg file"),
    (b"RIFF", "a RIFF file (AVI or WAVE)"),
    (b"ID3", "an audio stream with ID3 tags (MP3, or packed AAC of HLS)"),
    (b"\xff\xf1", "a bare AAC stream (ADTS)"),
    (b"\xff\xf9", "a bare AAC stream (ADTS)"),
    (b"\x00\x00\x01\xba", "an MPEG program stream"),
    (b"\x00\x00\x00\x01", "a bare H.264 or H.265 stream"),
    (b"fLaC", "a FLAC file"),
];

/// The kind of the file that starts with `start`.
pub(super) fn kind(start: &[u8]) -> Kind {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    if start.is_empty() {
        return Kind::Empty;
    }
    if start.get(4..8).is_some_and(|kind| FIRST_BOXES.contains(&kind)) {
        return Kind::Boxes;
    }
    if text.starts_with(b"#EXTM3U") {
        return Kind::Playlist;
    }
    if [0, 188, 376].iter().all(|&at| start.get(at).is_none_or(|&byte| byte == 0x47)) && start.len() > 188 {
        return Kind::Foreign { what: "an MPEG transport stream", advice: PACKAGE };
    }
    if let Some((_, what)) = SIGNATURES.iter().find(|(signature, _)| start.starts_with(signature)) {
        return Kind::Foreign { what, advice: PACKAGE };
    }
    if is_text(start) {
        let xml = text.trim_ascii_start().starts_with(b"<");
        let manifest = xml && start.windows(4).any(|window| window == b"<MPD");
        let what = match (manifest, xml) {
            (true, _) => "an MPEG-DASH manifest",
            (_, true) => "an XML document",
            _ => "text",
        };
        return Kind::Foreign { what, advice: "inspect tells of MP4 files, CMAF segments and HLS playlists" };
    }
    Kind::Foreign { what: "of no kind that is known here", advice: PACKAGE }
}

fn is_text(start: &[u8]) -> bool {
    let printable = |&&byte: &&u8| byte >= 0x20 || matches!(byte, b'\n' | b'\r' | b'\t');
    // A character may be cut at the end of what was looked at.
    let whole = std::str::from_utf8(start).map_or_else(|error| error.error_len().is_none(), |_| true);
    whole && start.iter().filter(printable).count() == start.len()
}
