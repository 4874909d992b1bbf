//! Observations made for the rules' tests.

use std::time::Duration;

use crate::check::{
    hls::{self, Playlist},
    judge::Judge,
};

/// Segments 7 to 9 of two seconds, parts of a second in the last of them, and one part of segment 10.
pub(in crate::check) const LIST: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3,CAN-SKIP-UNTIL=12,HOLD-BACK=6\n\
#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:7\n#EXT-X-MAP:URI=\"init.mp4\"\n\
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:14.000Z\n#EXTINF:2.000,\n7.m4s\n\
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:16.000Z\n#EXTINF:2.000,\n8.m4s\n\
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:18.000Z\n\
#EXT-X-PART:DURATION=1.000,URI=\"9.0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=1.000,URI=\"9.1.m4s\"\n\
#EXTINF:2.000,\n9.m4s\n\
#EXT-X-PART:DURATION=1.000,URI=\"10.0.m4s\",INDEPENDENT=YES\n\
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"10.1.m4s\"\n\
#EXT-X-RENDITION-REPORT:URI=\"../audio/index.m3u8\",LAST-MSN=10,LAST-PART=0\n";

/// The list once segment 10 is whole, as it has to be.
pub(in crate::check) const NEXT: &str = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n\
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3,CAN-SKIP-UNTIL=12,HOLD-BACK=6\n\
#EXT-X-PART-INF:PART-TARGET=1\n#EXT-X-MEDIA-SEQUENCE:8\n#EXT-X-MAP:URI=\"init.mp4\"\n\
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:16.000Z\n#EXTINF:2.000,\n8.m4s\n\
#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:18.000Z\n\
#EXT-X-PART:DURATION=1.000,URI=\"9.0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=1.000,URI=\"9.1.m4s\"\n\
#EXTINF:2.000,\n9.m4s\n#EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:20.000Z\n\
#EXT-X-PART:DURATION=1.000,URI=\"10.0.m4s\",INDEPENDENT=YES\n#EXT-X-PART:DURATION=1.000,URI=\"10.1.m4s\"\n\
#EXTINF:2.000,\n10.m4s\n\
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"11.0.m4s\"\n";

pub(in crate::check) fn playlist(text: &str) -> Playlist {
    hls::read(text.as_bytes()).unwrap()
}

pub(in crate::check) fn judge() -> Judge {
    Judge::new("http://host/v/index.m3u8", Duration::from_secs(1))
}
