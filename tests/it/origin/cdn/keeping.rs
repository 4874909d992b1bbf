//! What is kept, under which key and for how long.

use tokio::time::sleep;

use super::*;

const SEGMENT: &str = "/live/demo/720p/933000004.m4s";
const PLAYLIST: &str = "/live/demo/720p/index.m3u8";
/// Longer than the shortest lifetime, what caches add to it because they count whole seconds, and the second for which they
/// may serve what is stale.
const EXPIRED: Duration = Duration::from_millis(2_200);

pub(super) async fn what_may_be_kept_is_asked_for_once(program: Program) {
    let Some((_server, front)) = Front::of_the_demo(program).await else { return };
    let all = whole("demo/720p/933000004");
    let crowd = futures_util::future::join_all((0..50).map(|_| front.get(SEGMENT, &[]))).await;
    for response in crowd {
        assert_eq!(response.status(), 200);
        assert_eq!(bytes(response).await, all);
    }
    let asked = front.asked();
    assert!(!program.collapses() || asked == 1, "fifty viewers, {asked} requests");

    let part = front.get(SEGMENT, &[("range", "bytes=20-70")]).await;
    let (status, range) = if program.cuts() { (206, &all[20..=70]) } else { (200, &all[..]) };
    assert_eq!(part.status(), status);
    assert_eq!(bytes(part).await, range);
    for (path, fields) in [
        (format!("{SEGMENT}?session=1"), vec![]),
        (format!("{SEGMENT}?_HLS_msn=7"), vec![]),
        (format!("{SEGMENT}?token=e30.e30.c2ln"), vec![]),
        (format!("/t/e30.e30.c2ln{SEGMENT}"), vec![]),
        (SEGMENT.to_owned(), vec![("authorization", "Bearer e30.e30.c2ln")]),
        (SEGMENT.to_owned(), vec![("cookie", "viewer=7")]),
        (SEGMENT.to_owned(), vec![("accept-encoding", "br;q=1.0, gzip;q=0.8, *;q=0.1")]),
        (SEGMENT.to_owned(), vec![("cache-control", "no-cache"), ("pragma", "no-cache")]),
    ] {
        let response = front.get(&path, &fields).await;
        assert_eq!(field(response.headers(), "x-cache-status"), "HIT", "{path} {fields:?}");
        assert_eq!(field(response.headers(), "access-control-allow-origin"), "*");
        assert_eq!(bytes(response).await, all, "{path} {fields:?}");
    }
    assert_eq!(front.asked(), 0, "all of them are the same object");
    let other = front.get(&SEGMENT.replace("720p", "audio-en"), &[]).await;
    assert_eq!(bytes(other).await, whole("demo/audio-en/933000004"), "and this is another one");
    front.asked();

    for (coding, packed) in
        [("gzip, br", "gzip"), ("deflate, gzip;q=0.5", "gzip"), ("gzip;q=0", ""), ("br", "")]
    {
        for path in [PLAYLIST.to_owned(), format!("{PLAYLIST}?viewer={}", packed.len())] {
            let response = front.get(&path, &[("accept-encoding", coding)]).await;
            assert_eq!(field(response.headers(), "content-encoding"), packed, "{coding}");
        }
    }
    let asked = front.asked();
    assert!((1..=2).contains(&asked), "one request for each form at most, not {asked}");
}

pub(super) async fn every_stretch_is_an_object_of_its_own(program: Program) {
    let Some((_server, front)) = Front::of_the_demo(program).await else { return };
    for path in [PLAYLIST, "/live/demo/index.m3u8", "/live/demo/manifest.mpd"] {
        let mut bodies = Vec::new();
        // Whole, and three stretches, each twice and with junk; the second time from the cache.
        for query in
            ["", "start=5598000006&end=5598000030", "start=5598000012&end=5598000030", "start=5598000006"]
        {
            let first = bytes(front.get(&format!("{path}?{query}"), &[]).await).await;
            front.asked();
            let again = front.get(&format!("{path}?{query}&session=7"), &[]).await;
            assert_eq!(again.status(), 200, "{path}?{query}");
            assert_eq!(bytes(again).await, first, "{path}?{query}");
            bodies.push(first);
        }
        for (index, body) in bodies.iter().enumerate() {
            assert!(!bodies[..index].contains(body), "{path}: stretch {index} is another one's");
        }
    }
    let playlist = format!("{PLAYLIST}?start=5598000006&end=5598000030");
    front.get(&playlist, &[]).await;
    front.asked();
    assert_eq!(field(front.get(&playlist, &[]).await.headers(), "x-cache-status"), "HIT");
    assert_eq!(front.asked(), 0, "what is complete is kept");
}

