#!/bin/sh
# Builds the program as it is shipped and runs the ladder bench: see ladder.py.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --quiet
exec python3 tests/load/ladder.py target/release/headwater "$@"
