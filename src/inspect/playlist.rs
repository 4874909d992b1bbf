//! An HLS playlist in a few words.

use std::io::{self, Write};

/// More of a playlist is not read.
pub(super) const LARGEST: u64 = 16 << 20;

/// Says what the playlist `text` of the file `name` has in it.
pub(super) fn describe(text: &str, name: &str, out: &mut impl Write) -> io::Result<()> {
    let value = |tag: &str| text.lines().find_map(|line| line.strip_prefix(tag)).map(str::trim);
    let count = |tag: &str| text.lines().filter(|line| line.starts_with(tag)).count();
    let version = value("#EXT-X-VERSION:").unwrap_or("1");
    let variants = count("#EXT-X-STREAM-INF:");
    if variants > 0 {
        writeln!(out, "{name}: HLS multivariant playlist, version {version}")?;
        writeln!(out, "{variants} variants, {} renditions", count("#EXT-X-MEDIA:"))?;
        return text
            .lines()
            .filter_map(|line| line.strip_prefix("#EXT-X-STREAM-INF:"))
            .try_for_each(|attributes| writeln!(out, "  {attributes}"));
    }
    let seconds: f64 = text
        .lines()
        .filter_map(|line| line.strip_prefix("#EXTINF:")?.split(',').next()?.trim().parse::<f64>().ok())
        .sum();
    let ended = if value("#EXT-X-ENDLIST").is_some() { "complete" } else { "still growing" };
    writeln!(out, "{name}: HLS media playlist, version {version}, {ended}")?;
    writeln!(
        out,
        "{} segments, {seconds:.3} s, from media sequence {}, target duration {} s",
        count("#EXTINF:"),
        value("#EXT-X-MEDIA-SEQUENCE:").unwrap_or("0"),
        value("#EXT-X-TARGETDURATION:").unwrap_or("missing"),
    )?;
    writeln!(
        out,
        "{} parts, {} discontinuities, {} gaps, init segment {}",
        count("#EXT-X-PART:"),
        text.lines().filter(|line| line.trim() == "#EXT-X-DISCONTINUITY").count(),
        text.lines().filter(|line| line.trim() == "#EXT-X-GAP").count(),
        value("#EXT-X-MAP:").unwrap_or("none"),
    )
}
