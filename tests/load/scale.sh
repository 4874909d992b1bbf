#!/bin/sh
# Builds the program as it is shipped and measures what a channel costs the packager and its store: see scale.py.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --quiet --package headwater --package headwater-load
exec python3 tests/load/scale.py target/release/headwater target/release/headwater-load "$@"
