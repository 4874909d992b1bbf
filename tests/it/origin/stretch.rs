//! Stretches of a channel that is published by hand: what is answered, and what is refused.

use std::ops::RangeInclusive;

use headwater::channel::{archive::Archive, edge::Rendition, listing::Listing};
use headwater_packager::{
    bmff,
    codec::CodecConfig,
    time::Timescale,
    track::{Audio, Media, Track, Video},
    window::{Bandwidth, Era, Segment, Window},
};
use m3u8_rs::MediaPlaylistType;
use tokio::sync::watch::Sender;

use super::*;

/// How long the segments of the demo are.
pub(super) const SEGMENT: Duration = Duration::from_secs(6);
/// Where the first that is listed begins, and the last ends, in seconds since 1970.
pub(super) const BEGIN: i64 = (LAST - 9) * 6;
const END: i64 = (LAST + 1) * 6;

/// The record of a High profile stream by x264, as far as its codec string needs.
const AVC: &[u8] = &[1, 0x64, 0, 0x1f, 0xff, 0xe0, 0];

pub(super) fn rendition(name: &str) -> Rendition {
    let (codec, media) = if name.starts_with("audio") {
        let audio = Audio { sample_rate: 48_000, channels: 2, language: "en".into() };
        (CodecConfig::Aac(Bytes::from_static(&[0x11, 0x90])), Media::Audio(audio))
    } else {
        let video = Video { width: 1280, height: 720, sample_aspect: (1, 1), frame_rate: None, colour: None };
        (CodecConfig::Avc(Bytes::from_static(AVC)), Media::Video(video))
    };
    let timescale = Timescale::new(1000).unwrap();
    let track = Track { name: name.into(), timescale, codec, media, bitrate: 0, edit_start: 0 };
    Rendition { track: Arc::new(track), bandwidth: Bandwidth { peak: 2000, average: 1000 } }
}

/// What a track of the demo lists.
pub(super) fn listing(name: &str, numbers: RangeInclusive<i64>) -> Arc<Listing> {
    listing_late(name, numbers, 0)
}

/// Pictures of a camera begin so many milliseconds behind the lines of the grid.
fn listing_late(name: &str, numbers: RangeInclusive<i64>, late: i64) -> Arc<Listing> {
    let timescale = Timescale::new(1000).unwrap();
    let era = Arc::new(Era { first: 1, init: "init-0af3.mp4".into(), sequence: 0 });
    let segment = |number: i64| {
        let (start, era) = (number * 6000 + late, era.clone());
        let size = name.len() as u64;
        Segment { number, start, duration: 6000, size, parts: Vec::new(), era, captured_at: 0 }
    };
    Arc::new(Listing::default().followed_by(&Window::of(timescale, numbers.map(segment))))
}

async fn media(response: Response) -> (m3u8_rs::MediaPlaylist, String) {
    assert_eq!(response.status(), 200);
    let text = text(response).await;
    let (rest, playlist) = m3u8_rs::parse_media_playlist(text.as_bytes()).unwrap();
    assert!(rest.is_empty());
    (playlist, text)
}

fn numbers(playlist: &m3u8_rs::MediaPlaylist) -> Vec<String> {
    playlist.segments.iter().map(|segment| segment.uri.clone()).collect()
}

fn named(numbers: RangeInclusive<i64>) -> Vec<String> {
    numbers.map(|number| format!("{number}.m4s")).collect()
}

