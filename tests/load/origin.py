#!/usr/bin/env python3
"""What serving costs: processor time of `headwater serve` for playlists, parts and segments of the live edge and from the
cache, against nginx with the same bytes in files in the page cache, and against hyper alone (`headwater-load floor`).

usage: origin.py HEADWATER HEADWATER-LOAD [--seconds N] [--runs N] [--only PROTOCOL] [--size NAME]
       [--connections N]

The server has one core, the load the other. All servers of a row take turns, and the ratios are the medians of those of
the turns. What the live channels cost Headwater each second is measured without load and subtracted; it is printed. Exits
with status 1 if a bar is missed, and with 2 if a server answered with anything but the bytes that were asked for.
"""

import argparse
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import origin_idle
from origin_load import Unsound, measure
from origin_servers import LOAD_CORE, Floor, Headwater, Nginx, Refused

PROTOCOLS = {"h1": "HTTP/1.1", "h1s": "HTTP/1.1, TLS", "h2": "HTTP/2, TLS"}
# The list is 12 s long, for about 1.5 KB; media stays for as long as a round takes. kbit/s of rungs by height.
CHANNELS = {"list": ("12s", {240: 100}), "live": ("60s", {1080: 16000, 720: 4000, 480: 4460})}
# Where each size comes from at the live edge.
SIZES = {
    "playlist 1.5 KB": ("list", 240, "playlist"),
    "part 200 KB": ("live", 480, "part"),
    "segment 1 MB": ("live", 720, "segment"),
    "segment 4 MB": ("live", 1080, "segment"),
}
FULL_LIST = 20
# Most that Headwater may cost of what nginx does, by protocol and size; and of what the floor does.
BARS = {
    "h1": {"playlist 1.5 KB": 0.8, "part 200 KB": 1.4, "segment 1 MB": 0.8, "segment 4 MB": 1.4},
    "h1s": dict.fromkeys(SIZES, 0.65),
    "h2": dict.fromkeys(SIZES, 0.65),
}
OVER_FLOOR = 1.15
IDLE_SECONDS = 4


TABLE = """
| | | nginx: µs a request | s a GB | floor: µs | s a GB | Headwater, live: µs | s a GB | × nginx | × floor | from the cache: µs | s a GB | × nginx | × floor | client, s a GB (nginx / floor / live) |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""


def told_by(*command):
    """The first line of what a program says."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout.partition("\n")[0].strip()


