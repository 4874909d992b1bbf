//! Objects that are too large to be read as a whole: of a range only its blocks are read, and all are of one version. And
//! those that are large, and not too large to be compared with what they have to be.

use std::{path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, future::join_all};
use headwater::{
    config,
    store::{Blocks, Error, Store, Stored, etag},
};
use headwater_test_support::fault::{Fault, FaultStore, Odds};
use object_store::{ObjectStore, memory::InMemory};
use tempfile::TempDir;
use tokio::time::{Instant, sleep, timeout};

use super::{LIMIT, s3::S3};

const PATH: &str = "vod/film/720p/1.m4s";

const MIB: u64 = 1 << 20;
pub(super) const BLOCK: u64 = 4 * MIB;

/// So many bytes, no page of which is another.
pub(crate) fn film(seed: u64, length: u64) -> Bytes {
    let mut bytes = vec![0; length as usize];
    for (number, page) in bytes.chunks_mut(4096).enumerate() {
        let stamp = (seed << 40 | number as u64).to_be_bytes();
        page.iter_mut().zip(stamp.iter().cycle()).for_each(|(byte, stamp)| *byte = *stamp);
    }
    bytes.into()
}

/// The same with a cache beside which nothing that is larger than two blocks is read as a whole.
fn little(config: config::Store) -> config::Store {
    config::Store { cache: config::Cache { memory: 8 * BLOCK, disk: None }, ..config }
}

/// Such a store of that URL, over those objects, or of that bucket.
fn at(url: &str) -> Store {
    Store::of(&little(config::Store::at(url))).unwrap()
}

fn over(objects: Arc<dyn ObjectStore>) -> Store {
    Store::over_as(objects, &little(config::Store::at("memory://")))
}

fn of(s3: &S3, prefix: &str) -> Store {
    Store::of(&little(s3.config(prefix))).unwrap()
}

/// Of a store that is somewhere else, with the usual cache.
pub(super) async fn comes_in_blocks(store: Store) {
    let whole = film(1, 17 * BLOCK);
    timeout(LIMIT, store.create(PATH, vec![whole.clone()])).await.unwrap().unwrap();
    let blocks = opened(&store).await;
    assert!(read(blocks, 0, u64::MAX).await.unwrap() == whole);
}

async fn opened(store: &Store) -> Blocks {
    match timeout(LIMIT, store.find(PATH)).await.unwrap().unwrap() {
        Stored::Blocks(blocks) => *blocks,
        Stored::Whole(_) => panic!("it is large"),
    }
}

async fn read(blocks: Blocks, first: u64, length: u64) -> Result<Bytes, Error> {
    let pieces: Vec<Bytes> = timeout(LIMIT, blocks.read(first, length).try_collect()).await.unwrap()?;
    Ok(pieces.concat().into())
}

/// What came before it was cut off, and why it was.
async fn cut(blocks: Blocks) -> (u64, Error) {
    let (mut pieces, mut length) = (blocks.read(0, u64::MAX), 0);
    loop {
        match timeout(LIMIT, pieces.next()).await.unwrap() {
            Some(Ok(piece)) => length += piece.len() as u64,
            Some(Err(error)) => return (length, error),
            None => panic!("it came to its end"),
        }
    }
}

async fn every_range_is_that_range(store: Store, name: &str) {
    let body = film(1, 3 * BLOCK + 5);
    store.create(PATH, vec![body.clone()]).await.unwrap();
    let blocks = opened(&store).await;
    assert_eq!((blocks.length(), blocks.etag()), (3 * BLOCK + 5, &*etag([&body[..]])), "{name}");
    for (first, length) in [
        (0, u64::MAX),
        (0, 1),
        (BLOCK - 1, 2),
        (BLOCK, BLOCK),
        (2 * BLOCK + 7, BLOCK + 9),
        (3 * BLOCK + 4, 1),
        (3 * BLOCK + 4, 9),
        (3 * BLOCK + 5, 1),
        (0, 0),
    ] {
        let end = first.saturating_add(length).min(body.len() as u64);
        let got = read(blocks.clone(), first, length).await.unwrap();
        assert!(got == body.slice(first as usize..end as usize), "{name}: {length} from {first}");
    }
    assert!(store.object(PATH).await.unwrap().body == body, "{name}");
}

