//! Objects that have to go.

use super::*;

pub(super) async fn what_is_purged_is_asked_for_again(program: Program) {
    if !program.purges() {
        return;
    }
    let Some((_server, front)) = Front::of_the_demo(program).await else { return };
    let path = "/live/demo/720p/index.m3u8";
    let purge = |client: Client| sent(client.request(Method::from_bytes(b"PURGE").unwrap(), front.url(path)));
    let load = async || {
        for coding in ["gzip", "identity"] {
            let response = front.get(path, &[("accept-encoding", coding)]).await;
            assert_eq!(response.status(), 200);
            assert!(!bytes(response).await.is_empty());
        }
        front.asked()
    };
    let forms = load().await;
    assert_eq!(load().await, 0, "both are kept");

    let elsewhere = Client::builder().no_gzip().local_address("127.0.0.2".parse().ok()).build().unwrap();
    assert_eq!(purge(elsewhere).await.status(), 403, "not everybody may");
    assert_eq!(load().await, 0);
    assert_eq!(purge(http1()).await.status(), 200);
    assert_eq!(load().await, forms, "both forms are gone");
    assert_eq!(load().await, 0, "and kept again");
}
