#!/bin/sh
# Builds the program as it is shipped and measures waiting players: medians of several runs. See `headwater-load --help`.
# Fails if 2,000 of them hear of a part later than 250 ms at p99, or cost more than 20 KB of memory each.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --quiet --package headwater-load
load() { target/release/headwater-load waiters "$@"; }
load --count 2000 --runs 5 --max-p99-ms 250 --max-kb 20
load --count 10000 --runs 3
load --count 2000 --runs 3 --gzip
load --count 500 --target part
load --count 500 --target segment
