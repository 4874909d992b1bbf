//! Names a process so that on its own machine it can be told whether it is still there.

use std::{fmt, fs, hash::BuildHasher, str::FromStr};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// A process. Two that are the same in all of this are one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    /// Of this start of the machine.
    boot: String,
    /// In which it has its number: containers on one machine count each for themselves.
    namespace: String,
    pid: u32,
    /// In ticks since the machine was started: numbers come again.
    started: u64,
}

impl Process {
    /// This one, where the system tells.
    fn this() -> Option<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
        let digits = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect();
        let pid = std::process::id();
        let (boot, namespace) = (digits(&boot), digits(&namespace.to_string_lossy()));
        Some(Self { boot, namespace, pid, started: started(pid)? })
    }

    fn is_gone(&self) -> bool {
        let Some(this) = Self::this() else { return false };
        let seen_from_here = (&this.boot, &this.namespace) == (&self.boot, &self.namespace);
        seen_from_here && !self.runs()
    }

    /// False only where that is certain: processes of other users may be hidden.
    fn runs(&self) -> bool {
        match fs::read_to_string(format!("/proc/{}/stat", self.pid)) {
            Ok(stat) => started_of(&stat) == Some(self.started),
            Err(_) => {
                let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
                pid.is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
            }
        }
    }
}

/// When a process was started, of which there is more than what its parent has yet to hear.
fn started(pid: u32) -> Option<u64> {
    started_of(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn started_of(stat: &str) -> Option<u64> {
    // proc_pid_stat(5): the second field is a name in brackets, in which may be anything; 3 is the state, 22 the start.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    (state != "Z" && state != "X").then(|| fields.nth(18)?.parse().ok()).flatten()
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}.{}", self.boot, self.namespace, self.pid, self.started)
    }
}

impl FromStr for Process {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(());
        let (boot, namespace) = (part()?.to_owned(), part()?.to_owned());
        let (pid, started) = (part()?.parse().map_err(drop)?, part()?.parse().map_err(drop)?);
        Ok(Self { boot, namespace, pid, started })
    }
}

/// A name for who writes a channel now: its machine, something that nobody else has, and its process where that is known.
pub(super) fn name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let random = std::hash::RandomState::new().hash_one(std::process::id());
    let process = Process::this().map(|process| format!("/{process}")).unwrap_or_default();
    format!("{host}/{random:016x}{process}")
}

/// True if the one of this name is gone for certain; false if that cannot be told here.
pub(super) fn is_gone(name: &str) -> bool {
    let process = name.rsplit('/').next().and_then(|process| process.parse::<Process>().ok());
    process.is_some_and(|process| process.is_gone())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_is_gone_when_it_has_ended_and_not_before_and_not_of_another_machine() {
        let Some(this) = Process::this() else {
            headwater_test_support::skip("whether a process is gone: this system does not tell");
            return;
        };
        assert!(!is_gone(&name()) && name() != name());
        assert_eq!(this.to_string().parse(), Ok(this.clone()));
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let of_child = Process { pid: child.id(), started: started(child.id()).unwrap(), ..this };
        assert!(!of_child.is_gone());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(of_child.is_gone());
        assert!(is_gone(&format!("host/0/{of_child}")));
        for elsewhere in [
            Process { boot: "other".into(), ..of_child.clone() },
            Process { namespace: "other".into(), ..of_child.clone() },
        ] {
            assert!(!elsewhere.is_gone());
        }
        assert!(!is_gone("") && !is_gone("host/0") && !is_gone("a.b.c.d"));
    }
}
