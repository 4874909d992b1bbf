#!/bin/sh
# Builds the program as it is shipped and measures viewers over WebSockets: medians of several runs. See
# `headwater-load viewers --help`. Fails if 500 of them get a frame of 2 Mbit/s later than 100 ms at p99, or if they cost
# more than twice the processor time of a loop that does nothing but write the same messages.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --quiet --package headwater-load
load() { target/release/headwater-load viewers "$@"; }
load --count 500 --seconds 10 --runs 5 --compare --max-p99-ms 100 --max-ratio 2
# How many a processor can serve: the first count whose p99 is above 100 ms is too many.
for count in 1000 1500 2000 2500; do
  load --count $count --seconds 8 --runs 3 --max-p99-ms 100 || break
done
# Half of them read too slowly: for any rung, and for the best one only.
load --count 500 --seconds 10 --runs 3 --rungs 3 --slow 0.5 --slow-rate 0.1 --hls-players 5 --max-kb 4194
load --count 500 --seconds 10 --runs 3 --rungs 3 --slow 0.5 --slow-rate 0.5 --hls-players 5 --max-kb 4194
