#!/usr/bin/env bash
# One packager, two origin nodes and nginx in front, on this machine and without containers, over an object store that is there
# already. Ctrl-C stops all of them.
#
#   S3_ENDPOINT=http://127.0.0.1:9000 AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... deploy/topology/run.sh [DIRECTORY]
#
# HEADWATER is the program (target/release/headwater), CONFIG the file of all of them (headwater.toml beside this script), and
# PACKAGER, ORIGIN_1, ORIGIN_2 and NGINX are their ports (8001, 8002, 8003, 8000); control listeners are 1000 above.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
directory=$(realpath -m "${1:-topology}")
program=$(realpath "${HEADWATER:-$here/../../target/release/headwater}")
: "${CONFIG:=$here/headwater.toml}" "${PACKAGER:=8001}" "${ORIGIN_1:=8002}" "${ORIGIN_2:=8003}" "${NGINX:=8000}"
: "${S3_ENDPOINT:?the URL of an S3 server, such as http://127.0.0.1:9000}"
: "${AWS_ACCESS_KEY_ID:?}" "${AWS_SECRET_ACCESS_KEY:?}"
command -v nginx >/dev/null || { echo "run.sh: there is no nginx; deploy/setup.sh --test installs it" >&2; exit 1; }

mkdir -p "$directory/nginx"
secret=$directory/edge-secret
[ -s "$secret" ] || (umask 077 && head -c 24 /dev/urandom | base64 >"$secret")
sed -e "s|^endpoint = .*|endpoint = \"$S3_ENDPOINT\"|" -e "s|^edge_from = .*|edge_from = \"http://127.0.0.1:$PACKAGER\"|" \
  -e "s|^edge_secret_file = .*|edge_secret_file = \"$secret\"|" "$CONFIG" >"$directory/headwater.toml"
sed -e "s|server 127.0.0.1:8080;|server 127.0.0.1:$ORIGIN_1; server 127.0.0.1:$ORIGIN_2;|" \
  -e "s|listen 8000;|listen 127.0.0.1:$NGINX;|" "$here/../../cdn-config/nginx/nginx.conf" >"$directory/nginx.conf"

pids=()
stop() {
  trap - EXIT INT TERM
  kill "${pids[@]}" 2>/dev/null || true
  wait "${pids[@]}" 2>/dev/null || true
}
trap stop EXIT
trap 'exit 0' INT TERM

start() {
  local name=$1 port=$2
  shift 2
  "$program" serve --config "$directory/headwater.toml" --media "127.0.0.1:$port" \
    --control "127.0.0.1:$((port + 1000))" "$@" >"$directory/$name.log" 2>&1 &
  pids+=($!)
  echo $! >"$directory/$name.pid"
}

start packager "$PACKAGER" --role all
start origin-1 "$ORIGIN_1" --role origin
start origin-2 "$ORIGIN_2" --role origin
nginx -p "$directory/nginx" -c "$directory/nginx.conf" -g 'daemon off;' >"$directory/nginx.log" 2>&1 &
pids+=($!)

echo "packager http://127.0.0.1:$PACKAGER/, origins http://127.0.0.1:$ORIGIN_1/ and http://127.0.0.1:$ORIGIN_2/"
echo "ask nginx: http://127.0.0.1:$NGINX/live/demo/index.m3u8"
# One of them may die, and the others go on: that is what they are for.
wait
