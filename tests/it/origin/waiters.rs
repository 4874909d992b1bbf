//! Very many who wait, and those who do not stay.

use headwater::metrics::Exposition;
use http::Request;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use super::{low_latency::Live, *};

#[tokio::test]
async fn ten_thousand_who_wait_are_all_sent_the_one_playlist_that_was_rendered() {
    const PLAYERS: usize = 10_000;
    let limits = Limits { all: PLAYERS, of_connection: 1 };
    let origin = Arc::new(std::sync::OnceLock::new());
    let live = Live::behind(limits, |made| {
        let origin = origin.get_or_init(|| Arc::new(made)).clone();
        Shared(origin)
    });
    let mut players = JoinSet::new();
    for _ in 0..PLAYERS {
        let (origin, url) = (origin.get().unwrap().clone(), live.blocking_url(1));
        players.spawn(async move {
            let (request, ()) = Request::get(path(&url)).body(()).unwrap().into_parts();
            let Reply { response, .. } = origin.answer(&request, &Waiting::default()).await;
            assert_eq!(response.status(), 200);
            let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
            // Of a body in one piece this is that piece.
            body.to_bytes()
        });
    }
    live.waiting(PLAYERS).await;
    let (request, ()) = Request::get(path(&live.blocking_url(1))).body(()).unwrap().into_parts();
    let refused = origin.get().unwrap().answer(&request, &Waiting::default()).await;
    assert_eq!(refused.response.status(), 503, "one more than may wait");
    live.publish(2, false);
    let mut allocations = std::collections::BTreeSet::new();
    while let Some(playlist) = timeout(PATIENCE, players.join_next()).await.expect("all are woken") {
        let playlist = playlist.unwrap();
        assert!(playlist.ends_with(b"2 parts, complete: false\n"));
        allocations.insert(playlist.as_ptr() as usize);
    }
    assert_eq!(allocations.len(), 1, "all have the same bytes, not copies of them");
    live.waiting(0).await;
}

#[tokio::test]
async fn who_disconnects_while_waiting_takes_nothing_along_and_leaves_nothing_behind() {
    let live = Live::limited(Limits { all: 1000, of_connection: 5 });
    for round in 1..=3 {
        let mut players = Vec::new();
        for index in 0..120 {
            let url = match index % 3 {
                0 => live.blocking_url(round),
                1 => live.part_url(round),
                _ => live.segment_url(),
            };
            let mut player = TcpStream::connect(live.address()).await.unwrap();
            let request = format!("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", path(&url));
            player.write_all(request.as_bytes()).await.unwrap();
            players.push(player);
        }
        live.waiting(120).await;
        // The first of each kind always goes, and half of the others.
        let stays = |index: usize| index >= 3 && index.is_multiple_of(2);
        let mut index = 0..;
        players.retain(|_| stays(index.next().unwrap_or_default()));
        live.waiting(players.len()).await;
        live.publish(round + 1, false);
        for player in &mut players {
            let mut head = [0; 12];
            timeout(PATIENCE, player.read_exact(&mut head)).await.expect("an answer in time").unwrap();
            assert_eq!(&head, b"HTTP/1.1 200");
        }
        drop(players);
        live.waiting(0).await;
        let gone = async {
            while !exposed(&live).contains("headwater_http_open_connections{listener=\"media\"} 0\n") {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        assert!(timeout(PATIENCE, gone).await.is_ok(), "{}", exposed(&live));
    }
    assert_eq!(sent(http1().get(live.segment_url())).await.status(), 200, "others are served as ever");
}

fn exposed(live: &Live) -> String {
    Exposition::new(&live.metrics).text()
}

fn path(url: &str) -> &str {
    let rest = url.trim_start_matches("http://");
    &rest[rest.find('/').unwrap()..]
}

/// An origin that is asked over sockets and without.
struct Shared(Arc<Origin>);

impl Service for Shared {
    const NAME: &'static str = "media";

    async fn answer(&self, request: &http::request::Parts, connection: &Waiting) -> Reply {
        self.0.answer(request, connection).await
    }
}