#[tokio::test]
async fn every_range_of_a_large_object_is_that_range_in_directory_memory_and_bucket() {
    let directory = TempDir::new().unwrap();
    let s3 = S3::start().await;
    every_range_is_that_range(at("memory://"), "memory").await;
    every_range_is_that_range(at(directory.path().to_str().unwrap()), "directory").await;
    every_range_is_that_range(of(&s3, "/p"), "bucket").await;
    let none = config::Cache { memory: 0, disk: None };
    let store = Store::of(&config::Store { cache: none, ..s3.config("/none") }).unwrap();
    every_range_is_that_range(store, "a bucket without a cache").await;
}

#[tokio::test]
async fn fifty_viewers_of_a_range_cost_two_reads_and_the_next_of_its_block_none() {
    let s3 = S3::start().await;
    let body = film(1, 40 * MIB);
    s3.store("").create(PATH, vec![body.clone()]).await.unwrap();
    let store = of(&s3, "");
    let viewer = async || read(opened(&store).await, 21 * MIB, MIB).await.unwrap();
    let got = join_all((0..50).map(|_| viewer())).await;
    assert!(got.iter().all(|got| *got == body.slice(21 << 20..22 << 20)));
    assert_eq!(s3.gets(PATH), 2, "what it is, with its first blocks, and the block with the range");
    read(opened(&store).await, 20 * MIB, BLOCK).await.unwrap();
    read(opened(&store).await, 0, 2 * BLOCK).await.unwrap();
    assert_eq!((s3.gets(PATH), store.fills()), (2, 2));
}

#[tokio::test]
async fn what_is_no_larger_than_two_blocks_and_what_is_empty_is_read_as_a_whole() {
    let directory = TempDir::new().unwrap();
    let s3 = S3::start().await;
    let (in_directory, empty) = (Store::open(directory.path().to_str().unwrap()).unwrap(), Bytes::new());
    for store in [Store::open("memory://").unwrap(), in_directory, s3.store("")] {
        for body in [film(1, 2 * BLOCK), empty.clone()] {
            let path = format!("vod/film/720p/{}.m4s", body.len());
            store.create(&path, vec![body.clone()]).await.unwrap();
            let found = timeout(LIMIT, store.find(&path)).await.unwrap().unwrap();
            assert!(matches!(found, Stored::Whole(object) if object.body == body), "{path}");
        }
    }
    assert_eq!(s3.gets(&format!("{}.m4s", 2 * BLOCK)), 1);
}

