#!/usr/bin/env bash
# Installs what Headwater needs on Debian 12 or Ubuntu 24.04, says what and why, and does nothing when all is there.
# On a machine without apt it lists what it looked for and did not find.
#
#   deploy/setup.sh             to build and run
#   deploy/setup.sh --test      and to run the tests
#   deploy/setup.sh --bench     and to run the benchmarks
#   deploy/setup.sh --build     the packages to build the program with, nothing else (for the Dockerfile)
#   deploy/setup.sh --runtime   the packages to run a program that is built already, nothing else (for the Dockerfile)
set -euo pipefail
cd "$(dirname "$0")/.."

# package | what it is for
BUILD_PACKAGES='
gcc                                the linker that rustc calls
libc6-dev                          headers for the linker
make                               builds the allocator, jemalloc
pkg-config                         finds GStreamer when the encoder is built
libgstreamer1.0-dev                GStreamer, to build the encoder against
libgstreamer-plugins-base1.0-dev   its audio and video libraries
'
RUN_PACKAGES='
gstreamer1.0-plugins-base          containers, conversion, scaling, mixing
gstreamer1.0-plugins-good          MP4, Matroska, RTP, RTSP, HTTP sources
gstreamer1.0-plugins-bad           MPEG-TS, SRT, VA and NVENC encoders, parsers
gstreamer1.0-plugins-ugly          x264, the H.264 encoder
gstreamer1.0-libav                 AAC encoder, and decoders for nearly everything
glib-networking                    TLS for https:// sources
ca-certificates                    whom to trust there, and npm its registry
'
TEST_PACKAGES='
ffmpeg                             makes test media, and plays and judges what we serve
gstreamer1.0-tools                 plays what we serve with hlsdemux2 and dashdemux2
libxml2-utils                      xmllint holds manifests against the MPEG schema
nginx                              the cache in front, as cdn-config/nginx sets it up
libnginx-mod-http-lua              its module by which requests wait for each other
varnish                            likewise, as cdn-config/varnish sets it up
trafficserver                      likewise, as cdn-config/trafficserver sets it up
haproxy                            likewise, as cdn-config/haproxy sets it up
python3-venv                       a place for cfn-lint, which judges cdn-config/cloudfront
procps                             kill, for the tests that kill encoders
python3                            runs the benchmarks
python3-prometheus-client          reads our metrics as Prometheus does
python3-jwt                        judges our tokens, and makes some for us to judge
python3-cryptography               does so for tokens of public keys
fonts-dejavu-core                  text in screenshots
'
BENCH_PACKAGES='
wrk                                asks for one thing after another over HTTP/1.1
nghttp2-client                     h2load does so over HTTP/2
openssl                            makes the certificate that is measured with
util-linux                         taskset, which gives server and load a core each
'
# Names of programs are looked for first: a Node or Chromium from elsewhere is used as it is and never replaced.
NODE_MAJOR=18
GSTREAMER=1.22

