#!/bin/sh
# Builds the program as it is shipped and measures what a part costs by how much of the past is listed. See
# `headwater-load lists --help`. Fails if it is more than 1.5 times as much for 4 hours as for a minute.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --quiet --package headwater-load
target/release/headwater-load lists --max-ratio 1.5
