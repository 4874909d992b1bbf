//! A disk that fails as disks do, between a server and the system.

use std::{ffi::OsString, process::Command};

use tempfile::TempDir;

/// A library that is loaded in front of the system's.
pub(super) struct Shim(TempDir);

impl Shim {
    /// `None` where no C compiler is.
    pub(super) fn build() -> Option<Self> {
        let directory = TempDir::new().unwrap();
        std::fs::write(directory.path().join("disk.c"), include_str!("disk.c")).unwrap();
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o", "disk.so", "disk.c", "-ldl"]).current_dir(&directory);
        let built = compiler.output().ok()?;
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Some(Self(directory))
    }

    /// What a server needs that is to have this disk.
    pub(super) fn environment(&self) -> Vec<(&'static str, OsString)> {
        let path = |name| self.0.path().join(name).into_os_string();
        vec![("LD_PRELOAD", path("disk.so")), ("DISK_MOOD", path("mood"))]
    }

    /// How the disk is from now on: the first letter counts, and none is for well.
    pub(super) fn turn(&self, mood: &str) {
        std::fs::write(self.0.path().join("mood"), mood).unwrap();
    }
}
