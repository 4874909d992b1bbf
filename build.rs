//! Lays out what the origin serves at `/`: the built page if there is one, else a page that says how to build it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

const BUILT: &str = "web/dist";
const FALLBACK: &str = "web/fallback.html";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={BUILT}");
    println!("cargo::rerun-if-changed={FALLBACK}");
    let page = out_dir()?.join("page");
    // Names of assets carry hashes: without this, those of earlier builds would be embedded too.
    if page.exists() {
        fs::remove_dir_all(&page)?;
    }
    if Path::new(BUILT).join("index.html").exists() {
        copy(Path::new(BUILT), &page)
    } else {
        fs::create_dir_all(&page)?;
        fs::copy(FALLBACK, page.join("index.html")).map(drop)
    }
}

fn out_dir() -> io::Result<PathBuf> {
    env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .ok_or_else(|| io::Error::other("cargo sets OUT_DIR for a build script"))
}

/// Copies a directory with all that is in it but hidden files.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
