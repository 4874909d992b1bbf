#!/bin/sh
# Builds the program as it is shipped and lets 500 players watch for a minute through each cache of cdn-config that is
# installed. Fails if one that collapses requests answers less than 99 % of those for media, if more players mean more
# requests to the origin, or if a player stalls. With --write, the figures become those of cdn-config/README.md.
set -eu
cd "$(dirname "$0")/../.."
cargo build --release --quiet --package headwater-load
load() { target/release/headwater-load cdn --count 500 --few 50 --seconds 60 --min-hits 0.99 "$@"; }
if [ "${1-}" = --write ]; then
  load --json >cdn-config/measured.json
  HEADWATER_UPDATE=1 cargo test --quiet --test it readme_of_the_caches
else
  load
fi
