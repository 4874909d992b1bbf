//! `headwater serve`: everything that can be refused is refused before the first channel starts.

mod channels;

use std::{
    collections::BTreeMap, env, io::Write, net::SocketAddr, path::PathBuf, pin::pin, sync::Arc,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::signals::Signals;
use crate::{
    access::Access,
    channel::{LAST_SEGMENTS, Setup, journal::Runtime},
    clock,
    config::{self, Config, Role},
    control::Control,
    ladder::process::door::Door,
    metrics::Metrics,
    origin::{
        self, Admission, Lanes, Listener, Origin,
        preview::viewers::{self, Viewers},
        secret::{self, Secret},
        tls::Tls,
        waiters::{self, Waiters},
    },
    replica::{self, Uplink},
    store::Store,
};

/// Files that are open besides connections: of the store, of encoders, of the runtimes.
const SPARE_DESCRIPTORS: u64 = 500;

/// How long it takes from the signal on until viewers are served no more, be their segments or their responses complete or not.
const EXIT: Duration = Duration::from_secs(10);

/// How long what is being written to a disk may take when all is over.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Serves until the process is told to stop.
pub(super) fn run(config: Config) -> anyhow::Result<()> {
    clock::anchor(clock::unix_nanos());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(config));
    // A disk that does not answer is not waited for.
    runtime.shutdown_timeout(LAST_WRITES);
    served
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let metrics = Metrics::default();
    let (access, follower) = Access::of(&config)?;
    let admission = admission(&config.server, access, &metrics);
    let mut doors = doors(&config)?;
    let runtime = runtime(&config.server)?;
    let store = Store::of(&config.store)?;
    let longest = config.server.limits.stretch;
    let nodes = nodes(&config.server)?;
    let uplink = uplink(&config.server)?;
    let media = media(&config.server)?;
    let control = origin::listen(config.server.control).context("the control listener")?;
    let signals = Signals::listen().context("cannot listen for signals")?;
    let shutdown = CancellationToken::new();
    let program = env::current_exe().context("cannot find this program, to start encoders with it")?;

    let (has_tls, file_root) = (config.server.tls.is_some(), config.server.file_root);
    tokio::spawn(stop_on_signal(signals, shutdown.clone()));
    let replicas = |(name, config): (String, config::Channel)| {
        let (store, uplink, shutdown) = (store.clone(), uplink.clone(), shutdown.clone());
        replica::Setup { name, config, store, uplink, shutdown }
    };
    let mut packagers = |(name, config): (String, config::Channel)| Setup {
        file_root: file_root.clone(),
        store: store.clone(),
        runtime: runtime.clone(),
        program: program.clone(),
        door: doors.remove(&name),
        metrics: metrics.tracks.clone(),
        shutdown: shutdown.clone(),
        name,
        config,
    };
    let started = match config.server.role {
        Role::Origin => channels::follow(config.channels.into_iter().map(replicas).collect()),
        Role::All => {
            let setups = config.channels.into_iter().map(&mut packagers).collect();
            match shutdown.run_until_cancelled(channels::package(setups)).await {
                Some(started) => started?,
                None => return Ok(()),
            }
        }
    };
    let (readers, tasks): (BTreeMap<_, _>, Vec<_>) =
        started.into_iter().map(|(name, (reader, task))| ((name, reader), task)).unzip();
    print_links(has_tls, media.address(), control.address(), readers.keys())?;

    follower.map(|follower| tokio::spawn(follower.run(shutdown.clone())));
    let readers = Arc::new(readers);
    if let Some(secret) = nodes.clone() {
        let over = shutdown.clone();
        tokio::spawn(async move { over.run_until_cancelled(secret.follow()).await });
    }
    let origin = Origin::new(readers.clone(), store, admission)
        .stretching(longest, metrics.rewinding.clone())
        .relaying(nodes, metrics.relaying.clone());
    let state = Control::new(readers, &metrics, shutdown.clone());
    let (closing, over) = (CancellationToken::new(), CancellationToken::new());
    let work = async {
        let mut channels = pin!(ended(tasks));
        // Viewers are served until the last segments are complete, and no longer, whatever the store is at.
        let completed = async {
            shutdown.cancelled().await;
            let ended = timeout(LAST_SEGMENTS, &mut channels).await;
            closing.cancel();
            ended
        };
        let serving = origin::serve(media, origin, metrics.http.clone(), closing.clone());
        let served = async {
            tokio::select! {
                () = serving => {}
                () = after(&shutdown, EXIT) => tracing::warn!("still sending after {EXIT:?}: closed"),
            }
        };
        let ended = match tokio::join!(completed, served).0 {
            Ok(ended) => ended,
            Err(_) => channels.await,
        };
        over.cancel();
        ended
    };
    // To the end it can be asked whether this server is ready, and says that it is shutting down.
    tokio::join!(work, origin::serve(control, state, metrics.http.clone(), over.clone())).0
}

async fn after(shutdown: &CancellationToken, time: Duration) {
    shutdown.cancelled().await;
    sleep(time).await;
}

