//! The tree keeps its shape: who may import whom, and how long a file may be.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What each module of the server may import; the order is that in which data flows.
const UPSTREAM: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("telemetry", &[]),
    ("metrics", &[]),
    ("pages", &[]),
    ("media_type", &[]),
    ("policy", &[]),
    ("follow", &[]),
    ("config", &[]),
    ("source", &["config", "clock"]),
    ("ladder", &["source", "config", "clock"]),
    ("store", &["config", "clock", "media_type", "pages", "policy"]),
    ("channel", &["ladder", "store", "config", "clock", "metrics", "pages", "policy"]),
    ("replica", &["channel", "store", "config", "clock"]),
    ("package", &["ladder", "store", "config", "clock"]),
    ("clip", &["channel", "package", "store", "config"]),
    ("inspect", &[]),
    ("check", &["clock"]),
    ("access", &["config", "follow"]),
    (
        "origin",
        &[
            "access",
            "channel",
            "ladder",
            "store",
            "config",
            "clock",
            "follow",
            "media_type",
            "metrics",
            "pages",
            "policy",
        ],
    ),
    ("control", &["origin", "channel", "config", "metrics"]),
    (
        "cli",
        &[
            "access",
            "control",
            "origin",
            "inspect",
            "check",
            "clip",
            "package",
            "channel",
            "replica",
            "store",
            "ladder",
            "source",
            "config",
            "clock",
            "metrics",
            "telemetry",
        ],
    ),
];

/// Of the ladder, a channel sees the encoder process and what is said to it, the origin how viewers are spoken to, and
/// neither sees what runs inside.
const SEEN_OF_LADDER: &[(&str, &[&str])] = &[("channel", &["job", "process", "wire"]), ("origin", &["wire"])];

const LONGEST_FILE: usize = 600;
const MEDIAN_FILE: usize = 150;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => Vec::from_iter(path.extension().is_some_and(|end| end == "rs").then_some(path)),
        })
        .collect();
    files.sort();
    files
}

/// The code of a file without comments, and without the tests at its end, which may look at anything.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// All paths that follow `crate::` in `code`, two segments deep: `["config"]`, `["ladder", "wire"]`.
fn imports(code: &str) -> BTreeSet<Vec<String>> {
    code.split("crate::").skip(1).flat_map(|rest| paths(rest, 2)).collect()
}

fn paths(text: &str, depth: usize) -> Vec<Vec<String>> {
    let text = text.trim_start();
    if let Some(group) = text.strip_prefix('{') {
        return members(group).into_iter().flat_map(|member| paths(member, depth)).collect();
    }
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let deeper = match rest.strip_prefix("::") {
        Some(rest) if depth > 1 => paths(rest, depth - 1),
        _ => vec![vec![]],
    };
    deeper.into_iter().map(|path| [vec![name.to_owned()], path].concat()).collect()
}

/// The members of a group that has just been opened.
fn members(group: &str) -> Vec<&str> {
    let (mut depth, mut start, mut members) = (0, 0, Vec::new());
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => {
                members.push(group[start..at].trim());
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                members.push(group[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    members.retain(|member| !member.is_empty());
    members
}

/// `channel` for `src/channel.rs` and for all below `src/channel/`.
fn module(path: &Path) -> String {
    let first = path.strip_prefix(root().join("src")).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn a_module_imports_only_what_is_upstream_of_it() {
    let mut offences = Vec::new();
    for path in rust_files(&root().join("src")) {
        let module = module(&path);
        if ["main", "lib"].contains(&module.as_str()) {
            continue;
        }
        let row = UPSTREAM.iter().find(|(name, _)| *name == module);
        let (_, allowed) = row.unwrap_or_else(|| panic!("src/{module} is missing in the table of imports"));
        for import in imports(&code(&path)) {
            let inner = import.get(1).map(String::as_str).unwrap_or_default();
            let seen = SEEN_OF_LADDER.iter().find(|(name, _)| *name == module).map(|(_, seen)| *seen);
            let hidden = import[0] == "ladder" && seen.is_some_and(|seen| !seen.contains(&inner));
            if import[0] != module && (!allowed.contains(&import[0].as_str()) || hidden) {
                offences.push(format!("{} imports {}", path.display(), import.join("::")));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_packager_knows_nothing_of_the_server_and_touches_nothing() {
    for path in rust_files(&root().join("packager/src")) {
        let code = code(&path);
        for word in
            ["std::fs", "std::net", "std::thread", "std::env", "tokio", "headwater::", "gstreamer", "async "]
        {
            assert!(!code.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn files_are_short() {
    let sources = ["src", "packager/src"].map(|directory| rust_files(&root().join(directory))).concat();
    let mut lengths: Vec<(usize, PathBuf)> =
        sources.into_iter().map(|path| (code(&path).lines().count(), path)).collect();
    lengths.sort();
    let (longest, path) = lengths.last().unwrap();
    assert!(*longest <= LONGEST_FILE, "{} has {longest} lines before its tests", path.display());
    let (median, _) = lengths[lengths.len() / 2];
    assert!(median < MEDIAN_FILE, "the median file has {median} lines before its tests");
}

#[test]
fn a_module_and_its_directory_have_the_same_name() {
    for path in
        ["src", "packager/src", "tests/it"].map(|directory| rust_files(&root().join(directory))).concat()
    {
        assert!(path.file_name().is_some_and(|name| name != "mod.rs"), "{}", path.display());
    }
}

#[test]
fn groups_of_imports_are_understood() {
    let code = "use crate::{config, ladder::{wire::{self, Media}, job::Job}, clock::now};\nfn f() { crate::store::etag() }";
    let found: Vec<String> = imports(code).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["clock::now", "config", "ladder::job", "ladder::wire", "store::etag"]);
}