#[tokio::test]
async fn a_stretch_of_the_past_is_a_video_on_demand_rounded_outwards() {
    let server = serve_demo().await;
    let (start, end) = (BEGIN + 7, BEGIN + 17);
    for track in ["720p", "audio-en"] {
        let said = server.get(&format!("/live/demo/{track}/index.m3u8?start={start}&end={end}")).await;
        // One segment of before is kept, so the first of it for six seconds more at least.
        assert_eq!(field(said.headers(), "cache-control"), "public, max-age=60, stale-if-error=0");
        assert_eq!(field(said.headers(), "cmsd-static"), "ot=m,sf=h,st=v");
        let (playlist, text) = media(said).await;
        assert_eq!(numbers(&playlist), named(LAST - 8..=LAST - 7));
        assert!(playlist.end_list && playlist.playlist_type == Some(MediaPlaylistType::Event));
        assert_eq!(playlist.media_sequence, (LAST - 8) as u64);
        // As it was while it grew: nothing of that may change (rfc8216bis 6.2.1).
        assert!(text.contains("SERVER-CONTROL") && !text.contains("EXT-X-PART"), "{text}");
    }
    let said = server.get(&format!("/live/demo/manifest.mpd?start={start}&end={end}")).await;
    let mpd = text(said).await;
    for part in ["type=\"static\"", "mediaPresentationDuration=\"PT12S\"", "start=\"PT0S\""] {
        assert!(mpd.contains(part), "{part}: {mpd}");
    }
    let offset = format!("presentationTimeOffset=\"{}\"", (BEGIN + 6) * 1000);
    assert_eq!(mpd.matches(&offset).count(), 2, "{mpd}");
}

#[tokio::test]
async fn children_are_asked_for_with_one_spelling_whatever_was_asked() {
    let server = serve_demo().await;
    let expected = format!("?start={}&end={}", BEGIN + 6, BEGIN + 18);
    for query in [
        format!("start={}&end={}", BEGIN + 6, BEGIN + 18),
        format!("end={}.5&x=y&start={}.999999999", BEGIN + 17, BEGIN + 6),
        "start=2147-05-24T16:00:06Z&end=2147-05-24T16:00:18Z".into(),
        "start=2147-05-24T16%3A00%3A06Z&end=2147-05-24T16%3A00%3A17.25Z".into(),
    ] {
        let said = server.get(&format!("/live/demo/index.m3u8?{query}")).await;
        assert_eq!(field(said.headers(), "cache-control"), "public, max-age=60, stale-if-error=0");
        let text = text(said).await;
        let (_, playlist) = m3u8_rs::parse_master_playlist(text.as_bytes()).unwrap();
        assert_eq!(playlist.variants[0].uri, format!("720p/index.m3u8{expected}"), "{query}");
        let audio = playlist.alternatives[0].uri.as_deref().unwrap();
        assert_eq!(audio, format!("audio-en/index.m3u8{expected}"), "{query}");
    }
}

#[tokio::test]
async fn what_is_no_stretch_is_refused_in_words() {
    let server = serve_demo().await;
    let day = 86_400;
    for (query, status, reason) in [
        ("start=soon".to_owned(), 400, "stretch-times"),
        (format!("end={END}"), 400, "stretch-times"),
        (format!("start={END}&end={BEGIN}"), 400, "stretch-times"),
        (format!("start={BEGIN}&start={BEGIN}"), 400, "stretch-times"),
        (format!("start={}&end={}", BEGIN - day, BEGIN + 13), 400, "stretch-too-long"),
        (format!("start={}&end={}", BEGIN - 60, BEGIN), 410, "stretch-gone"),
        (format!("start={END}"), 404, "stretch-ahead"),
        (format!("start={}&end={}", END + 600, END + 700), 404, "stretch-ahead"),
    ] {
        for file in ["index.m3u8", "manifest.mpd", "720p/index.m3u8"] {
            let said = server.get(&format!("/live/demo/{file}?{query}")).await;
            assert_eq!(said.status(), status, "{file}?{query}");
            assert_eq!(field(said.headers(), "headwater-reason"), reason, "{file}?{query}");
            let retry = field(said.headers(), "retry-after").to_owned();
            let words = text(said).await;
            match reason {
                "stretch-ahead" if query.contains('&') => assert_eq!(retry, "606"),
                "stretch-ahead" => assert_eq!(retry, "6"),
                "stretch-gone" => {
                    assert!(words.contains("nor anything before 2147-05-24T16:00:00.000Z"), "{words}")
                }
                "stretch-too-long" => assert!(words.contains("24 hours"), "{words}"),
                _ => assert!(words.contains("2026-11-26T03:00:00Z"), "{words}"),
            }
        }
    }
    for (path, reason) in [
        ("/live/quux/index.m3u8?start=1", "unknown-channel"),
        ("/live/new/index.m3u8?start=1", "not-yet-published"),
        ("/live/demo/999p/index.m3u8?start=5598000006", "unknown-track"),
    ] {
        assert_eq!(field(server.get(path).await.headers(), "headwater-reason"), reason, "{path}");
    }
}