def machine():
    """What the figures depend on."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"model name\s*: (.*)", file.read())
    versions = [told_by("nginx", "-v"), told_by("wrk", "-v"), told_by("h2load", "--version"), told_by("openssl", "version")]
    loads = " ".join(f"{load:.1f}" for load in os.getloadavg())
    return f"{model[1] if model else 'unknown processor'}, {os.cpu_count()} cores, Linux {os.uname().release}; " + \
        f"{'; '.join(versions)}; load average {loads}"


def certificate(directory):
    """One that nobody vouches for, made for this run: of P-256, as most are."""
    paths = [os.path.join(directory, name) for name in ("certificate.pem", "key.pem")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-out", paths[0], "-keyout",
         paths[1]], check=True, stderr=subprocess.DEVNULL)
    return paths


class Site:
    """What is served: by Headwater as it is made and from its store, by nginx the same bytes from files."""

    def __init__(self, directory, root):
        self.root = root
        self.asset = os.path.join(directory, "store", "vod", "bench", "v")
        os.makedirs(self.asset)

    def newest(self, headwater, size):
        """Path of what the live edge has of a size."""
        channel, height, kind = SIZES[size]
        base = f"/live/{channel}/{height}p"
        if kind == "playlist":
            return f"{base}/index.m3u8"
        status, playlist = headwater.get(f"{base}/index.m3u8")
        segments = re.findall(r"^(\d+)\.m4s$", playlist.decode(), re.MULTILINE)
        if status != 200 or not segments:
            raise Unsound(f"{base}/index.m3u8: {status} {playlist.decode()}")
        # Not the first part, which begins with a key frame and is larger.
        return f"{base}/{segments[-1]}{'.2' if kind == 'part' else ''}.m4s"

    def publish(self, headwater, size):
        """Paths by server name, and the length that all have."""
        live = self.newest(headwater, size)
        status, body = headwater.get(live)
        if status != 200:
            raise Unsound(f"{live}: {status}")
        kind = SIZES[size][2]
        number = f"{time.monotonic_ns()}"
        name = f"{number}.m3u8" if kind == "playlist" else f"{number}.m4s"
        # Of one name once only: nginx keeps files open.
        with open(os.path.join(self.root, name), "wb") as file:
            file.write(body)
        stored = "index.m3u8" if kind == "playlist" else name
        with open(os.path.join(self.asset, stored), "wb") as file:
            file.write(body)
        return {"headwater": live, "cache": f"/vod/bench/v/{stored}", "nginx": f"/{name}", "floor": f"/{len(body)}"}, body


def wait_for_list(headwater, channels):
    for _ in range(FULL_LIST):
        found = [headwater.get(f"/live/{channel}/{next(iter(rungs))}p/index.m3u8")[0]
                 for channel, (_, rungs) in channels.items()]
        if found == [200] * len(found):
            # The fill of a full list is over, and the store has taken it.
            time.sleep(4)
            return
        time.sleep(1)
    raise Unsound(f"no playlist: {headwater.said()}")


def idle(server):
    before = server.processor()
    time.sleep(IDLE_SECONDS)
    return (server.processor() - before) / IDLE_SECONDS


class Row:
    """The runs of one protocol and size, by server."""

    def __init__(self, protocol, size):
        self.protocol, self.size, self.runs = protocol, size, {}

    def add(self, name, run):
        self.runs.setdefault(name, []).append(run)

    def ratio(self, name, to):
        pairs = zip(self.runs[name], self.runs[to])
        return statistics.median(one.server_us / other.server_us for one, other in pairs)

    def median(self, name, figure):
        return statistics.median(getattr(run, figure) for run in self.runs[name])

    def lines(self):
        for name in self.runs:
            m = lambda figure: self.median(name, figure)  # noqa: E731
            to = lambda other: f"{self.ratio(name, other):.2f}" if other in self.runs else ""  # noqa: E731
            yield (f"| {PROTOCOLS[self.protocol]} | {self.size} | {TITLES[name]} | {m('server_us'):.1f} | "
                   f"{m('server_gb'):.3f} | {m('client_gb'):.3f} | {m('rate'):.0f} | {m('gigabits'):.1f} | "
                   f"{to('nginx')} | {to('floor')} |")

    def cells(self):
        """What the table of the documentation has of it."""
        yield f"{PROTOCOLS[self.protocol]} | {self.size}"
        for name in ("nginx", "floor"):
            yield f"{self.median(name, 'server_us'):.1f} | {self.median(name, 'server_gb'):.3f}"
        for name in ("headwater", "cache"):
            if name in self.runs:
                yield (f"{self.median(name, 'server_us'):.1f} | {self.median(name, 'server_gb'):.3f} | "
                       f"**{self.ratio(name, 'nginx'):.2f}** | {self.ratio(name, 'floor'):.2f}")
            else:
                yield "| | |"
        clients = [f"{self.median(name, 'client_gb'):.2f}" for name in ("nginx", "floor", "headwater") if name in self.runs]
        yield " / ".join(clients)

    def missed(self):
        for name in ("headwater", "cache"):
            for other, bar in (("nginx", BARS[self.protocol][self.size]), ("floor", OVER_FLOOR)):
                if name in self.runs and other in self.runs and (ratio := self.ratio(name, other)) > bar:
                    yield (f"{PROTOCOLS[self.protocol]}, {self.size}, {TITLES[name]}: {ratio:.2f} x {other}, "
                           f"the bar is {bar}")


TITLES = {"headwater": "Headwater, live", "cache": "Headwater, cache", "nginx": "nginx", "floor": "floor"}
HEAD = """| protocol | what | server | CPU µs a request | CPU s a GB | client s a GB | requests/s | Gbit/s | × nginx | × floor |
|---|---|---|---|---|---|---|---|---|---|"""


def headwater(arguments, directory, channels, pems):
    """Over TLS, if this build can; else without, so that there is something to hand out."""
    try:
        return Headwater(arguments.headwater, arguments.load, directory, channels, pems)
    except Refused as refused:
        print(f"no TLS in this build: {refused}", flush=True)
        return Headwater(arguments.headwater, arguments.load, directory, channels, None)


@contextlib.contextmanager
def serving(arguments, tls, channels):
    """All servers and what they serve, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="headwater-origin-") as directory, contextlib.ExitStack() as started:
        pems = certificate(directory) if tls else None
        root = os.path.join(directory, "root")
        os.makedirs(root)
        site = Site(directory, root)
        servers = []
        for start in (
            lambda: headwater(arguments, directory, channels, pems),
            lambda: Nginx(directory, root, pems),
            lambda: Floor(arguments.load, directory, pems),
        ):
            servers.append(start())
            started.callback(servers[-1].stop)
        wait_for_list(servers[0], channels)
        yield site, servers


