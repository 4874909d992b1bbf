//! HLS: multivariant and media playlists (rfc8216bis).