#[tokio::test]
async fn what_begins_before_the_archive_begins_with_it() {
    let server = serve_demo().await;
    let query = format!("start={}&end={}", BEGIN - 3600, BEGIN + 6);
    let said = server.get(&format!("/live/demo/720p/index.m3u8?{query}")).await;
    // It may be the next to leave, and is not deleted before it would have left the playlist.
    assert_eq!(field(said.headers(), "cache-control"), "public, max-age=60, stale-if-error=0");
    assert_eq!(numbers(&media(said).await.0), named(LAST - 9..=LAST - 9));
}

/// A channel of the demo's tracks that is published segment by segment.
struct Going {
    server: Server,
    tracks: HashMap<&'static str, Sender<Arc<TrackEdge>>>,
}

impl Going {
    fn start() -> Self {
        Self::with(["720p", "audio-en"])
    }

    fn with<const N: usize>(names: [&'static str; N]) -> Self {
        Self::over(memory(), names)
    }

    fn over<const N: usize>(store: Store, names: [&'static str; N]) -> Self {
        Self::kept(store, names, false)
    }

    fn kept<const N: usize>(store: Store, names: [&'static str; N], by_bytes: bool) -> Self {
        let mut edge = Edge { renditions: names.map(rendition).into(), by_bytes, ..edge("demo") };
        let tracks = names.map(|name| {
            let (sender, receiver) = watch::channel(edge.tracks["720p"].borrow().clone());
            edge.tracks.insert(name.into(), receiver);
            (name, sender)
        });
        let channels = [("demo".to_owned(), reader(edge, State::Live))].into();
        let origin = Origin::new(Arc::new(channels), store, admission(waiters()));
        Self { server: Server::start(origin), tracks: tracks.into() }
    }

    /// Lists segments up to `last` in a track.
    fn list(&self, track: &str, last: i64) {
        self.lists(track, listing(track, LAST - 9..=last));
    }

    fn lists(&self, track: &str, listing: Arc<Listing>) {
        self.tracks[track]
            .send_modify(|edge| *edge = Arc::new(TrackEdge { listing, ..TrackEdge::clone(edge) }));
    }
}

#[tokio::test]
async fn a_stretch_that_goes_on_is_an_event_until_its_end_is_passed() {
    let going = Going::start();
    let query = format!("start={}&end={}", BEGIN + 12, END + 6);
    let path = format!("/live/demo/720p/index.m3u8?{query}");
    let said = going.server.get(&path).await;
    assert!(field(said.headers(), "cache-control").starts_with("public, max-age=3, "));
    assert_eq!(field(said.headers(), "cmsd-static"), "ot=m,sf=h,st=l");
    let (playlist, body) = media(said).await;
    assert_eq!(numbers(&playlist), named(LAST - 7..=LAST));
    assert!(!playlist.end_list && playlist.playlist_type == Some(MediaPlaylistType::Event));
    assert!(body.contains("CAN-BLOCK-RELOAD=YES") && body.contains("#EXT-X-START:TIME-OFFSET=0"), "{body}");
    let mpd = text(going.server.get(&format!("/live/demo/manifest.mpd?{query}")).await).await;
    assert!(mpd.contains("type=\"dynamic\"") && mpd.contains("start=\"PT0S\""), "{mpd}");
    assert!(mpd.contains("availabilityStartTime=\"2147-05-24T16:00:12.000Z\""), "{mpd}");

    // The list is complete with the track, the whole with all of them.
    going.list("720p", LAST + 1);
    let (playlist, _) = media(going.server.get(&path).await).await;
    assert!(playlist.end_list && playlist.playlist_type == Some(MediaPlaylistType::Event));
    assert_eq!(numbers(&playlist), named(LAST - 7..=LAST + 1));
    let mpd = text(going.server.get(&format!("/live/demo/manifest.mpd?{query}")).await).await;
    assert!(mpd.contains("type=\"dynamic\""), "{mpd}");
    going.list("audio-en", LAST + 2);
    let mpd = text(going.server.get(&format!("/live/demo/manifest.mpd?{query}")).await).await;
    assert!(mpd.contains("type=\"static\"") && mpd.contains("start=\"PT0S\""), "{mpd}");
    assert!(mpd.contains("mediaPresentationDuration=\"PT54S\""), "{mpd}");
}

#[tokio::test]
async fn who_asks_for_the_next_segment_of_a_stretch_waits_for_it() {
    let going = Going::start();
    let path = format!("/live/demo/720p/index.m3u8?start={}", BEGIN + 12);
    let server = &going.server;
    let blocking =
        async |ahead: i64| server.get(&format!("{path}&_HLS_msn={}&_HLS_part=0", LAST + ahead)).await;
    assert_eq!(numbers(&media(blocking(0).await).await.0), named(LAST - 7..=LAST));
    let far = blocking(3).await;
    assert_eq!((far.status().as_u16(), field(far.headers(), "headwater-reason")), (400, "too-far-ahead"));
    let publish = async {
        tokio::task::yield_now().await;
        going.list("audio-en", LAST + 1);
        going.list("720p", LAST + 1);
    };
    let (said, ()) = tokio::join!(blocking(1), publish);
    assert!(field(said.headers(), "cache-control").starts_with("public, max-age=36, "));
    assert_eq!(numbers(&media(said).await.0), named(LAST - 7..=LAST + 1));
}

#[tokio::test]
async fn a_delta_update_of_a_stretch_leaves_out_what_lies_far_behind() {
    let going = Going::start();
    for track in ["720p", "audio-en"] {
        going.list(track, LAST + 40);
    }
    let path = format!("/live/demo/720p/index.m3u8?start={}&_HLS_skip=YES", BEGIN + 12);
    let (_, text) = media(going.server.get(&path).await).await;
    assert!(text.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=42\n"), "{text}");
    assert_eq!(text.matches("#EXTINF").count(), 6, "{text}");
}

#[tokio::test]
async fn a_stretch_begins_where_every_track_has_it() {
    let going = Going::start();
    going.tracks["audio-en"].send_modify(|edge| {
        // A window that begins anew: what lies before is not listed any more.
        let behind = TrackEdge { listing: listing("audio-en", LAST - 4..=LAST), ..TrackEdge::clone(edge) };
        *edge = Arc::new(behind);
    });
    let path = format!("/live/demo/720p/index.m3u8?start={BEGIN}&end={END}");
    assert_eq!(numbers(&media(going.server.get(&path).await).await.0), named(LAST - 4..=LAST));
}

#[tokio::test]
async fn a_stretch_has_no_rung_that_came_later_if_others_go_back_to_where_it_begins() {
    let going = Going::with(["720p", "480p", "audio-en"]);
    let begins = |track: &'static str, first: i64| {
        going.tracks[track].send_modify(|edge| {
            *edge = Arc::new(TrackEdge { listing: listing(track, first..=LAST), ..TrackEdge::clone(edge) });
        });
    };
    let rungs = async |start: i64| {
        let said = going.server.get(&format!("/live/demo/index.m3u8?start={start}&end={END}")).await;
        assert_eq!(said.status(), 200);
        text(said).await.lines().filter(|line| line.contains("p/index.m3u8")).count()
    };
    let begin = END - 300 * 6;
    begins("720p", LAST - 299);
    begins("audio-en", LAST - 299);
    begins("480p", LAST - 2);
    assert_eq!((rungs(begin).await, rungs(begin - 3600).await, rungs(END - 12).await), (1, 1, 2));
    let path = |track: &str| format!("/live/demo/{track}/index.m3u8?start={begin}&end={END}");
    assert_eq!(numbers(&media(going.server.get(&path("720p")).await).await.0), named(LAST - 299..=LAST));
    let left_out = going.server.get(&path("480p")).await;
    assert_eq!(field(left_out.headers(), "headwater-reason"), "unknown-track");
    // Tracks lose their chapters one after another.
    begins("480p", LAST - 299 + 64);
    assert_eq!(rungs(begin).await, 2);
    // One of which nothing is published yet is in nobody's way.
    begins("480p", LAST + 1);
    assert_eq!(rungs(END - 12).await, 1);
}

#[tokio::test]
async fn a_stretch_of_a_track_that_has_ended_is_complete_once_its_last_segment_is_listed() {
    let going = Going::start();
    let path = format!("/live/demo/720p/index.m3u8?start={}", BEGIN + 12);
    going.tracks["720p"].send_modify(|edge| {
        let head = Some(Head { last: LAST + 1, parts: 0 });
        *edge = Arc::new(TrackEdge { ended: true, head, ..TrackEdge::clone(edge) });
    });
    assert!(!media(going.server.get(&path).await).await.0.end_list);
    let next = format!("{path}&_HLS_msn={}", LAST + 1);
    let publish = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        going.list("720p", LAST + 1);
    };
    let (said, ()) = tokio::join!(going.server.get(&next), publish);
    let (playlist, _) = media(said).await;
    assert!(playlist.end_list);
    assert_eq!(numbers(&playlist), named(LAST - 7..=LAST + 1));
}

#[tokio::test]
async fn presentation_time_counts_from_where_a_stretch_was_asked_to_begin() {
    let server = serve_demo().await;
    let mpd = async |start: i64, end: i64| {
        let said = server.get(&format!("/live/demo/manifest.mpd?start={start}&end={end}")).await;
        text(said).await
    };
    let began = |mpd: &str| {
        let value = mpd.split("availabilityStartTime=\"").nth(1).unwrap();
        value.split('"').next().unwrap().to_owned()
    };
    for end in [END + 600, BEGIN + 12] {
        let (hour, half) = (mpd(BEGIN - 3600, end).await, mpd(BEGIN - 1800, end).await);
        assert_eq!(began(&hour), "2147-05-24T15:00:00.000Z", "{hour}");
        assert_eq!(began(&half), "2147-05-24T15:30:00.000Z", "{half}");
        for mpd in [hour, half] {
            assert!(mpd.contains("<Period id=\"p1\" start=\"PT0S\""), "{mpd}");
        }
    }
    let complete = mpd(BEGIN - 3600, BEGIN + 12).await;
    assert!(complete.contains("type=\"static\"") && complete.contains("=\"PT3612S\""), "{complete}");
    assert!(complete.contains("presentationTimeOffset=\"5597996400000\""), "{complete}");
}

#[tokio::test]
async fn presentation_time_stays_when_the_beginning_of_a_stretch_is_lost() {
    let going = Going::with(["720p"]);
    let line = "2147-05-24T16:00:12.000Z";
    for end in [END + 6, END - 12] {
        for oldest in [LAST - 9, LAST - 6] {
            going.lists("720p", listing_late("720p", oldest..=LAST, 33));
            let path = format!("/live/demo/manifest.mpd?start={}&end={end}", BEGIN + 12);
            let mpd = text(going.server.get(&path).await).await;
            let offset = format!("presentationTimeOffset=\"{}\"", (BEGIN + 12) * 1000);
            for part in [line, offset.as_str(), "start=\"PT0S\""] {
                assert!(mpd.contains(part), "{part}: {mpd}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_multivariant_playlist_names_is_not_too_long_although_it_is_rounded() {
    let server = serve_demo().await;
    let query = format!("start={}.5&end={}.5", BEGIN - 86_400 + 6, BEGIN + 6);
    let said = text(server.get(&format!("/live/demo/index.m3u8?{query}")).await).await;
    let (_, playlist) = m3u8_rs::parse_master_playlist(said.as_bytes()).unwrap();
    let child = server.get(&format!("/live/demo/{}", playlist.variants[0].uri)).await;
    assert_eq!(numbers(&media(child).await.0), named(LAST - 9..=LAST - 8));
}

/// The track of the demo as it was before its encoder was given other settings.
fn smaller() -> Track {
    let mut track = Track::clone(&rendition("720p").track);
    let video = Video { width: 480, height: 360, sample_aspect: (4, 3), frame_rate: None, colour: None };
    (track.media, track.bitrate) = (Media::Video(video), 400_000);
    track.codec = CodecConfig::Avc(Bytes::from_static(&[1, 0x4d, 0, 0x1e, 0xff, 0xe0, 0]));
    track
}

#[tokio::test]
async fn a_stretch_says_of_its_tracks_what_they_were_in_it() {
    let store = memory();
    let init = bmff::init_segment(&smaller());
    let name = bmff::init_name(&init);
    store.put(&format!("live/demo/720p/{name}"), vec![init]).await.unwrap();
    let going = Going::over(store, ["720p", "audio-en"]);
    let timescale = Timescale::new(1000).unwrap();
    let eras = [(1, name.as_str()), (LAST - 4, "init-0af3.mp4")]
        .map(|(first, init)| Arc::new(Era { first, init: init.into(), sequence: 0 }));
    let segment = |number: i64| Segment {
        number,
        start: number * 6000,
        duration: 6000,
        size: 4,
        parts: Vec::new(),
        era: eras[usize::from(number >= LAST - 4)].clone(),
        captured_at: 0,
    };
    let window = Window::of(timescale, (LAST - 9..=LAST).map(segment));
    going.lists("720p", Arc::new(Listing::default().followed_by(&window)));
    let get = async |file: &str, from: i64, to: i64| {
        text(going.server.get(&format!("/live/demo/{file}?start={from}&end={to}")).await).await
    };
    let (then, now) = ((BEGIN, BEGIN + 12), (END - 12, END));
    let list = get("index.m3u8", then.0, then.1).await;
    assert!(list.contains("BANDWIDTH=502000,AVERAGE-BANDWIDTH=401000"), "{list}");
    assert!(list.contains("CODECS=\"avc1.4d001e,mp4a.40.2\",RESOLUTION=640x360,"), "{list}");
    let list = get("index.m3u8", now.0, now.1).await;
    assert!(list.contains("CODECS=\"avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,"), "{list}");
    let list = get("index.m3u8", then.0, now.1).await;
    assert!(list.contains("CODECS=\"avc1.4d001e,avc1.64001f,mp4a.40.2\",RESOLUTION=1280x720,"), "{list}");
    let mpd = get("manifest.mpd", then.0, now.1).await;
    let periods: Vec<&str> = mpd.split("<Period ").skip(1).collect();
    assert!(periods[0].contains("codecs=\"avc1.4d001e\" width=\"480\" height=\"360\" sar=\"4:3\""), "{mpd}");
    assert!(periods[0].contains("bandwidth=\"500000\""), "{mpd}");
    assert!(periods[1].contains("codecs=\"avc1.64001f\" width=\"1280\" height=\"720\""), "{mpd}");
}

#[tokio::test]
async fn a_stretch_that_loses_a_discontinuity_has_counted_it() {
    let going = Going::start();
    let eras = [(1, 4), (LAST - 4, 5), (LAST - 1, 6)]
        .map(|(first, sequence)| Arc::new(Era { first, init: "init-0af3.mp4".into(), sequence }));
    let segment = |number: i64| {
        let era = eras.iter().rfind(|era| era.first <= number).unwrap().clone();
        let (start, parts) = (number * 6000, Vec::new());
        Segment { number, start, duration: 6000, size: 4, parts, era, captured_at: 0 }
    };
    let path = format!("/live/demo/720p/index.m3u8?start={}", BEGIN + 6);
    for (oldest, sequence, discontinuities) in
        [(LAST - 9, 4, 2), (LAST - 5, 4, 2), (LAST - 4, 5, 1), (LAST - 3, 5, 1), (LAST, 6, 0)]
    {
        let window = Window::of(Timescale::new(1000).unwrap(), (oldest..=LAST).map(segment));
        let listing = Arc::new(Listing::default().followed_by(&window));
        going.lists("720p", listing.clone());
        going.lists("audio-en", listing);
        let (_, text) = media(going.server.get(&path).await).await;
        assert!(text.contains(&format!("#EXT-X-DISCONTINUITY-SEQUENCE:{sequence}\n")), "{oldest}: {text}");
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), discontinuities, "{text}");
    }
}

/// The archive of a track of the demo, whose newest ten segments are in no chapter, and as it lies in the record.
fn archive(name: &str, chapters: &[(i64, i64)], began: Option<i64>) -> Arc<Archive> {
    let rows = (LAST - 9..=LAST).map(|number| (number, number * 6000, 6000, name.len(), 0, 0, ""));
    let record = serde_json::json!({
        "timescale": 1000, "began": began, "chapters": chapters, "weight": { "bytes": 0, "segments": 0 },
        "doomed": [],
        "tail": { "eras": [{ "first": 1, "init": "init-0af3.mp4" }], "rows": rows.collect::<Vec<_>>() },
    });
    Arc::new(serde_json::from_value(record).unwrap())
}

impl Going {
    fn archives(&self, chapters: &[(i64, i64)], began: Option<i64>) {
        for (name, track) in &self.tracks {
            let archive = Some(archive(name, chapters, began));
            track.send_modify(|edge| *edge = Arc::new(TrackEdge { archive, ..TrackEdge::clone(edge) }));
        }
    }
}

#[tokio::test]
async fn presentation_time_counts_from_where_a_channel_began_if_it_was_asked_for_more() {
    let going = Going::start();
    let mpd = async |start: i64| {
        text(going.server.get(&format!("/live/demo/manifest.mpd?start={start}")).await).await
    };
    let began = |mpd: &str| {
        let value = mpd.split("availabilityStartTime=\"").nth(1).unwrap();
        value.split('"').next().unwrap().to_owned()
    };
    going.archives(&[], Some(LAST - 9));
    let told = mpd(BEGIN - 3600).await;
    assert_eq!(began(&told), "2147-05-24T16:00:00.000Z", "{told}");
    let offset = format!("presentationTimeOffset=\"{}\"", BEGIN * 1000);
    assert!(told.contains(&offset) && told.contains("<Period id=\"p1\" start=\"PT0S\""), "{told}");
    assert_eq!(began(&mpd(BEGIN + 6).await), "2147-05-24T16:00:06.000Z");
    // What has begun before, and is not kept any more, is time all the same, as is what nobody knows of.
    going.archives(&[], Some(LAST - 309));
    assert_eq!(began(&mpd(BEGIN - 3600).await), "2147-05-24T15:30:00.000Z");
    going.archives(&[], None);
    assert_eq!(began(&mpd(BEGIN - 3600).await), "2147-05-24T15:00:00.000Z");
}

#[tokio::test]
async fn caches_keep_what_may_go_by_its_bytes_for_as_long_as_it_is_sure_to_stay() {
    let chapter = (LAST - 9) / 64;
    for (by_bytes, chapters, seconds) in
        [(false, 50, 600), (true, 50, 360), (true, 1, 66), (true, 0, 60), (true, 500, 600)]
    {
        let going = Going::kept(memory(), ["720p", "audio-en"], by_bytes);
        let older = [(chapter - chapters, chapter - 1)];
        going.archives(if chapters > 0 { &older } else { &[] }, None);
        let query = format!("start={BEGIN}&end={}", BEGIN + 12);
        let said = going.server.get(&format!("/live/demo/720p/index.m3u8?{query}")).await;
        let expected = format!("public, max-age={seconds}, stale-if-error=0");
        assert_eq!(field(said.headers(), "cache-control"), expected, "{by_bytes}, {chapters} chapters");
    }
}
