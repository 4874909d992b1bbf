#!/usr/bin/env python3
"""What a channel costs: processor time and memory of the packager without encoding (its frames come over a socket), with a
ladder of three rungs, and of an origin node that follows it; and the requests and bytes that the bucket between them gets.
docs/scale.md reckons with these coefficients.

usage: scale.py HEADWATER HEADWATER-LOAD [--seconds N] [--runs N] [--channels N,N,...]

The slope over the number of channels is what one more costs; the time without any is the rest. Medians of the runs.
"""

import argparse
import statistics
import tempfile
import time

from origin_servers import RUNG, Headwater, Server, children, free_port
from scale_bucket import Bucket

RUNGS = {1080: 5000, 720: 2500, 480: 1200}
WINDOW = "60s"
WARM_UP = 6
HOUR = 3600
LADDER = """
[server]
media = "127.0.0.1:{port}"
control = "127.0.0.1:{control}"
[store]
url = "{directory}/store"
[channel.a]
source = "test:?size=1920x1080&rate=30"
window = "{window}"
"""


class Encoding(Server):
    """One channel with a ladder of its own."""

    name = "headwater"

    def __init__(self, program, directory):
        port = free_port()
        text = LADDER.format(port=port, control=free_port(), directory=directory, window=WINDOW)
        text += "".join(RUNG.format(name="a", height=height, kilobits=k) for height, k in RUNGS.items())
        with open(f"{directory}/headwater.toml", "w", encoding="utf-8") as file:
            file.write(text)
        super().__init__([program, "serve", "--config", f"{directory}/headwater.toml"], port, False,
                         f"{directory}/headwater.out")

    def processes(self):
        return [self.process.pid, *children(self.process.pid)]


def over(server, seconds):
    """Processor time a second, and resident bytes."""
    before, began = server.processor(), time.monotonic()
    time.sleep(seconds)
    return (server.processor() - before) / (time.monotonic() - began), server.memory()


class Node(Server):
    """An origin node that nobody asks for anything, with the file of a packager."""

    name = "node"

    def __init__(self, program, directory):
        port = free_port()
        command = [program, "serve", "--config", f"{directory}/headwater.toml", "--role", "origin",
                   "--media", f"127.0.0.1:{port}", "--control", f"127.0.0.1:{free_port()}"]
        super().__init__(command, port, False, f"{directory}/node.out")


def both(program, load, count, seconds):
    """Processor time a second and resident bytes of a packager with so many channels and of a node, and what their bucket
    counts."""
    bucket = Bucket()
    with tempfile.TemporaryDirectory() as directory:
        channels = {f"c{number}": (WINDOW, RUNGS) for number in range(count)}
        server, node = Headwater(program, load, directory, channels, None, bucket.toml(directory)), None
        try:
            node = Node(program, directory)
            time.sleep(WARM_UP)
            bucket.reset()
            before, began = node.processor(), time.monotonic()
            cost = over(server, seconds)
            of_node = ((node.processor() - before) / (time.monotonic() - began), node.memory())
            counted = (dict(bucket.count), dict(bucket.bytes))
        finally:
            server.stop()
            if node is not None:
                node.stop()
            bucket.stop()
    return cost, of_node, counted


def slope(points):
    """Least squares: what one more costs, and what is left without any."""
    xs, ys = zip(*points)
    x, y = statistics.fmean(xs), statistics.fmean(ys)
    one = sum((a - x) * (b - y) for a, b in points) / sum((a - x) ** 2 for a in xs)
    return one, y - one * x


def median_slope(counts, runs, who, what):
    """Of the packager's (0) or the node's (1) time (0) or memory (1)."""
    slopes = [slope([(count, at[who][what]) for count, at in zip(counts, run)]) for run in runs]
    return [statistics.median(values) for values in zip(*slopes)]


def print_requests(counted, channels, seconds):
    counts, sizes = counted
    print("\n| a channel | requests an hour | MB an hour |\n|---|---|---|")
    for key in sorted(counts, key=counts.get, reverse=True):
        an_hour = HOUR / seconds / channels
        print(f"| {key[0]} {key[1]} | {counts[key] * an_hour:.0f} | {sizes.get(key, 0) * an_hour / 1e6:.1f} |")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("headwater")
    parser.add_argument("load")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--channels", default="1,4,8")
    options = parser.parse_args()
    counts = [int(word) for word in options.channels.split(",")]
    if len(set(counts)) < 2:
        parser.error("--channels: a slope needs two numbers of channels or more, such as 1,4,8")
    runs = [[both(options.headwater, options.load, count, options.seconds) for count in counts]
            for _ in range(options.runs)]
    ladder = []
    for _ in range(options.runs):
        with tempfile.TemporaryDirectory() as directory:
            server = Encoding(options.headwater, directory)
            try:
                time.sleep(WARM_UP)
                ladder.append(over(server, options.seconds))
            finally:
                server.stop()
    packager, node = (tuple(median_slope(counts, runs, who, what) for what in (0, 1)) for who in (0, 1))
    print(f"three rungs of {'/'.join(map(str, RUNGS.values()))} kbit/s and sound, segments of 2 s in parts of 400 ms, to a bucket;"
          f" medians of {options.runs} runs of {options.seconds} s\n")
    print("| | cores | memory |\n|---|---|---|")
    for name, (time_of, memory_of) in {"packager": packager, "node": node}.items():
        print(f"| a {name} without channels | {time_of[1]:.3f} | {memory_of[1] / 1e6:.0f} MB |")
        print(f"| a {name}, each channel whose frames come encoded | {time_of[0]:.3f} | {memory_of[0] / 1e6:.0f} MB |")
    print(f"| a channel with its ladder, x264, 1080p30 | {statistics.median(c for c, _ in ladder):.2f} | "
          f"{statistics.median(m for _, m in ladder) / 1e6:.0f} MB |")
    print_requests(runs[-1][-1][2], counts[-1], options.seconds)


if __name__ == "__main__":
    main()
