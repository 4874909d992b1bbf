//! One run: a server, viewers, and what came of it.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use anyhow::Context;
use tokio::{
    task::{JoinSet, LocalSet},
    time::{sleep, timeout},
};

use super::{
    client::{Plan, Viewer},
    report::{Figures, Hls, Report},
    seen::Seen,
};
use crate::{
    child::Server,
    clock,
    delay::delays,
    player::{self, Target},
    process,
    report::percentile,
    run::{Usage, WARM_UP, gather, listen, look},
    server,
    witness::Witness,
};

/// How long all viewers may take to be let in.
const PATIENCE: Duration = Duration::from_secs(120);
/// From the last handshake to the first figure: then nobody is still reading what was there before it came.
const SETTLE: Duration = Duration::from_secs(3);
/// How long slow viewers have to read what is left, and so to learn what has become of them.
const REST: Duration = Duration::from_secs(2);

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) viewers: usize,
    /// How many of them are slow, and how many bytes a second they read.
    pub(crate) slow: (usize, u64),
    pub(crate) seconds: u64,
    /// HLS players beside them.
    pub(crate) players: usize,
    /// False for the write loop.
    pub(crate) headwater: bool,
    /// Command line of the server.
    pub(crate) server: Vec<String>,
}

/// Does it. All clients are on the current thread.
pub(crate) async fn measure(task: &Task) -> anyhow::Result<Report> {
    LocalSet::new().run_until(local(task)).await
}

async fn local(task: &Task) -> anyhow::Result<Report> {
    let mut server = Server::start(&task.server).await?;
    if task.headwater {
        server.publishes(WARM_UP).await?;
    }
    let alone = play(task, &server).await?;
    let memory_before = process::memory(server.pid)?;
    let highest = Rc::new(Cell::new(memory_before));
    let looking = tokio::task::spawn_local(look(server.pid, highest.clone()));
    let plan = Rc::new(Plan {
        address: server.address,
        target: task.headwater.then(server::viewer),
        window: Cell::new((u64::MAX, u64::MAX)),
        received: Cell::new(0),
        hurry: Cell::new(false),
    });
    let witness = Witness::start()?;
    let (all, watching) = enter(task, &plan).await?;
    sleep(SETTLE).await;
    let before = (Usage::now(&mut server).await?, plan.received.get());
    plan.window.set((before.0.at, before.0.at + task.seconds * 1_000_000_000));
    let (among, ()) = tokio::join!(play(task, &server), sleep(Duration::from_secs(task.seconds)));
    let after = (Usage::now(&mut server).await?, plan.received.get());
    let counts = server.counts().await?;
    plan.hurry.set(true);
    sleep(REST).await;
    looking.abort();
    drop(watching);
    server.stop().await?;

    let seconds = (after.0.at - before.0.at) as f64 / 1e9;
    let figures = Figures {
        seconds,
        gigabits: (after.1 - before.1) as f64 * 8.0 / 1e9,
        processor: after.0.server - before.0.server,
        client_cores: (after.0.players - before.0.players) / seconds,
        memory: (memory_before, highest.get()),
        counts,
        held_up_ms: witness.held_up_ms(),
        hls: alone.zip(among?).map(|(alone, among)| Hls { players: task.players, alone, among }),
    };
    let seen: Vec<_> = all.iter().map(|seen| seen.borrow()).collect();
    Ok(Report::new(task, &figures, &Vec::from_iter(seen.iter().map(|seen| &**seen))))
}

type Watching = (Vec<Rc<RefCell<Seen>>>, JoinSet<()>);

/// Lets the viewers in one after another, slow ones evenly among the others.
async fn enter(task: &Task, plan: &Rc<Plan>) -> anyhow::Result<Watching> {
    let (mut all, mut watching) = (Vec::new(), JoinSet::new());
    let connect = async {
        for index in 0..task.viewers {
            let seen = Rc::new(RefCell::new(Seen::default()));
            let rate = task.is_slow(index).then_some(task.slow.1);
            let viewer = Viewer::connect(plan.clone(), rate, seen.clone()).await?;
            watching.spawn_local(viewer.watch());
            all.push(seen);
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, connect).await.context("letting the viewers in takes too long")??;
    Ok((all, watching))
}

impl Task {
    /// The slow ones are spread evenly.
    pub(crate) fn is_slow(&self, index: usize) -> bool {
        (index + 1) * self.slow.0 / self.viewers.max(1) > index * self.slow.0 / self.viewers.max(1)
    }
}

/// Lets HLS players wait for playlists while the run lasts, and gives the 50th and 99th percentile of how long the news
/// took, in milliseconds.
async fn play(task: &Task, server: &Server) -> anyhow::Result<Option<[f64; 2]>> {
    if task.players == 0 {
        return Ok(None);
    }
    let from = clock::nanos();
    let until = from + task.seconds * 1_000_000_000;
    let last = server.published().last().copied().context("nothing was published")?;
    let plan = Rc::new(player::Plan {
        address: server.address,
        base: server::base(),
        target: Target::Playlist,
        gzip: false,
        parts: server::PARTS,
        until: Rc::new(Cell::new(until)),
    });
    let players = gather(task.players, &plan, last.position).await?;
    sleep(Duration::from_secs(task.seconds)).await;
    let (receipts, failures) = listen(players).await?;
    anyhow::ensure!(failures.is_empty(), "HLS players gave up: {failures:?}");
    let measured: Vec<_> =
        server.published().into_iter().filter(|part| (from..until).contains(&part.at)).collect();
    let sorted = delays(Target::Playlist, &measured, &receipts).sorted_ms;
    Ok(Some([0.5, 0.99].map(|share| percentile(&sorted, share))))
}

/// The address, as the command line of a server has it.
pub(crate) fn listen_on(address: SocketAddr, cpu: Option<usize>) -> Vec<String> {
    let mut arguments = vec!["--listen".to_owned(), address.to_string()];
    arguments.extend(cpu.into_iter().flat_map(|cpu| ["--cpu".to_owned(), cpu.to_string()]));
    arguments
}