#[tokio::test]
async fn what_is_empty_is_found_to_be_so_at_once() {
    let s3 = S3::start().await;
    s3.store("").create(PATH, vec![Bytes::new()]).await.unwrap();
    let started = Instant::now();
    let found = timeout(LIMIT, s3.store("").object(PATH)).await.unwrap().unwrap();
    assert!(found.body.is_empty() && started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn one_that_was_opened_before_a_record_told_of_it_is_what_the_record_says_from_then_on() {
    let directory = TempDir::new().unwrap();
    let store = || at(directory.path().to_str().unwrap());
    let body = film(1, 3 * BLOCK);
    store().create(PATH, vec![body.clone()]).await.unwrap();
    let (tag, reader) = (etag([&body[..]]), store());
    assert_ne!(opened(&reader).await.etag(), tag, "nobody has said what it is");
    reader.expect(PATH, &tag);
    assert_eq!(opened(&reader).await.etag(), tag);
    assert!(read(opened(&reader).await, 0, u64::MAX).await.unwrap() == body);
}

/// What is read of one that is replaced once its first block was handed out; the second was read with it.
async fn replaced(reader: Store, writer: Store, name: &str) {
    let (film_before, film_after) = (film(1, 6 * BLOCK), film(2, 6 * BLOCK));
    writer.put_media(PATH, vec![film_before]).await.unwrap();
    let before = opened(&reader).await;
    let mut pieces = before.clone().read(0, u64::MAX);
    assert!(pieces.next().await.unwrap().is_ok(), "{name}");
    writer.put_media(PATH, vec![film_after.clone()]).await.unwrap();
    assert!(pieces.next().await.unwrap().is_ok(), "{name}");
    let next = timeout(LIMIT, pieces.next()).await.unwrap();
    assert!(matches!(next, Some(Err(Error::Changed { .. }))), "{name}");
    assert!(pieces.next().await.is_none(), "{name}");
    let after = opened(&reader).await;
    assert_ne!(after.etag(), before.etag(), "{name}");
    assert!(read(after, 0, u64::MAX).await.unwrap() == film_after, "{name}");
}

#[tokio::test]
async fn one_that_is_replaced_while_it_is_sent_is_cut_off_and_the_next_answer_is_the_new_one() {
    let objects = Arc::new(InMemory::new());
    replaced(over(objects.clone()), over(objects), "memory").await;
    let directory = TempDir::new().unwrap();
    let store = || at(directory.path().to_str().unwrap());
    replaced(store(), store(), "directory").await;
    // s3s-fs takes no conditions of a GET: what it says of its answer decides.
    let s3 = S3::start().await;
    replaced(of(&s3, ""), of(&s3, ""), "bucket").await;
}

#[tokio::test]
async fn one_that_is_damaged_is_given_once_without_its_end_and_refused_until_it_is_mended() {
    let s3 = S3::start().await;
    let directory = TempDir::new().unwrap();
    let body = film(1, 6 * BLOCK);
    let writer = s3.store("");
    writer.create(PATH, vec![body.clone()]).await.unwrap();
    let file = s3.root().join(PATH);
    let mut flipped = body.to_vec();
    flipped[3 * BLOCK as usize] ^= 1;
    std::fs::write(&file, &flipped).unwrap();
    let disk = Some((directory.path().into(), 1 << 30));
    let cache = config::Cache { memory: 8 * BLOCK, disk };
    let reader = Store::of(&config::Store { cache, ..s3.config("") }).unwrap();
    let (length, error) = cut(opened(&reader).await).await;
    assert!(length == 5 * BLOCK && matches!(error, Error::Damaged { .. }), "{length} {error}");
    for _ in 0..20 {
        let refused = timeout(LIMIT, reader.find(PATH)).await.unwrap();
        assert!(matches!(refused, Err(Error::Damaged { .. })), "none of it is given to anybody else");
        sleep(Duration::from_millis(50)).await;
    }
    std::fs::write(&file, &body).unwrap();
    // What HTTP says of it is counted in seconds.
    let written = std::fs::File::options().write(true).open(&file).unwrap();
    let at = written.metadata().unwrap().modified().unwrap();
    written.set_modified(at + Duration::from_secs(5)).unwrap();
    assert!(read(opened(&reader).await, 0, u64::MAX).await.unwrap() == body);
}

#[tokio::test]
async fn one_that_was_damaged_on_its_way_is_served_once_it_was_read_again() {
    let faults = FaultStore::new(7, Odds(vec![(Fault::Flipped, 1000)]));
    let body = film(1, 5 * BLOCK);
    faults.calm(true);
    let store = over(Arc::new(faults.clone()));
    store.create(PATH, vec![body.clone()]).await.unwrap();
    let reader = over(Arc::new(faults.clone()));
    faults.calm(false);
    let blocks = opened(&reader).await;
    faults.calm(true);
    let (length, error) = cut(blocks).await;
    assert!(length == 4 * BLOCK && matches!(error, Error::Damaged { .. }), "{length} {error}");
    let read_again = async {
        while reader.find(PATH).await.is_err() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, read_again).await.unwrap();
    assert!(read(opened(&reader).await, 0, u64::MAX).await.unwrap() == body);
}

/// Nothing of an object is given that is not what was written, and once it is, all of it is.
async fn is_compared(store: Store, file: &Path, body: &Bytes) {
    let whole = std::fs::read(file).unwrap();
    let mut flipped = whole.clone();
    flipped[3 * BLOCK as usize] ^= 1;
    for other in [&flipped[..], &whole[..whole.len() - 1]] {
        std::fs::write(file, other).unwrap();
        let refused = timeout(LIMIT, store.find(PATH)).await.unwrap();
        assert!(matches!(refused, Err(Error::Damaged { .. })), "{}", store.url());
    }
    std::fs::write(file, &whole).unwrap();
    let found = timeout(LIMIT, store.find(PATH)).await.unwrap().unwrap();
    assert!(matches!(found, Stored::Whole(object) if object.body == body), "{}", store.url());
}

#[tokio::test]
async fn one_that_is_known_and_not_too_large_is_compared_before_any_of_it_is_given() {
    let s3 = S3::start().await;
    let directory = TempDir::new().unwrap();
    let body = film(1, 5 * BLOCK + 1);
    for writer in [s3.store(""), Store::open(directory.path().to_str().unwrap()).unwrap()] {
        writer.create(PATH, vec![body.clone()]).await.unwrap();
    }
    is_compared(s3.store(""), &s3.root().join(PATH), &body).await;
    let reader = Store::open(directory.path().to_str().unwrap()).unwrap();
    reader.expect(PATH, &etag([&body[..]]));
    is_compared(reader, &directory.path().join(PATH), &body).await;
    // However many ask, it is read once.
    let (reader, before) = (s3.store(""), s3.gets(PATH));
    let found = timeout(LIMIT, join_all((0..50).map(|_| reader.find(PATH)))).await.unwrap();
    assert!(found.into_iter().all(|found| matches!(found, Ok(Stored::Whole(object)) if object.body == body)));
    assert_eq!(s3.gets(PATH) - before, 2, "its beginning, and the rest");
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_on_the_way_what_is_whole_is_right() {
    let odds = Odds(vec![(Fault::Flipped, 50), (Fault::Short, 100), (Fault::Refused, 100)]);
    let faults = FaultStore::new(7, odds);
    let body = film(1, 5 * BLOCK);
    faults.calm(true);
    Store::over(Arc::new(faults.clone())).create(PATH, vec![body.clone()]).await.unwrap();
    faults.calm(false);
    let (mut whole, mut broken) = (0, 0);
    for _ in 0..60 {
        // Each with a cache of its own.
        let store = over(Arc::new(faults.clone()));
        let got = match timeout(LIMIT, store.find(PATH)).await.unwrap() {
            Ok(Stored::Blocks(blocks)) => read(*blocks, 0, u64::MAX).await,
            Ok(Stored::Whole(_)) => panic!("it is large"),
            Err(error) => Err(error),
        };
        match got {
            Ok(got) => {
                assert!(got == body);
                whole += 1;
            }
            Err(_) => broken += 1,
        }
    }
    assert!(whole > 30 && broken > 0, "{whole} were whole, {broken} were not");
}

#[tokio::test]
async fn blocks_stay_on_the_disk_of_a_node_that_starts_again() {
    let s3 = S3::start().await;
    let directory = TempDir::new().unwrap();
    let body = film(1, 5 * BLOCK + 1);
    s3.store("").create(PATH, vec![body.clone()]).await.unwrap();
    let disk = Some((directory.path().to_owned(), 1 << 30));
    let config = config::Store { cache: config::Cache { memory: 0, disk }, ..s3.config("") };
    let before = Store::of(&config).unwrap();
    let kept = async {
        // The disk takes what it can; what it has no time for is offered again.
        while std::fs::read_dir(directory.path()).unwrap().count() < 6 {
            assert!(read(opened(&before).await, 0, u64::MAX).await.unwrap() == body);
        }
    };
    timeout(LIMIT, kept).await.unwrap();
    let after = Store::of(&config).unwrap();
    assert!(read(opened(&after).await, 0, u64::MAX).await.unwrap() == body);
    assert_eq!(after.fills(), 1, "only what it is was asked");
}
