//! What is waited for, and what is sent on while it is being made.

use headwater::clock;
use headwater_test_support::cache::Streams;

use super::{
    super::{
        low_latency::all,
        preview::{MANY, Studio, Viewer, studio_server},
    },
    *,
};

pub(super) async fn two_hundred_players_that_wait_hear_of_an_update_at_once(program: Program) {
    const PLAYERS: usize = 200;
    /// A cache that looks every 500 ms whether a request is done would need longer.
    const SOON: Duration = Duration::from_millis(300);
    let Some((live, front)) = Front::of_live(program).await else { return };
    let mut delays = Vec::new();
    for part in 1..=5 {
        let url = front.cache.of(&live.blocking_url(part));
        let players: Vec<_> = (0..PLAYERS)
            .map(|player| {
                // As players, and those who count them, spell it.
                let request = front.client.get(format!("{url}&session={player}&token=e30.{player}.c2ln"));
                tokio::spawn(async move {
                    let response = sent(request).await;
                    assert_eq!(response.status(), 200);
                    (text(response).await, clock::now())
                })
            })
            .collect();
        live.waiting(if program.collapses() { 1 } else { PLAYERS }).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let published = clock::now();
        live.publish(part + 1, false);
        let mut slowest = Duration::ZERO;
        for player in players {
            let (playlist, at) = player.await.unwrap();
            assert!(playlist.contains(&format!("has {} parts", part + 1)), "{playlist}");
            slowest = slowest.max(at.saturating_duration_since(published));
        }
        let asked = front.asked();
        assert_eq!(asked, if program.collapses() { 1 } else { PLAYERS }, "update {part}");
        delays.push(slowest);
    }
    delays.sort();
    assert!(delays[2] < SOON, "the last player heard of an update after {delays:?}");
}

pub(super) async fn what_only_looks_like_a_directive_is_not_kept_for_those_who_wait(program: Program) {
    let Some((live, front)) = Front::of_live(program).await else { return };
    let url = front.cache.of(&live.blocking_url(1));
    let early = sent(http1().get(url.replace("_HLS_", "_hls_"))).await;
    assert_eq!(early.status(), 200, "the origin ignores what it does not know");
    let player = tokio::spawn(sent(http1().get(&url)));
    live.waiting(1).await;
    live.publish(2, false);
    let playlist = text(player.await.unwrap()).await;
    assert!(playlist.contains("has 2 parts"), "{playlist}");
}

pub(super) async fn an_open_segment_goes_through_as_it_comes(program: Program) {
    const PLAYERS: usize = 50;
    let Some((live, front)) = Front::of_live(program).await else { return };
    let (client, url) = (http1(), front.cache.of(&live.segment_url()));
    let mut players = Vec::new();
    for parts in 1..=2 {
        live.publish(parts, false);
        let joining = (0..PLAYERS / 2).map(|_| sent(client.get(&url)));
        players.extend(futures_util::future::join_all(joining).await);
    }
    let asked = front.asked();
    let streams = if program.streams() == Streams::Shared { 1 } else { PLAYERS };
    assert_eq!(asked, streams, "streams from the origin");
    let mut got = vec![Vec::new(); PLAYERS];
    for parts in 2..=4 {
        live.publish(parts, false);
        for (player, got) in players.iter_mut().zip(&mut got) {
            while got.len() < all(parts).len() {
                let piece =
                    timeout(PATIENCE, player.chunk()).await.expect("a piece while the segment is open");
                got.extend(piece.unwrap().expect("more to come"));
            }
            assert_eq!(got, all(parts).as_bytes());
        }
    }
    live.publish(4, true);
    for player in players {
        assert!(bytes(player).await.is_empty(), "and then it ends");
    }
    front.asked();
    for _ in 0..2 {
        let crowd = futures_util::future::join_all((0..PLAYERS).map(|_| sent(client.get(&url)))).await;
        for response in crowd {
            assert_eq!(text(response).await, all(4));
        }
    }
    let asked = front.asked();
    assert!(!program.collapses() || asked <= 1, "{asked} requests for all who come later");
}

pub(super) async fn a_segment_that_breaks_off_is_not_kept(program: Program) {
    let Some((live, front)) = Front::of_live(program).await else { return };
    let url = front.cache.of(&live.segment_url());
    let mut response = sent(http1().get(&url)).await;
    let first = timeout(PATIENCE, response.chunk()).await.expect("a piece of what there is").unwrap();
    assert!(first.is_some());
    live.abandon();
    let rest = timeout(PATIENCE, response.bytes()).await.expect("an end in time");
    assert!(rest.is_err(), "the player can tell that it is not whole");
    live.publish(4, true);
    assert_eq!(text(sent(http1().get(&url)).await).await, all(4));
}

pub(super) async fn viewers_over_websockets_are_let_through(program: Program) {
    let (mut studio, reader) = Studio::open();
    studio.publish();
    let server = studio_server(reader, MANY);
    let Some(front) = Front::start(program, server.address, Arc::default()).await else { return };
    let mut viewer = Viewer::join(front.cache.address, "?audio=none").await;
    assert_eq!(viewer.media().await, (0, 0, true));
    studio.publish();
    assert_eq!(viewer.media().await, (0, 1, false), "as it comes");
    let fields = [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "headwater.v1"),
    ];
    let own = format!("http://{}", front.cache.address);
    for (origin, status) in [(&own[..], 101), ("https://evil.example", 403)] {
        let fields = [&fields[..], &[("origin", origin)]].concat();
        let request = http1().get(front.url("/live/demo/ws"));
        let request = fields.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        assert_eq!(sent(request).await.status(), status, "{origin}");
    }
    server.stop.cancel();
    assert_eq!(viewer.closed().await, 1001);
}
