//! What is signed is for those who have a token, and is the same for all of them.

use headwater::{
    access::{key::Key, keys::Keys, token::Expected},
    clock,
};
use jsonwebtoken::{EncodingKey, Header, encode};
use reqwest::redirect::Policy;
use serde_json::{Value, json};

use super::{
    preview::{MANY, Studio, Viewer, upgrade},
    *,
};

const SECRET: &[u8] = b"a secret that is long enough for HS256";
/// What a token may be used for after its end, as clocks differ.
const LEEWAY: i64 = 5;

/// `demo` and packaged files are signed, all else is open.
fn access() -> Access {
    let keys = Keys::new(vec![Key::secret("main", SECRET).unwrap()], Vec::new());
    let keys = watch::channel(Arc::new(keys)).1;
    Access::new(["demo".to_owned()].into(), true, Expected::default(), keys)
}

/// A token that opens `path` for so many seconds.
fn token(path: &str, seconds: i64) -> String {
    let header = Header { kid: Some("main".to_owned()), ..Header::default() };
    let claims = json!({ "exp": clock::wall_seconds() + seconds, "paths": [path] });
    encode(&header, &claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

async fn serve_signed() -> Server {
    Server::start(guarded(memory(), access()).await)
}

/// The answer itself, and not that of where it leads to.
async fn answer(server: &Server, path: &str, bearer: Option<&str>) -> Response {
    let client = Client::builder().no_gzip().redirect(Policy::none()).build().unwrap();
    let request = client.get(server.url(path));
    sent(bearer.into_iter().fold(request, |request, token| request.bearer_auth(token))).await
}

const FILES: [&str; 9] = [
    "/live/demo/index.m3u8",
    "/live/demo/manifest.mpd",
    "/live/demo/720p/index.m3u8",
    "/live/demo/720p/init-0af3.mp4",
    "/live/demo/720p/933000004.m4s",
    "/live/demo/720p/932999995.m4s",
    "/vod/clip/index.m3u8",
    "/vod/clip/360p/index.m3u8",
    "/vod/clip/360p/1.m4s",
];

#[tokio::test]
async fn every_file_is_had_with_a_token_in_any_place_and_is_the_same_for_all() {
    let server = serve_signed().await;
    let open = serve_demo().await;
    let token = token("/", 60);
    for file in FILES {
        let expected = open.get(file).await;
        let (fields, body) = (expected.headers().clone(), bytes(expected).await);
        for (path, bearer) in [(format!("/t/{token}{file}"), None), (file.to_owned(), Some(&token[..]))] {
            let response = answer(&server, &path, bearer).await;
            assert_eq!(response.status(), 200, "{path}");
            for name in ["cache-control", "etag", "vary", "content-type", "content-length"] {
                assert_eq!(field(response.headers(), name), field(&fields, name), "{name} of {path}");
            }
            assert_eq!(bytes(response).await, body, "{path}");
        }
        // Whoever follows, as every player does, gets it too.
        let followed = server.get(&format!("{file}?token={token}")).await;
        assert_eq!(followed.status(), 200, "{file}");
        let is_document = !file.ends_with(".m4s") && !file.ends_with(".mp4");
        assert_eq!(followed.url().path().starts_with("/t/"), is_document, "{file}");
        assert_eq!(bytes(followed).await, body, "{file}");
    }
}

#[tokio::test]
async fn a_document_sends_a_token_in_the_query_on_to_the_path_where_its_relative_urls_carry_it() {
    let server = serve_signed().await;
    let token = token("/live/demo", 60);
    let query = format!("a=1&token={token}&_HLS_msn=933000009");
    for (path, location) in [
        ("/live/demo/index.m3u8", "../../t/TOKEN/live/demo/index.m3u8?a=1&_HLS_msn=933000009"),
        ("/live/demo/720p/index.m3u8", "../../../t/TOKEN/live/demo/720p/index.m3u8?a=1&_HLS_msn=933000009"),
        ("/", "t/TOKEN/?a=1&_HLS_msn=933000009"),
    ] {
        let response = answer(&server, &format!("{path}?{query}"), None).await;
        assert_eq!(response.status(), 307, "{path}");
        assert_eq!(field(response.headers(), "location"), location.replace("TOKEN", &token));
        assert_eq!(field(response.headers(), "cache-control"), "no-store");
        assert_eq!(field(response.headers(), "access-control-allow-origin"), "*");
        assert!(bytes(response).await.is_empty());
    }
    let open = answer(&server, "/live/new/index.m3u8?token=x", None).await;
    assert_eq!(open.status(), 503, "what is open looks at no token");
}

#[tokio::test]
async fn who_has_no_good_token_is_refused_and_told_no_more_than_needed() {
    let server = serve_signed().await;
    let [late, elsewhere] = [token("/live/demo", -LEEWAY), token("/live/demo2", 60)];
    let forged = format!("{}A", token("/", 60));
    let invalid = "Bearer error=\"invalid_token\"";
    for file in [&FILES[..], &["/live/demo/none/index.m3u8", "/live/demo/720p/1.m4s", "/vod/none/index.m3u8"]]
        .concat()
    {
        for (token, status, challenge) in [
            (None, 401, "Bearer"),
            (Some(&late), 401, invalid),
            (Some(&forged), 401, invalid),
            (Some(&String::from("x")), 401, invalid),
            (Some(&"x".repeat(3000)), 401, invalid),
            (Some(&elsewhere), 403, "Bearer error=\"insufficient_scope\""),
        ] {
            let paths = token.map_or(vec![file.to_owned()], |token| {
                vec![format!("/t/{token}{file}"), format!("{file}?token={token}")]
            });
            for path in paths {
                let response = answer(&server, &path, None).await;
                assert_eq!(response.status(), status, "{path}");
                assert_eq!(field(response.headers(), "www-authenticate"), challenge, "{path}");
                assert_eq!(field(response.headers(), "cache-control"), "no-store");
                let body = text(response).await;
                assert!(
                    body.len() < 60 && token.is_none_or(|token| token.len() < 2 || !body.contains(token)),
                    "{body}"
                );
            }
        }
    }
}

#[tokio::test]
async fn what_is_open_stays_open_and_what_is_not_there_is_not_there() {
    let server = serve_signed().await;
    for path in ["/live/new/index.m3u8", "/t/x/live/new/index.m3u8"] {
        assert_eq!(server.get(path).await.status(), 503, "{path}");
    }
    for path in ["/time", "/t/x/time", "/", "/t/x/", "/channels.json", "/t/x/channels.json"] {
        assert_eq!(server.get(path).await.status(), 200, "{path}");
    }
    for path in ["/live/none/index.m3u8", "/t", "/t/", "/t/x", "/t/x/t/x/time", "/t/x/nothing"] {
        assert_eq!(server.get(path).await.status(), 404, "{path}");
    }
    let list: Value = serde_json::from_str(&text(server.get("/channels.json").await).await).unwrap();
    let named =
        |name: &str| list["channels"].as_array().unwrap().iter().find(|its| its["name"] == name).cloned();
    assert_eq!(
        named("demo"),
        Some(json!({"name": "demo", "state": "live", "tracks": [], "access": "signed"}))
    );
    assert_eq!(named("new"), Some(json!({"name": "new", "state": "starting", "tracks": []})));
    let preflight = sent(server.request(Method::OPTIONS, "/live/demo/index.m3u8")).await;
    assert!(field(preflight.headers(), "access-control-allow-headers").contains("Authorization"));
}

fn signed_studio(reader: Reader) -> Server {
    let viewers = Viewers::new(MANY, Metrics::default().viewing);
    let admission = Admission { viewers, access: access(), ..admission(waiters()) };
    Server::start(Origin::new(Arc::new([("demo".to_owned(), reader)].into()), memory(), admission))
}

#[tokio::test]
async fn a_websocket_is_let_in_by_the_same_token_before_the_upgrade() {
    let (_studio, reader) = Studio::open();
    let server = signed_studio(reader);
    let (good, other) = (token("/live/demo", 60), token("/live/demo/720p", 60));
    for (path, status) in [
        ("/live/demo/ws".to_owned(), 401),
        ("/live/demo/ws?token=x".to_owned(), 401),
        (format!("/live/demo/ws?token={other}"), 403),
        (format!("/live/demo/ws?video=none&token={good}"), 101),
        (format!("/t/{good}/live/demo/ws"), 101),
    ] {
        assert_eq!(sent(upgrade(&server, &path)).await.status(), status, "{path}");
    }
    let bearer = upgrade(&server, "/live/demo/ws").bearer_auth(&good);
    assert_eq!(sent(bearer).await.status(), 101);
}

#[tokio::test]
async fn a_viewer_whose_token_expires_is_shown_out_within_a_second_or_so() {
    let (mut studio, reader) = Studio::open();
    studio.publish();
    let server = signed_studio(reader);
    let began = clock::now();
    let mut viewer =
        Viewer::join(server.address, &format!("?token={}", token("/live/demo", 2 - LEEWAY))).await;
    viewer.media().await;
    assert_eq!(timeout(PATIENCE, viewer.closed()).await.expect("closed in time"), 4401);
    let took = began.elapsed();
    assert!(Duration::from_millis(900) < took && took < Duration::from_secs(4), "{took:?}");
}