def measure_rows(arguments, protocol, rows, site, servers):
    headwater, nginx, floor = servers
    rate = idle(headwater)
    print(f"the live channels cost Headwater {rate * 100:.1f} % of a core, which is subtracted", flush=True)
    for size in (size for size in SIZES if arguments.size in size):
        row = Row(protocol, size)
        for turn in range(arguments.runs):
            paths, body = site.publish(headwater, size)
            # By turns in another order, so that nobody is always behind the same one.
            order = [("nginx", nginx, 0), ("headwater", headwater, rate), ("cache", headwater, rate), ("floor", floor, 0)]
            # Headwater is left out where it has no TLS.
            order = [one for one in order if one[1].tls == (protocol != "h1")]
            first = turn % len(order)
            order = order[first:] + order[:first]
            for name, server, spent in order:
                path = paths[name]
                # Warm, and right.
                status, got = server.get(path)
                if status != 200 or name != "floor" and SIZES[size][2] != "playlist" and got != body:
                    raise Unsound(f"{server.name} {path}: {status}, {len(got)} bytes")
                row.add(name, measure(server, protocol, path, len(got), arguments.seconds, spent))
        rows.append(row)
        print("\n".join(row.lines()), flush=True)


def measure_memory(arguments, protocol, memory):
    # Without media, which takes memory as it comes.
    with serving(arguments, protocol != "h1", {"list": CHANNELS["list"]}) as (_, servers):
        servers = [server for server in servers if server.tls == (protocol != "h1")]
        memory.extend(origin_idle.measure(servers, PROTOCOLS[protocol], arguments.connections))


def measure_all(arguments, rows, memory):
    """Measures into `rows` and `memory`."""
    for protocol in arguments.only or PROTOCOLS:
        with serving(arguments, protocol != "h1", CHANNELS) as (site, servers):
            print(HEAD, flush=True)
            measure_rows(arguments, protocol, rows, site, servers)
        # HTTP/2 rests on the same connections.
        if arguments.connections and protocol != "h2":
            measure_memory(arguments, protocol, memory)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("headwater")
    parser.add_argument("load")
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=PROTOCOLS, action="append")
    parser.add_argument("--size", default="", help="only what has this in its name")
    parser.add_argument("--connections", type=int, default=2000, help="that rest; 0 for none")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {LOAD_CORE})
    print(machine(), flush=True)
    rows, memory = [], []
    measure_all(arguments, rows, memory)
    print(TABLE)
    for row in rows:
        print(f"| {' | '.join(row.cells())} |")
    print("\n".join(origin_idle.table(memory)))
    missed = [miss for row in rows for miss in row.missed()] + list(origin_idle.missed(memory))
    for miss in missed:
        print(f"missed: {miss}")
    return 1 if missed else 0


if __name__ == "__main__":
    if missing := [name for name in ("nginx", "wrk", "h2load", "openssl", "taskset") if not shutil.which(name)]:
        sys.exit(f"error: {', '.join(missing)} not found; deploy/setup.sh --bench installs them")
    try:
        sys.exit(main())
    except Unsound as unsound:
        print(f"error: {unsound}", file=sys.stderr)
        sys.exit(2)
