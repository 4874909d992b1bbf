//! A directory whose disk has changed what was written, under servers that start again: what they serve is right, or an error.

use std::{
    collections::BTreeMap,
    fs::{self, FileTimes},
    path::Path,
    time::{Duration, SystemTime},
};

use headwater::store::{Hashed, LIST, etag};
use reqwest::header::RANGE;
use serde_json::{Value, json};
use tokio::{process::Command, time::timeout};

use super::LIMIT;
use crate::served::{Served, eventually};

/// How many numbers a chapter has.
const LENGTH: i64 = 64;
const TRACKS: [&str; 2] = ["180p", "audio-und"];
/// Of a chapter, the place of a segment that no chapter lists although there is something under its name.
const UNLISTED: i64 = 7;
/// The places of two that are too large to be read at once where little memory is.
const LARGE: [i64; 2] = [20, 21];

fn channel(source: &str) -> String {
    format!(
        "[channel.a]\n{source}segment = \"1s\"\npart = \"200ms\"\nwindow = \"1m\"\narchive = \"1h\"\n\
         low_latency = false\n[[channel.a.video]]\nheight = 180\nbitrate = \"200k\"\npreset = \"ultrafast\"\n"
    )
}

const TEST: &str = "source = \"test:?size=320x180&rate=25\"\n";

/// An object with the hash of its text behind all else (docs/store.md).
fn sealed(object: &Value) -> String {
    let text = object.to_string();
    let open = text.strip_suffix('}').unwrap();
    format!("{open},\"hash\":{}}}", etag([text.as_bytes()]))
}

/// The same of what has one already.
fn sealed_anew(object: &mut Value) -> String {
    object.as_object_mut().unwrap().remove("hash");
    sealed(object)
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn numbers(rows: &Value) -> Vec<i64> {
    rows.as_array().unwrap().iter().map(|row| row[0].as_i64().unwrap()).collect()
}

/// Puts two chapters before what a channel that is stopped has recorded, as if it had been on air for some minutes more. Gives
/// their numbers.
fn lengthen(channel: &Path) -> [i64; 2] {
    let mut state = read(&channel.join("state.json"));
    let began = TRACKS.map(|track| {
        let archive = &state["tracks"][track]["archive"];
        let chapter = archive["chapters"][0][0].as_i64();
        chapter.unwrap_or_else(|| numbers(&archive["tail"]["rows"])[0].div_euclid(LENGTH))
    });
    let first = began.into_iter().min().unwrap();
    for track in TRACKS {
        let archive = &mut state["tracks"][track]["archive"];
        let (row, eras) = (archive["tail"]["rows"][0].clone(), archive["tail"]["eras"].clone());
        let (number, timescale) = (row[0].as_i64().unwrap(), archive["timescale"].as_i64().unwrap());
        for chapter in [first - 3, first - 2] {
            let mut rows = Vec::new();
            for other in chapter * LENGTH..(chapter + 1) * LENGTH {
                // Each is another.
                let is_large = track == TRACKS[0] && LARGE.contains(&(other - (first - 3) * LENGTH));
                let body = format!("{track} {other} ").repeat(if is_large { 1 << 20 } else { 100 });
                fs::write(channel.join(track).join(format!("{other}.m4s")), &body).unwrap();
                let start = row[1].as_i64().unwrap() - (number - other) * timescale;
                let tag = etag([body.as_bytes()]);
                rows.push(json!([other, start, row[2], body.len(), 0, 0, tag.trim_matches('"')]));
            }
            rows.remove(UNLISTED as usize);
            let segments = json!({"eras": eras, "rows": rows});
            let written =
                json!({"version": 1, "chapter": chapter, "timescale": timescale, "segments": segments});
            let path = channel.join(track).join(format!("chapter-{chapter}.json"));
            fs::write(path, sealed(&written)).unwrap();
        }
        let chapters = archive["chapters"].as_array_mut().unwrap();
        chapters.insert(0, json!([first - 3, first - 2]));
    }
    fs::write(channel.join("state.json"), sealed_anew(&mut state)).unwrap();
    [first - 3, first - 2]
}

/// All media of the channel by their URLs.
fn media(channel: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut media = BTreeMap::new();
    for track in TRACKS {
        for file in fs::read_dir(channel.join(track)).unwrap() {
            let name = file.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".m4s") || name.ends_with(".mp4") {
                media.insert(
                    format!("live/a/{track}/{name}"),
                    fs::read(channel.join(track).join(&name)).unwrap(),
                );
            }
        }
    }
    media
}

