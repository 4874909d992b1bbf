//! On which processors this process runs.

use std::io;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The processors that this thread may run on.
fn allowed() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(None)?;
    Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect())
}

/// Runs this thread, and those that it starts, on `cpus` only.
pub(crate) fn pin(cpus: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    cpus.iter().for_each(|&cpu| set.set(cpu));
    Ok(sched_setaffinity(None, &set)?)
}

/// One processor for a server, and the others for this thread, which leaves the first one from here on. `None` where
/// there is only one.
pub(crate) fn divide() -> io::Result<Option<usize>> {
    let cpus = allowed()?;
    match cpus.split_last() {
        Some((server, others)) if !others.is_empty() => {
            pin(others)?;
            Ok(Some(*server))
        }
        _ => Ok(None),
    }
}

/// Leaves the only processor of the process that has started this one, where there are others.
pub(crate) fn avoid_inherited() -> io::Result<()> {
    let [only] = allowed()?[..] else { return Ok(()) };
    // The system leaves out what there is not.
    pin(&Vec::from_iter(0..CpuSet::MAX_CPU))?;
    let others: Vec<usize> = allowed()?.into_iter().filter(|&cpu| cpu != only).collect();
    if others.is_empty() { Ok(()) } else { pin(&others) }
}
