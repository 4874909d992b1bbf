//! Azurite, Microsoft's emulator of Azure Blob Storage, which `make test-azure` installs and starts.

use std::env;

use super::*;

fn store(prefix: &str) -> Store {
    let variable =
        |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set; run make test-azure"));
    let mut config = config::Store::at(format!("az://films/{prefix}"));
    config.bucket = config::Bucket {
        endpoint: Some(variable("HEADWATER_AZURE_ENDPOINT")),
        account: Some("headwater".into()),
        credentials_file: Some(variable("HEADWATER_AZURE_KEY_FILE").into()),
        allow_http: true,
        ..config::Bucket::default()
    };
    Store::of(&config).unwrap()
}

#[tokio::test]
#[ignore = "make test-azure starts what it needs"]
async fn azure_behaves_as_every_store_does() {
    let suite = async {
        assert!(store("probe").unfenced().await.unwrap().is_none(), "conditions are kept");
        behaves(store("suite")).await;
    };
    timeout(LIMIT, suite).await.expect("Azurite hangs");
}

#[tokio::test]
#[ignore = "make test-azure starts what it needs"]
async fn a_record_is_written_over_the_version_before_it_only() {
    let store = store("records");
    let work = async {
        let one = store.revise("live/a/state.json", body("1"), None).await.unwrap();
        let two = store.revise("live/a/state.json", body("2"), Some(&one)).await.unwrap();
        let late = store.revise("live/a/state.json", body("late"), Some(&one)).await;
        assert!(matches!(late, Err(Error::Superseded { .. })), "{late:?}");
        store.revise("live/a/state.json", body("3"), Some(&two)).await.unwrap();
        assert_eq!(store.look("live/a/state.json").await.unwrap().body, "3");
    };
    timeout(LIMIT, work).await.expect("Azurite hangs");
}

#[tokio::test]
#[ignore = "make test-azure starts what it needs"]
async fn a_large_object_comes_in_blocks() {
    large::comes_in_blocks(store("large")).await;
}