/// Puts an init segment where packaged ones lie. Gives its URL.
fn package(data: &Path, text: &str) -> String {
    let path = format!("vod/film/720p/init-{}.mp4", &etag([text.as_bytes()])[1..17]);
    fs::create_dir_all(data.join("vod/film/720p")).unwrap();
    fs::write(data.join(&path), text).unwrap();
    path
}

/// Puts packaged segments there, of an asset with a list of their hashes or without: four, one of them large. Gives their URLs.
fn package_segments(data: &Path, asset: &str, has_list: bool) -> [String; 4] {
    let track = format!("vod/{asset}/720p");
    fs::create_dir_all(data.join(&track)).unwrap();
    let mut list = Hashed::default();
    let paths = [1, 2, 3, 4].map(|number: usize| {
        let (name, body) =
            (format!("{number}.m4s"), format!("{asset} {number} ").repeat(1 << (8 * number.min(3) - 4)));
        list.add(&name, &etag([body.as_bytes()]));
        let path = format!("{track}/{name}");
        fs::write(data.join(&path), body).unwrap();
        path
    });
    if has_list {
        fs::write(data.join(&track).join(LIST), list.to_text()).unwrap();
    }
    paths
}

fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn truncate(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    fs::File::options().write(true).open(path).unwrap().set_len(length - 1).unwrap();
}

/// A number becomes another one: the text still says something.
fn miscount(path: &Path, number: &str, other: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(number) && number.len() == other.len());
    fs::write(path, text.replacen(number, other, 1)).unwrap();
}