pub(super) async fn refusals_are_kept_for_as_long_as_they_say(program: Program) {
    let Some((_server, front)) = Front::of_the_demo(program).await else { return };
    // The target duration of this channel is ten minutes, and so a list that it does not have is missing for so long.
    let long = ["/live/demo/999p/index.m3u8"];
    let brief =
        ["/live/demo/999p/933000004.m4s", "/live/demo/720p/933000011.m4s", "/live/new/720p/index.m3u8"];
    let mut statuses = Vec::new();
    for path in long.iter().chain(&brief).flat_map(|path| [path, path, path]) {
        statuses.push(front.get(path, &[]).await.status().as_u16());
    }
    assert_eq!(statuses, [404, 404, 404, 404, 404, 404, 404, 404, 404, 503, 503, 503]);
    let asked = front.asked();
    assert!(!program.keeps_refusals() || (4..=6).contains(&asked), "four refusals, {asked} requests");
    sleep(EXPIRED).await;
    for path in long.iter().chain(&brief) {
        front.get(path, &[]).await;
    }
    let asked = front.asked();
    assert!(asked >= brief.len(), "three refusals of a second are asked about again: {asked} requests");
    assert!(!program.keeps_refusals() || asked == brief.len(), "and that of ten minutes is not: {asked}");
    for _ in 0..2 {
        assert_eq!(front.get("/time", &[]).await.status(), 200);
    }
    assert_eq!(front.asked(), 2, "the time is not kept");
}

pub(super) async fn nobody_gets_bytes_of_another_object(program: Program) {
    let Some((_server, front)) = Front::of_the_demo(program).await else { return };
    let objects = ["demo", "short"].iter().flat_map(|channel| {
        ["720p", "audio-en"]
            .iter()
            .flat_map(move |track| (LAST - 9..=LAST).map(move |number| format!("{channel}/{track}/{number}")))
    });
    let objects: Vec<String> = objects.collect();
    // Cold, by range and whole, with what other objects have in their names; then again.
    for _ in 0..2 {
        let asked = objects.iter().zip(objects.iter().rev()).flat_map(|(tag, other)| {
            let query = format!("?_HLS_msn={LAST}&path=/live/{other}.m4s");
            let path = format!("/live/{tag}.m4s");
            [(tag, path.clone(), false), (tag, path.clone() + &query, false), (tag, path + "?" + other, true)]
        });
        let front = &front;
        let answers = asked.map(async |(tag, path, range)| {
            let fields: &[(&str, &str)] = if range { &[("range", "bytes=5-60")] } else { &[] };
            let response = front.get(&path, fields).await;
            let cut = response.status() == 206;
            assert!(response.status() == 200 || (range && cut), "{path}: {}", response.status());
            let all = whole(tag);
            assert_eq!(bytes(response).await, if cut { &all[5..=60] } else { &all[..] }, "{path}");
        });
        futures_util::future::join_all(answers).await;
    }
}

pub(super) async fn what_cdns_are_told_counts_more_and_is_not_told_to_players(program: Program) {
    let Some((_server, front)) = Front::of_a_demo(program, Some("max-age=600")).await else { return };
    let path = "/live/short/index.m3u8";
    for _ in 0..2 {
        let response = front.get(path, &[]).await;
        assert_eq!(field(response.headers(), "cache-control"), "public, max-age=1, stale-if-error=0");
        sleep(EXPIRED).await;
    }
    let asked = front.asked();
    assert_eq!(asked, if program.is_told_apart() { 1 } else { 2 }, "requests in ten minutes, or in a second");
}

pub(super) async fn other_spellings_poison_nothing(program: Program) {
    let Some((_server, front)) = Front::of_the_demo(program).await else { return };
    for path in [
        "/live/%64emo/720p/index.m3u8",
        "/live/demo/720p/index.m3u8%20",
        "/live/demo/720p/index.m3u8%3F_HLS_msn=933000009",
        "/live/demo/720p/index.m3u8/_HLS_msn=933000009",
        "/t/x/live/demo/720p/index.m3u8%20933000009",
        "/live/demo/720p/index.m3u8&_HLS_msn=933000009",
    ] {
        for _ in 0..2 {
            let status = front.get(path, &[]).await.status();
            assert!([400, 404].contains(&status.as_u16()), "{path}: {status}");
        }
    }
    for query in ["", "?_HLS_msn=933000009", "?x=1&_HLS_msn=933000009&_HLS_part="] {
        let path = format!("{PLAYLIST}{query}");
        let status = front.get(&path, &[]).await.status();
        assert!(status == 200 || query.ends_with("part="), "{path}: {status}");
    }
}

pub(super) async fn no_stale_playlist_is_served_for_an_origin_that_is_gone(program: Program) {
    let Some((mut server, front)) = Front::of_the_demo(program).await else { return };
    let brief = "/live/short/index.m3u8";
    for path in [brief, SEGMENT] {
        assert_eq!(front.get(path, &[]).await.status(), 200);
    }
    server.stop.cancel();
    timeout(PATIENCE, &mut server.task).await.expect("the origin stops").unwrap();
    sleep(EXPIRED).await;
    for _ in 0..3 {
        let status = front.get(brief, &[]).await.status();
        assert!(status.is_server_error(), "a playlist that nobody asked for in the meantime: {status}");
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(front.get(SEGMENT, &[]).await.status(), 200, "segments are good for ever");
}
