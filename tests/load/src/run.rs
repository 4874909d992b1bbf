//! One run: a server, players, and what came of it.

use std::{cell::Cell, collections::BTreeMap, net::SocketAddr, rc::Rc, time::Duration};

use anyhow::Context;
use tokio::{
    net::TcpStream,
    task::{JoinSet, LocalSet},
    time::{sleep, timeout},
};

use crate::{
    child::Server,
    clock,
    delay::{Delays, delays},
    player::{Error, Plan, Position, Receipt, Target, play},
    process,
    report::{Report, percentile},
};

/// How long all players may take to connect, and to hear their last reply.
const PATIENCE: Duration = Duration::from_secs(30);
/// From the last connection to the first figure, so that all are waiting by then, for a segment too.
const SETTLE: Duration = Duration::from_secs(3);
/// How often the server's memory is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// Parts before the players come, for what a server makes once only. Its list is full from the first on.
pub(crate) const WARM_UP: usize = 8;

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    pub(crate) waiters: usize,
    pub(crate) seconds: u64,
    pub(crate) target: Target,
    pub(crate) gzip: bool,
    /// A cache in front of the server that players ask instead.
    pub(crate) via: Option<SocketAddr>,
    /// `/live/{channel}/{track}`
    pub(crate) base: String,
    /// Parts that a segment has.
    pub(crate) parts: u32,
    /// Command line of the server.
    pub(crate) server: Vec<String>,
}

/// Does it. All players are on the current thread, so that the other core is the server's.
pub(crate) async fn measure(task: &Task) -> anyhow::Result<Report> {
    LocalSet::new().run_until(local(task)).await
}

async fn local(task: &Task) -> anyhow::Result<Report> {
    let mut server = Server::start(&task.server).await?;
    let last = server.publishes(WARM_UP).await?;
    let memory_before = process::memory(server.pid)?;
    let memory_highest = Rc::new(Cell::new(memory_before));
    let look = tokio::task::spawn_local(look(server.pid, memory_highest.clone()));

    let until = Rc::new(Cell::new(u64::MAX));
    let plan = Rc::new(Plan {
        address: task.via.unwrap_or(server.address),
        base: task.base.clone(),
        target: task.target,
        gzip: task.gzip,
        parts: task.parts,
        until: until.clone(),
    });
    let players = gather(task.waiters, &plan, last.position).await?;
    sleep(SETTLE).await;
    let before = Usage::now(&mut server).await?;
    until.set(before.at + task.seconds * 1_000_000_000);
    sleep(Duration::from_secs(task.seconds)).await;
    let after = Usage::now(&mut server).await?;
    let (receipts, failures) = listen(players).await?;
    look.abort();
    let published = server.published();
    server.stop().await?;

    let window = before.at..until.get();
    let measured: Vec<_> = published.into_iter().filter(|part| window.contains(&part.at)).collect();
    let delays = delays(task.target, &measured, &receipts);
    let memory = (memory_before, memory_highest.get());
    Ok(report(task, measured.len(), delays, (before, after), memory, failures))
}

/// Connects the players, which begin at once.
pub(crate) async fn gather(waiters: usize, plan: &Rc<Plan>, last: Position) -> anyhow::Result<Players> {
    let mut players = JoinSet::new();
    let connect = async {
        for _ in 0..waiters {
            let stream = TcpStream::connect(plan.address).await?;
            stream.set_nodelay(true)?;
            let (plan, first) = (plan.clone(), plan.next(last));
            players.spawn_local(play(stream, plan, first));
        }
        std::io::Result::Ok(())
    };
    let connected = timeout(PATIENCE, connect).await.context("connecting takes too long")?;
    connected.with_context(|| format!("cannot connect to {}", plan.address))?;
    Ok(players)
}

pub(crate) type Players = JoinSet<(Vec<Receipt>, Result<(), Error>)>;
pub(crate) type Failures = BTreeMap<String, usize>;

/// Waits for what the players have to tell.
pub(crate) async fn listen(mut players: Players) -> anyhow::Result<(Vec<Vec<Receipt>>, Failures)> {
    let (mut receipts, mut failures) = (Vec::new(), Failures::new());
    let all = async {
        while let Some(ended) = players.join_next().await {
            let (received, outcome) = ended.context("a player failed")?;
            receipts.push(received);
            if let Err(why) = outcome {
                *failures.entry(why.to_string()).or_default() += 1;
            }
        }
        anyhow::Ok(())
    };
    match timeout(PATIENCE, all).await {
        Ok(outcome) => outcome?,
        Err(_) => {
            failures.insert("its last reply never came".into(), players.len());
        }
    }
    Ok((receipts, failures))
}

pub(crate) async fn look(pid: u32, highest: Rc<Cell<u64>>) {
    while let Ok(memory) = process::memory(pid) {
        highest.set(highest.get().max(memory));
        sleep(LOOK).await;
    }
}

/// What was used up to a moment.
pub(crate) struct Usage {
    pub(crate) at: u64,
    pub(crate) server: f64,
    pub(crate) players: f64,
    requests: u64,
}

impl Usage {
    pub(crate) async fn now(server: &mut Server) -> anyhow::Result<Self> {
        Ok(Self {
            requests: server.counts().await?.requests,
            at: clock::nanos(),
            server: process::processor(server.pid)?,
            players: process::processor(std::process::id())?,
        })
    }
}

fn report(
    task: &Task,
    updates: usize,
    delays: Delays,
    (before, after): (Usage, Usage),
    (memory_before, memory_highest): (u64, u64),
    failures: Failures,
) -> Report {
    let seconds = (after.at - before.at) as f64 / 1e9;
    let Delays { sorted_ms, early } = delays;
    let server = after.server - before.server;
    let waiters = task.waiters.max(1);
    Report {
        waiters: task.waiters,
        target: task.target,
        gzip: task.gzip,
        seconds,
        updates,
        replies: sorted_ms.len(),
        missing: (task.waiters * updates).saturating_sub(sorted_ms.len() + early),
        early,
        p50_ms: percentile(&sorted_ms, 0.5),
        p99_ms: percentile(&sorted_ms, 0.99),
        max_ms: percentile(&sorted_ms, 1.0),
        requests_an_update: (after.requests - before.requests) as f64 / updates.max(1) as f64,
        server_cores: server / seconds,
        player_cores: (after.players - before.players) / seconds,
        server_us_a_reply: server * 1e6 / sorted_ms.len().max(1) as f64,
        memory_before,
        memory_highest,
        kilobytes_a_waiter: (memory_highest - memory_before) as f64 / 1000.0 / waiters as f64,
        failures,
    }
}
