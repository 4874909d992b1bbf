#!/bin/sh
# Builds the program as it is shipped and runs the copy bench: see copy.py.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --quiet
exec python3 tests/load/copy.py target/release/headwater target/bench "$@"
