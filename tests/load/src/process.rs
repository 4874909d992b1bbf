//! What the system says of a process.

use std::{fs, io};

use anyhow::Context;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files and connections that are open beside those of the players.
const SPARE: u64 = 100;

/// Lets this process, and those it starts, have `connections` open at once.
pub(crate) fn allow_connections(connections: usize) -> anyhow::Result<()> {
    let wanted = connections as u64 + SPARE;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if maximum.is_some_and(|maximum| maximum < wanted) {
        anyhow::bail!(
            "{connections} connections need {wanted} open files, and this user may have {}; raise the hard limit \
             (ulimit -Hn {wanted}, or LimitNOFILE= of systemd) or ask for fewer waiters",
            maximum.unwrap_or_default()
        );
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
        .context("cannot raise the limit of open files")
}

/// Bytes of memory that a process has in use (its resident set).
pub(crate) fn memory(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    kilobytes
        .and_then(|number| number.parse::<u64>().ok())
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| io::Error::other("/proc/PID/status has no VmRSS"))
}

/// Seconds of processor time that a process has used.
pub(crate) fn processor(pid: u32) -> io::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name, which may hold anything; user and system time are the 14th and 15th.
    let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace().skip(11).take(2));
    let ticks: Option<u64> = fields.and_then(|fields| fields.map(|field| field.parse::<u64>().ok()).sum());
    ticks
        .map(|ticks| ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
        .ok_or_else(|| io::Error::other("/proc/PID/stat has no times"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_memory_and_has_used_the_processor() {
        let pid = std::process::id();
        assert!(memory(pid).unwrap() > 1 << 20);
        assert!(processor(pid).unwrap() >= 0.0);
        assert!(memory(u32::MAX).is_err());
    }

    #[test]
    fn more_connections_than_the_hard_limit_are_refused_with_advice() {
        let error = allow_connections(1 << 40).unwrap_err().to_string();
        assert!(error.contains("ulimit -Hn"), "{error}");
    }
}
