//! What is held to: the design's invariants, and what else a low-latency player counts on.

use serde::{Serialize, Serializer};

macro_rules! invariants {
    ($($name:ident $id:literal $title:literal, $absent:literal;)*) => {
        /// A promise of a server to its players and caches. `I-..` are those of the design, `X-..` what the
        /// specifications ask beyond them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Invariant { $(#[doc = $title] $name,)* }

        impl Invariant {
            /// All of them, in the order of the report.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Such as `I-07`.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }

            /// What is promised, in words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Why it may not have been looked at.
            pub(super) fn usual_reason(self) -> &'static str {
                match self { $(Self::$name => $absent,)* }
            }
        }
    };
}

invariants! {
    I01 "I-01" "the media sequence number never goes back", "no HLS playlist was read twice";
    I02 "I-02" "one number, one URL, one duration", "no HLS playlist was read twice";
    I03 "I-03" "TARGETDURATION is constant, equal in all renditions, and never exceeded", "no HLS playlist was given";
    I04 "I-04" "a segment keeps its discontinuity number", "no list with discontinuities slid";
    I05 "I-05" "what is listed can be fetched whole, then and for as long as it must be", "nothing was listed";
    I06 "I-06" "no URL has two bodies, and its ETag says so", "no URL was fetched twice";
    I07 "I-07" "parts are their segment, and durations are those of the media", "no parts or durations to compare";
    I08 "I-08" "parts are as long as PART-TARGET says", "no parts are listed";
    I09 "I-09" "all renditions have parts, PART-INF and SERVER-CONTROL alike", "fewer than two live renditions";
    I10 "I-10" "a blocked reply has what was asked for, or is an error in time", "blocking reload is not offered";
    I11 "I-11" "a new segment within 1.5 target durations, and three in the list", "no live HLS playlist was given";
    I12 "I-12" "the MPD's times stay, and name the same media for ever", "no MPD was given";
    I13 "I-13" "media follows media without gap or overlap", "no two neighbouring segments were read";
    I14 "I-14" "PROGRAM-DATE-TIME goes on with the media, and is true", "no list has PROGRAM-DATE-TIME";
    I15 "I-15" "a segment starts with an IDR, at one instant in all renditions", "no segment of video was read";
    I16 "I-16" "no document is torn", "no document was read";
    X01 "X-01" "a delta update gives the full playlist", "delta updates are not offered";
    X02 "X-02" "rendition reports are there, and fresh", "no low latency, or one rendition only";
    X03 "X-03" "a preload hint is what comes next, and is held until it does", "no live list with parts";
    X04 "X-04" "SERVER-CONTROL has the least values of the specification", "no SERVER-CONTROL";
    X05 "X-05" "caches may keep things as long as is right", "nothing was fetched";
    X06 "X-06" "the clock that the MPD names answers, and is right", "no live MPD was given";
    X07 "X-07" "producer reference times of MPD and media agree", "no ProducerReferenceTime";
    X08 "X-08" "a segment that is announced early is streamed as it is made", "no segment is announced early";
    X09 "X-09" "what players want besides", "nothing was fetched";
}

impl Serialize for Invariant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}
