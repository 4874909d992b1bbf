//! The tables of cdn-config/README.md are generated: by `HEADWATER_UPDATE=1 cargo test --test it readme_of_the_caches`.

use std::{env, fmt::Write, fs, path::Path};

use headwater::origin::policy::CachePolicy;
use headwater_test_support::cache::{Program, Streams};
use serde_json::Value;

fn directory() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/cdn-config"))
}

/// What stands between the marks of `name`, and the text with `table` there instead.
fn replaced(text: &str, name: &str, table: &str) -> (String, String) {
    let [begin, end] = ["begin", "end"].map(|word| format!("<!-- {word} {name} -->\n"));
    let (before, rest) = text.split_once(&begin).expect("the mark in front of the table");
    let (old, after) = rest.split_once(&end).expect("the mark behind the table");
    (old.to_owned(), format!("{before}{begin}{table}{end}{after}"))
}

/// What each program can do, as the tests hold it to, and the figures of the last measurement.
fn programs() -> String {
    let measured = fs::read_to_string(directory().join("measured.json")).unwrap();
    let measured: Vec<Value> = serde_json::from_str(&measured).unwrap();
    let mut table = String::from(
        "| program | LL-HLS: one request for all who wait | LL-DASH: open segments | purge | refusals kept | hits on media | \
         origin requests/s with 50 and 500 players | stalls | playlist after its publication, median and 99 % |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    let word = |yes| if yes { "yes" } else { "no" };
    for program in Program::ALL {
        let streams = match program.streams() {
            Streams::Shared => "streamed, all from one fetch",
            Streams::Each => "streamed, a fetch for each",
        };
        let run = measured.iter().find(|run| run["program"] == program.name());
        let [few, many] =
            ["few", "many"].map(|players| run.map(|run| &run[players]).expect("it was measured"));
        assert_eq!((&few["players"], &many["players"]), (&50.into(), &500.into()));
        let figure = |run: &Value, name: &str| run[name].as_f64().unwrap();
        let _ = writeln!(
            table,
            "| [{program}]({program}/) | {} | {streams} | {} | {} | {:.2} % | {:.1}, {:.1} | {} | {:.0} ms, {:.0} ms |",
            word(program.collapses()),
            word(program.purges()),
            word(program.keeps_refusals()),
            100.0 * figure(many, "hits"),
            figure(few, "origin_requests_a_second"),
            figure(many, "origin_requests_a_second"),
            many["stalls"],
            figure(many, "playlist_p50_ms"),
            figure(many, "playlist_p99_ms"),
        );
    }
    table
}

#[test]
fn the_readme_of_the_caches_says_what_the_program_does() {
    let path = directory().join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let mut fresh = text.clone();
    let mut stale = Vec::new();
    for (name, table) in [("lifetimes", CachePolicy::table()), ("programs", programs())] {
        let (old, new) = replaced(&fresh, name, &table);
        if old != table {
            stale.push(format!("{name}:\n{old}\nis now\n{table}"));
        }
        fresh = new;
    }
    if env::var_os("HEADWATER_UPDATE").is_some() {
        fs::write(path, fresh).unwrap();
    } else {
        assert!(
            stale.is_empty(),
            "cdn-config/README.md is not what is generated (HEADWATER_UPDATE=1 writes it): {}",
            stale.join("\n")
        );
    }
}