say() { printf 'setup: %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }
names() { awk 'NF { print $1 }' <<<"$*"; }

# Those of the packages given that are not installed.
absent() {
  local installed package
  installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null | sed -n 's/^installed //p')
  for package in "$@"; do
    grep -qxF "$package" <<<"$installed" || echo "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Installs packages, after saying which and why. The reasons are looked up in the lists above.
install() {
  [ $# -gt 0 ] || return 0
  local package reason
  say "installing with apt:"
  for package in "$@"; do
    reason=$(awk -v name="$package" '$1 == name { $1 = ""; print; exit }' <<<"$BUILD_PACKAGES$RUN_PACKAGES$TEST_PACKAGES$BENCH_PACKAGES$EXTRA_PACKAGES")
    printf '  %-34s%s\n' "$package" "$reason"
  done
  if [ "$(id -u)" != 0 ] && ! has sudo; then
    say "this needs root, and there is no sudo. As root, run:"
    say "  apt-get update && apt-get install --no-install-recommends $*"
    exit 1
  fi
  as_root apt-get update -q || say "apt-get update failed; trying with the lists that are there"
  without_services env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
  local service
  for service in nginx varnish varnishncsa trafficserver haproxy; do
    # Tests start the caches themselves; one that was there before is none of ours.
    case " $* " in *" ${service%ncsa} "*) stay_off "$service" ;; esac
  done
}

# Runs a command as root under which packages start no service, as policy-rc.d(8) has it.
POLICY=/usr/sbin/policy-rc.d
without_services() {
  if [ -e "$POLICY" ]; then
    as_root "$@"
    return
  fi
  trap 'as_root rm -f "$POLICY"' EXIT
  printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
  as_root chmod +x "$POLICY"
  local status=0
  as_root "$@" || status=$?
  as_root rm -f "$POLICY"
  trap - EXIT
  return $status
}

# Not at the next boot either.
stay_off() {
  if [ -d /run/systemd/system ]; then as_root systemctl disable --quiet "$1" 2>/dev/null || true; fi
}

EXTRA_PACKAGES='
nodejs                             builds the page
npm                                fetches the players that the page bundles
chromium                           plays the page and the streams in the browser tests
'

# Packages for Node, if there is none.
node_packages() {
  has node || echo nodejs npm
}

# Packages for a Chromium, if none works and the distribution has a real one.
chromium_packages() {
  deploy/find-chromium >/dev/null || is_ubuntu || echo chromium
}

is_ubuntu() { grep -qsE '^ID(_LIKE)?=.*ubuntu' /etc/os-release; }

# Ubuntu's chromium is a stub that wants snap.
chromium_snap() {
  if ! is_ubuntu || ! has snap || deploy/find-chromium >/dev/null; then return; fi
  say "installing with snap: chromium, which plays the page and the streams in the browser tests"
  as_root snap install chromium || say "that failed"
}

missing=()
require() { "${@:3}" >/dev/null 2>&1 || missing+=("$1|$2"); }

newer_node() { [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge "$NODE_MAJOR" ]; }
element() { if has gst-inspect-1.0; then gst-inspect-1.0 --exists "$1"; else return 0; fi; }

# What cannot be done without is in `missing` afterwards; what can is only said.
look() {
  require 'a C compiler (cc)' 'rustc links with it' has cc
  require 'make' 'builds the allocator' has make
  require 'cargo' 'builds Headwater; see https://rustup.rs' has cargo
  require 'pkg-config' 'finds GStreamer' has pkg-config
  for library in gstreamer-1.0 gstreamer-app-1.0 gstreamer-audio-1.0 gstreamer-video-1.0; do
    require "$library >= $GSTREAMER with headers" 'the encoder is built on it' pkg-config --atleast-version=$GSTREAMER "$library"
  done
  for name in x264enc:ugly avenc_aac:libav mpegtsmux:bad qtdemux:good videoconvert:base; do
    require "GStreamer element ${name%:*} (plugins ${name#*:})" 'the ladder uses it' element "${name%:*}"
  done
  if tests; then
    require 'ffmpeg and ffprobe' 'make and judge test media' has ffprobe
    require 'xmllint' 'judges manifests' has xmllint
    require 'gst-launch-1.0' 'plays what we serve' has gst-launch-1.0
  fi
  if [ "$mode" = bench ]; then
    for name in nginx wrk h2load openssl taskset; do require "$name" 'measures what serving costs' has "$name"; done
  fi
}

# Says what is missing for good, and fails if the rest cannot work without it.
verdict() {
  look
  newer_node || say "no Node $NODE_MAJOR or newer ($(node --version 2>/dev/null || echo none)): the page at / will only say how to build it"
  { ! newer_node || has npm; } || say "no npm beside $(command -v node): the page at / will only say how to build it"
  if tests && ! deploy/find-chromium >/dev/null; then
    say "no Chromium that starts: the browser tests cannot run. Install chromium or google-chrome-stable"
    say "  (on Ubuntu: snap install chromium), or set CHROMIUM=/path/to/it"
  fi
  [ ${#missing[@]} -gt 0 ] || return 0
  say "missing:"
  printf '%s\n' "${missing[@]}" | while IFS='|' read -r what why; do printf '  %-54s%s\n' "$what" "$why"; done
  return 1
}

# npm ci, but only when the lock has changed since the last time.
modules() {
  if cmp -s "$1/package-lock.json" "$1/node_modules/.installed-lock"; then return; fi
  say "npm ci in $1 ($2)"
  npm ci --prefix "$1" --no-audit --no-fund --loglevel=error || return
  cp "$1/package-lock.json" "$1/node_modules/.installed-lock"
}

# What judges the files of CDNs that cannot be run here. Without it, its test says that it was skipped.
CFN_LINT=1.58.0
cfn_lint() {
  local place=target/cfn-lint
  if [ -x $place/bin/cfn-lint ] || has cfn-lint; then return; fi
  say "installing cfn-lint $CFN_LINT into $place, which judges cdn-config/cloudfront"
  python3 -m venv $place && $place/bin/pip install --quiet --disable-pip-version-check "cfn-lint==$CFN_LINT" ||
    { rm -rf $place; say "that failed: cdn-config/cloudfront will not be checked"; }
}

# Benchmarks need what tests do, and more.
tests() { [ "$mode" = test ] || [ "$mode" = bench ]; }

mode=run
case "${1-}" in
  '') ;;
  --test | --bench | --build | --runtime) mode=${1#--} ;;
  *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac

if has apt-get && has dpkg-query; then
  case $mode in
    build) wanted=$(names "$BUILD_PACKAGES") ;;
    runtime) wanted=$(names "$RUN_PACKAGES") ;;
    run) wanted="$(names "$BUILD_PACKAGES$RUN_PACKAGES") $(node_packages)" ;;
    test) wanted="$(names "$BUILD_PACKAGES$RUN_PACKAGES$TEST_PACKAGES") $(node_packages) $(chromium_packages)" ;;
    bench)
      wanted=$(names "$BUILD_PACKAGES$RUN_PACKAGES$TEST_PACKAGES$BENCH_PACKAGES")
      wanted+=" $(node_packages) $(chromium_packages)"
      ;;
  esac
  # shellcheck disable=SC2046,SC2086 # names of packages have no spaces
  install $(absent $wanted)
  if tests; then chromium_snap; fi
else
  say "no apt here: looking for what is needed, installing nothing"
fi
case $mode in build | runtime) exit ;; esac

verdict
if newer_node && has npm; then
  modules web 'players and bundler of the page'
  if tests; then
    modules tests/browser 'players and driver of the browser tests'
    modules tests/cdn 'types that judge cdn-config/cloudflare' || say "that failed: cdn-config/cloudflare will not be checked"
  fi
fi
if [ "$mode" = test ]; then cfn_lint; fi
say "all there"
