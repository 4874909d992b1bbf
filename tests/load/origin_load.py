"""Load on a server: wrk over HTTP/1.1, h2load over HTTP/2. What they report is checked, as fast refusals are worth nothing."""

import os
import re
import subprocess
import tempfile

from origin_servers import LOAD_CORE, PATIENCE, on_core

CONNECTIONS = 8
STREAMS = 4
# A response's head is shorter than this.
HEAD = 1500
SMALL = 100_000
# By how much a live list is shorter or longer than it was before.
LIVE = 0.25

# wrk prints rounded figures; these are exact.
COUNT = """done = function(summary)
  local e = summary.errors
  print("COUNT", summary.requests, summary.bytes, e.connect + e.read + e.write + e.status + e.timeout)
end
"""


class Unsound(Exception):
    """What came back is not what was asked for."""


class Run:
    """What a run cost the server and the load, per request and per GB (10^9 bytes of bodies)."""

    def __init__(self, length, requests, server, client, seconds):
        self.requests, self.server, self.client, self.seconds = requests, server, client, seconds
        self.gigabytes = requests * length / 1e9

    server_us = property(lambda self: self.server / self.requests * 1e6)
    server_gb = property(lambda self: self.server / self.gigabytes)
    client_gb = property(lambda self: self.client / self.gigabytes)
    client_us = property(lambda self: self.client / self.requests * 1e6)
    rate = property(lambda self: self.requests / self.seconds)
    gigabits = property(lambda self: self.gigabytes * 8 / self.seconds)


def command(protocol, url, seconds, script):
    if protocol == "h2":
        return ["h2load", "-t1", f"-c{CONNECTIONS}", f"-m{STREAMS}", "--duration", str(seconds), "--warm-up-time", "0",
                url]
    return ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", script, url]


def told(protocol, text):
    """Requests, bytes and failures."""
    if protocol == "h2":
        counts = re.search(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded", text)
        statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
        data = re.search(r"traffic: .*\((\d+)\) data", text)
        if not (counts and statuses and data):
            raise Unsound(f"h2load says: {text}")
        return int(statuses[1]), int(data[1]), sum(int(statuses[n]) for n in (2, 3, 4))
    counts = re.search(r"COUNT\s+(\d+)\s+(\d+)\s+(\d+)", text)
    if not counts:
        raise Unsound(f"wrk says: {text}")
    return tuple(int(count) for count in counts.groups())


def served(server, protocol, path, length, outcome):
    """How many bodies came, with what had come of those that were under way at the end."""
    requests, received, failures = outcome
    what = f"{server.name} {path}: {requests} requests, {received} bytes, {failures} failures"
    if failures or requests == 0:
        raise Unsound(what)
    # h2load counts a response when it begins, wrk when it has ended.
    under_way = CONNECTIONS * (STREAMS if protocol == "h2" else 1)
    # The list of a live channel changes all the time, and its length a little.
    slack = LIVE if path.startswith("/live/") and path.endswith(".m3u8") else 0
    least = (requests - (under_way if protocol == "h2" else 0)) * length * (1 - slack)
    most = (requests + under_way) * (length * (1 + slack) + HEAD)
    if not least <= received <= most:
        raise Unsound(f"{what}, but {length} bytes each were expected")
    # What wrk counts includes heads, which matter for small bodies only; there are few under way there.
    return requests if length < SMALL else received / length


def measure(server, protocol, path, length, seconds, idle=0.0):
    """One run; `idle` is the processor time that the server uses each second anyway."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(COUNT)
        script.flush()
        words = on_core(LOAD_CORE, *command(protocol, server.url(path), seconds, script.name))
        before = server.processor()
        started = os.times()
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took = os.times().elapsed - started.elapsed
        used = server.processor() - before - idle * took
    if process.returncode != 0 or took > seconds + PATIENCE:
        raise Unsound(f"{' '.join(words)} exited with {process.returncode}: {text}")
    outcome = told(protocol, text)
    requests = served(server, protocol, path, length, outcome)
    return Run(length, requests, used, usage.ru_utime + usage.ru_stime, seconds)
