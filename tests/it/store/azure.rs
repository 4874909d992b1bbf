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
    let work = revises_its_own_version_only(store("records"));
    timeout(LIMIT, work).await.expect("Azurite hangs");
}

#[tokio::test]
#[ignore = "make test-azure starts what it needs"]
async fn a_large_object_comes_in_blocks() {
    large::comes_in_blocks(store("large")).await;
}