async fn ended(tasks: Vec<JoinHandle<()>>) -> anyhow::Result<()> {
    for task in tasks {
        task.await.context("a channel's task")?;
    }
    Ok(())
}

/// Where packagers keep what whoever is started next goes on with: where the configuration says, or else in what the service
/// manager or the session has for that. Only the former has to be there.
fn runtime(server: &config::Server) -> anyhow::Result<Option<Runtime>> {
    if server.role == Role::Origin {
        return Ok(None);
    }
    if let Some(directory) = &server.runtime_directory {
        return Runtime::open(directory).map(Some).context("server.runtime_directory");
    }
    // The service manager may name several.
    let of_service = env::var_os("RUNTIME_DIRECTORY").and_then(|paths| env::split_paths(&paths).next());
    let of_session = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let of_session = of_session.map(|path| path.join("headwater"));
    let opened = of_service.or(of_session).map(|directory| Runtime::open(&directory)).transpose();
    Ok(opened.unwrap_or_else(|error| {
        tracing::warn!(%error, "parts of segments that are being made will not outlive this process");
        None
    }))
}

/// The media listener, behind everything that its files may have wrong.
fn media(server: &config::Server) -> anyhow::Result<Listener> {
    let config::Server { media, tls, cdn, limits, .. } = server.clone();
    let tls = tls.map(Tls::load).transpose().context("server.tls")?;
    let secret = cdn.secret.as_ref().map(Secret::load).transpose().context("server.cdn.secret_file")?;
    raise_descriptors(limits.connections);
    let lanes = Lanes::start().context("cannot start threads for connections")?;
    let listener = origin::listen(media).context("the media listener")?;
    Ok(listener.limited(limits, cdn).secured(tls.map(Arc::new)).confided(secret).on(lanes))
}

/// What nodes say that are told the edge, if they are.
fn nodes(server: &config::Server) -> anyhow::Result<Option<Arc<Secret>>> {
    let feed = server.edge.as_ref().filter(|_| server.role == Role::All);
    let secret = feed.map(|feed| Secret::of_file(&feed.secret)).transpose();
    Ok(secret.context("server.edge_secret_file")?.map(Arc::new))
}

/// Where a node has the edge from, if it has.
fn uplink(server: &config::Server) -> anyhow::Result<Option<Uplink>> {
    let Some(feed) = server.edge.as_ref().filter(|_| server.role == Role::Origin) else { return Ok(None) };
    let secret = secret::first(&feed.secret).context("server.edge_secret_file")?;
    Ok(Some(Uplink::new(feed, &secret)?))
}

/// Each connection is a file to the system, which by default allows a program a thousand.
fn raise_descriptors(connections: usize) {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(allowed) if allowed < connections as u64 + SPARE_DESCRIPTORS => tracing::warn!(
            allowed,
            connections,
            "the system allows fewer open files than server.limits.connections needs; see ulimit -n, or LimitNOFILE of systemd"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "cannot ask the system for more open files"),
    }
}

/// Where channels wait for encoders that somebody else starts. A path is as easily wrong as a port, and before those are
/// bound nobody has seen this server.
fn doors(config: &Config) -> anyhow::Result<BTreeMap<String, Door>> {
    let mut doors = BTreeMap::new();
    if config.server.role == Role::Origin {
        return Ok(doors);
    }
    for (name, channel) in &config.channels {
        let Some(path) = &channel.encoder_socket else { continue };
        let door = Door::open(path).with_context(|| format!("channel.{name}.encoder_socket"))?;
        doors.insert(name.clone(), door);
    }
    Ok(doors)
}

fn admission(server: &config::Server, access: Access, metrics: &Metrics) -> Admission {
    let waiters =
        waiters::Limits { all: server.max_waiters, of_connection: server.max_waiters_per_connection };
    let viewers = viewers::Limits { all: server.max_viewers, of_channel: server.max_viewers_per_channel };
    Admission {
        waiters: Waiters::new(waiters, metrics.waiting.clone()),
        viewers: Viewers::new(viewers, metrics.viewing.clone()),
        origins: server.origins.clone(),
        access,
    }
}

async fn stop_on_signal(mut signals: Signals, shutdown: CancellationToken) {
    signals.next().await;
    tracing::info!(
        "stopping, once the segments that are being made are complete; a second signal ends the process at once"
    );
    shutdown.cancel();
    signals.next().await;
    std::process::exit(130);
}

fn print_links<'a>(
    has_tls: bool,
    media: SocketAddr,
    control: SocketAddr,
    channels: impl Iterator<Item = &'a String>,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let base = base(if has_tls { "https" } else { "http" }, media);
    writeln!(out, "\n  Page     {base}/")?;
    for name in channels {
        writeln!(out, "  HLS      {base}/live/{name}/index.m3u8")?;
        writeln!(out, "  DASH     {base}/live/{name}/manifest.mpd")?;
    }
    writeln!(out, "  Control  {}/\n", self::base("http", control))?;
    out.flush().context("cannot write to the standard output")
}

/// A URL that works on this machine, whatever address is listened on.
fn base(scheme: &str, address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}