/// Everything is asked for, whole and in part; what comes is what was written. Gives how each was answered.
async fn served(server: &Served, media: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, u16> {
    let client = reqwest::Client::new();
    let mut answers = BTreeMap::new();
    for (path, written) in media {
        let ranged = client.get(server.url(path)).header(RANGE, "bytes=1-20");
        for (request, range) in [(client.get(server.url(path)), 0..written.len()), (ranged, 1..21)] {
            let answer = request.send().await.unwrap();
            let status = answer.status();
            if status.is_success() {
                assert!(answer.bytes().await.unwrap() == written[range], "{path}: wrong bytes");
            } else {
                assert!([404, 410, 503].contains(&status.as_u16()), "{path}: {status}");
            }
            let whole = *answers.entry(path.clone()).or_insert(status.as_u16());
            assert_eq!(whole < 400, status.is_success(), "{path}: a range is as good as the whole");
        }
    }
    answers
}

/// Packages three assets, and damages segments of one with a list and the list of another. Gives their URLs, and what was `written`.
fn damaged_assets(data: &Path, written: &mut BTreeMap<String, Vec<u8>>) -> [[String; 4]; 3] {
    let assets = [("listed", true), ("unsure", true), ("earlier", false)];
    let assets = assets.map(|(asset, has_list)| package_segments(data, asset, has_list));
    let read_whole = |path: &String| (path.clone(), fs::read(data.join(path)).unwrap());
    written.extend(assets.iter().flatten().map(read_whole));
    flip(&data.join(&assets[0][1]));
    truncate(&data.join(&assets[0][2]));
    flip(&data.join(&assets[0][3]));
    flip(&data.join("vod/unsure/720p").join(LIST));
    assets
}

/// Where little is kept in memory, what is large is sent while it is read: that goes wrong once, until it is what was written.
async fn go_wrong_once(data: &Path, damaged: [(String, Vec<u8>); 2]) {
    let store = format!("url = {data:?}\ncache_memory = \"32M\"");
    let little = Served::node(&store, &channel("")).await;
    little.playlist_with("a/180p", 60, |list| !list.segments.is_empty()).await;
    for (path, written) in damaged {
        let media = BTreeMap::from([(path.clone(), written)]);
        let cut = little.answer(&path).await;
        assert!(cut.status() == 200 && cut.bytes().await.is_err(), "{path}: its end is not sent");
        assert_eq!(served(&little, &media).await[&path], 503, "{path}");
        fs::write(data.join(&path), &media[&path]).unwrap();
        assert_eq!(served(&little, &media).await[&path], 200, "{path} is mended");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_again_on_a_disk_that_has_changed_things_serve_what_was_written_or_an_error() {
    let mut packager = Served::start(&channel(TEST)).await;
    for track in TRACKS {
        packager.playlist_with(&format!("a/{track}"), 60, |list| list.segments.len() >= 8).await;
    }
    packager.stop().await;
    let data = packager.directory.path().join("data");
    let live = data.join("live/a");
    let [sound, damaged] = lengthen(&live);
    let mut written = media(&live);

    let of_track = |name: &str| live.join("180p").join(name);
    let segment = |number: i64| of_track(&format!("{number}.m4s"));
    let recent = numbers(&read(&live.join("state.json"))["tracks"]["180p"]["archive"]["tail"]["rows"]);
    let newest = *recent.last().unwrap();
    let broken = [newest - 2, newest - 1, sound * LENGTH, sound * LENGTH + 63, sound * LENGTH + LARGE[1]];
    flip(&segment(broken[0]));
    truncate(&segment(broken[1]));
    flip(&segment(broken[2]));
    truncate(&segment(broken[3]));
    flip(&segment(broken[4]));
    let init = written.keys().find(|path| path.contains("180p/init-")).unwrap().clone();
    flip(&data.join(&init));
    miscount(&of_track(&format!("chapter-{damaged}.json")), ",0,0,\"", ",0,1,\"");
    fs::write(of_track("6.m4s#1"), "moof").unwrap();
    let stale = fs::File::create(of_track("5.m4s#1")).unwrap();
    stale.set_times(FileTimes::new().set_modified(SystemTime::UNIX_EPOCH)).unwrap();
    let packaged = ["sound", "flipped"].map(|text| package(&data, text));
    flip(&data.join(&packaged[1]));
    let assets = damaged_assets(&data, &mut written);

    packager.crash_and_restart(Duration::ZERO).await;
    let node = Served::node(&format!("url = {data:?}"), &channel("")).await;
    for server in [&packager, &node] {
        for track in TRACKS {
            let goes_on = |list: &m3u8_rs::MediaPlaylist| {
                list.media_sequence as i64 + list.segments.len() as i64 > newest + 6
            };
            server.playlist_with(&format!("a/{track}"), 60, goes_on).await;
        }
        let answers = served(server, &written).await;
        let status = |number: i64| answers[&format!("live/a/180p/{number}.m4s")];
        for number in broken {
            assert_eq!(status(number), 503, "{number}");
        }
        for number in (sound * LENGTH + 1..sound * LENGTH + 63).chain(recent.iter().copied()) {
            let expected = match number {
                _ if broken.contains(&number) => 503,
                _ if number == sound * LENGTH + UNLISTED => 404,
                _ => 200,
            };
            assert_eq!(status(number), expected, "{number}");
        }
        assert_eq!(status(damaged * LENGTH), 503, "nobody can say what it has to be");
        let of_sound = |number: i64| answers[&format!("live/a/audio-und/{number}.m4s")];
        assert_eq!((of_sound(sound * LENGTH), of_sound(damaged * LENGTH)), (200, 200), "that is sound");
        for name in ["5.m4s%231", "6.m4s%231"] {
            let status = server.answer(&format!("live/a/180p/{name}")).await.status();
            assert!(status.is_client_error(), "{name}: {status}");
        }
        for (init, expected) in [(&packaged[0], 200), (&packaged[1], 503)] {
            assert_eq!(server.answer(init).await.status(), expected, "{init}");
        }
        // What an earlier version has packaged is taken as it is, and what a list says is not if that is damaged.
        let expected = [[200, 503, 503, 503], [503; 4], [200; 4]];
        assert_eq!(assets.each_ref().map(|paths| paths.each_ref().map(|path| answers[path])), expected);
    }
    let large = [format!("live/a/180p/{}.m4s", broken[4]), assets[0][3].clone()];
    go_wrong_once(&data, large.map(|path| (path.clone(), written[&path].clone()))).await;
    assert!(!of_track("5.m4s#1").exists(), "what a killed writer has left is gone");

    // A record in which a number is another is no record.
    packager.stop().await;
    let peak = read(&live.join("state.json"))["tracks"]["180p"]["peak"].as_u64().unwrap();
    miscount(&live.join("state.json"), &format!("\"peak\":{peak}"), &format!("\"peak\":{}", peak ^ 1));
    let late = Served::node(&format!("url = {data:?}"), &channel("")).await;
    let failed = late.in_state("a", "failed", 20).await;
    assert!(failed["why"].as_str().unwrap().contains("not what was written"), "{failed}");
    let mut serve = Command::new(env!("CARGO_BIN_EXE_headwater"));
    serve.args(["serve", "--config"]).arg(packager.directory.path().join("headwater.toml"));
    let refused = timeout(LIMIT, serve.kill_on_drop(true).output()).await.expect("it ends").unwrap();
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && words.contains("not what was written"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_whose_opening_is_damaged_goes_on_when_its_encoder_has_said_it_again() {
    let mut packager = Served::start(&channel(TEST)).await;
    let data = packager.directory.path().join("data");
    let live = data.join("live/a");
    let opening = live.join("opening.wire");
    packager.playlist_with("a/180p", 60, |list| list.segments.len() >= 4).await;
    for damage in [flip as fn(&Path), truncate] {
        packager.crash();
        let sound = fs::read(&opening).unwrap();
        damage(&opening);
        let damaged = fs::read(&opening).unwrap();
        let kept = numbers(&read(&live.join("state.json"))["tracks"]["180p"]["archive"]["tail"]["rows"]);
        let node = Served::node(&format!("url = {data:?}"), &channel("")).await;
        let failed = node.in_state("a", "failed", 20).await;
        assert!(failed["why"].as_str().unwrap().contains("opening.wire"), "{failed}");
        assert!(node.playlist("a/180p").await.is_none(), "nothing is shown of what may be wrong");

        packager.crash_and_restart(Duration::ZERO).await;
        let newest = *kept.last().unwrap();
        for server in [&packager, &node] {
            let goes_on = |list: &m3u8_rs::MediaPlaylist| {
                list.media_sequence as i64 + list.segments.len() as i64 > newest + 4
            };
            let list = server.playlist_with("a/180p", 60, goes_on).await;
            // Older ones may be in a chapter.
            assert!(list.media_sequence as i64 <= kept[0], "what was listed is listed");
            assert!(list.segments.iter().all(|segment| !segment.discontinuity), "of the same tracks");
            let first = format!("live/a/180p/{}.m4s", kept[0]);
            assert_eq!(server.answer(&first).await.status(), 200);
        }
        let written = fs::read(&opening).unwrap();
        assert!(written != damaged && written.len() == sound.len(), "it was written anew");
        let state = read(&live.join("state.json"));
        assert_eq!(state["opening"], etag([&written[..]]));
        let rows = numbers(&state["tracks"]["180p"]["archive"]["tail"]["rows"]);
        assert!(kept.iter().all(|number| *number < rows[0] || rows.contains(number)), "{kept:?} {rows:?}");
    }
}

/// The status of a stretch of a channel, how long caches may keep it, and how many segments it lists.
async fn stretch(server: &Served, query: &str) -> (u16, String, usize) {
    let answer = server.answer(&format!("live/a/180p/index.m3u8?{query}")).await;
    let status = answer.status().as_u16();
    let cache = answer.headers()["cache-control"].to_str().unwrap().to_owned();
    let list = String::from_utf8(answer.bytes().await.unwrap().to_vec()).unwrap();
    (status, cache, list.matches("#EXTINF").count())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chapter_that_a_store_does_not_give_for_a_moment_is_no_hole_that_stays() {
    let mut packager = Served::start(&channel(TEST)).await;
    for track in TRACKS {
        packager.playlist_with(&format!("a/{track}"), 60, |list| list.segments.len() >= 4).await;
    }
    packager.stop().await;
    let data = packager.directory.path().join("data");
    let chapters = lengthen(&data.join("live/a"));
    packager.crash_and_restart(Duration::ZERO).await;
    let node = Served::node(&format!("url = {data:?}"), &channel("")).await;
    for server in [&packager, &node] {
        server.playlist_with("a/180p", 60, |list| list.segments.len() >= 4).await;
    }
    for server in [&packager, &node] {
        // One is gone, and of the other there is half.
        for (chapter, half) in chapters.into_iter().zip([false, true]) {
            let path = data.join(format!("live/a/180p/chapter-{chapter}.json"));
            let query = format!("start={}&end={}", chapter * LENGTH + 1, (chapter + 1) * LENGTH);
            let text = fs::read(&path).unwrap();
            fs::remove_file(&path).unwrap();
            if half {
                fs::write(&path, &text[..text.len() / 2]).unwrap();
            }
            let (status, cache, _) = stretch(server, &query).await;
            assert_eq!((status, &*cache), (503, "public, max-age=1"));
            let live = server.playlist("a/180p").await;
            assert!(live.is_some_and(|list| list.segments.len() >= 4), "it is on the air all the same");
            fs::write(&path, &text).unwrap();
            let back = async || Some(stretch(server, &query).await).filter(|(status, ..)| *status == 200);
            let (_, cache, segments) = eventually("the stretch is whole", 3, back).await;
            assert!(segments >= LENGTH as usize - 6, "{segments}");
            assert!(cache != "public, max-age=1", "it may be kept: {cache}");
        }
    }
}
