//! Who is let in: T-28 of the fault matrix, and the limits.

use super::*;

#[tokio::test]
async fn pages_of_other_origins_are_refused_before_the_upgrade() {
    let (_studio, reader) = Studio::open();
    let server = studio_server(reader, MANY);
    let own = format!("http://{}", server.address);
    let [longer, other_port] = [format!("{own}.evil.example"), "http://127.0.0.1:1".to_owned()];
    for origin in ["https://evil.example", "null", "https://evil-studio.example", &longer, &other_port, ""] {
        let response = sent(upgrade(&server, "/live/demo/ws").header("origin", origin)).await;
        assert_eq!(response.status(), 403, "{origin}");
        assert_eq!(field(response.headers(), "cache-control"), "no-store");
        assert!(text(response).await.contains("server.origins"));
    }
    for origin in [&own, "https://studio.example"] {
        let response = sent(upgrade(&server, "/live/demo/ws").header("origin", origin)).await;
        assert_eq!(response.status(), 101, "{origin}");
    }
}

#[tokio::test]
async fn what_is_no_handshake_is_told_what_would_be_one() {
    let (_studio, reader) = Studio::open();
    let server = studio_server(reader, MANY);
    let plain = server.get("/live/demo/ws").await;
    assert_eq!((plain.status().as_u16(), field(plain.headers(), "upgrade")), (426, "websocket"));
    assert_eq!(field(plain.headers(), "sec-websocket-version"), "13");
    for (path, status) in [
        ("/live/none/ws", 404),
        ("/live/demo/ws?format=flv", 400),
        ("/live/demo/ws?height=tall", 400),
        ("/vod/demo/ws", 404),
    ] {
        assert_eq!(sent(upgrade(&server, path)).await.status(), status, "{path}");
    }
    let other = upgrade(&server, "/live/demo/ws").header("sec-websocket-key", "again");
    assert_eq!(sent(other).await.status(), 400);
    // Nothing of it has used up the connection's or the server's patience.
    assert_eq!(server.get("/time").await.status(), 200);
}

#[tokio::test]
async fn as_many_watch_as_may_and_who_leaves_makes_room() {
    for limits in [viewers::Limits { all: 10, of_channel: 2 }, viewers::Limits { all: 2, of_channel: 10 }] {
        let (mut studio, reader) = Studio::open();
        studio.publish();
        let server = studio_server(reader, limits);
        let first = Viewer::join(server.address, "").await;
        let _second = Viewer::join(server.address, "").await;
        let refused = sent(upgrade(&server, "/live/demo/ws")).await;
        let retry = field(refused.headers(), "retry-after");
        assert_eq!((refused.status().as_u16(), retry), (503, "1"), "{limits:?}");
        drop(first);
        there_is_room(&server).await;
    }
}
