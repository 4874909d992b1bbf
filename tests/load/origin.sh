#!/bin/sh
# Builds the program as it is shipped and measures what serving costs the processor, against nginx: see origin.py.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --quiet --package headwater --package headwater-load
exec python3 tests/load/origin.py target/release/headwater target/release/headwater-load "$@"
