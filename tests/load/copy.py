#!/usr/bin/env python3
"""What repackaging costs: CPU seconds (user and system) and memory of `headwater package --copy`, against
`ffmpeg -c copy -f dash` and `cp`, for ten minutes of 1080p. Paired runs in turn; medians.

usage: copy.py PROGRAM DIRECTORY [--pairs N] [--minutes N]

The input is made once and kept in DIRECTORY: a minute is encoded and then repeated without encoding. Memory is also
measured for a tenth of the input, as it must not grow with the file. Exits with status 1 if the median ratio to ffmpeg
is above 1, or memory grows by more than a fifth.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BAR = 1.0
GROWTH = 1.2


def ffmpeg(*arguments):
    return ["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments]


def make_input(directory, minutes):
    """About 5 Mbit/s with B-frames and a key frame every 2 s."""
    minute, whole = (os.path.join(directory, f"copy-{length}m.mp4") for length in (1, minutes))
    if not os.path.exists(minute):
        source = "testsrc2=s=1920x1080:r=30:d=60,noise=alls=12:allf=t"
        made = minute + ".partial.mp4"
        subprocess.run(
            ffmpeg("-f", "lavfi", "-i", source, "-f", "lavfi", "-i", "sine=f=440:d=60:r=48000", "-ac", "2",
                   "-c:v", "libx264", "-preset", "superfast", "-b:v", "5M", "-maxrate", "5M", "-bufsize", "5M",
                   "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-bf", "2", "-pix_fmt", "yuv420p",
                   "-c:a", "aac", "-b:a", "128k", made), check=True)
        os.rename(made, minute)
    if not os.path.exists(whole):
        made = whole + ".partial.mp4"
        subprocess.run(ffmpeg("-stream_loop", str(minutes - 1), "-i", minute, "-c", "copy", made), check=True)
        os.rename(made, whole)
    return minute, whole


def high_water(pid):
    """The most memory that a process has had, in MB. (ru_maxrss would count ours, from before it became another.)"""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        lines = [line for line in status if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) / 1024 if lines else 0


def measure(command, output):
    """CPU seconds and MB. What was written is deleted again."""
    shutil.rmtree(output, ignore_errors=True)
    os.makedirs(output)
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=messages)
        memory = 0
        while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
            memory = max(memory, high_water(process.pid))
            time.sleep(0.01)
        _, status, usage = ended
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            messages.seek(0)
            sys.exit(f"{' '.join(command)} exited with {process.returncode}: {messages.read().decode()}")
    shutil.rmtree(output)
    return usage.ru_utime + usage.ru_stime, memory


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("directory")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--minutes", type=int, default=10)
    arguments = parser.parse_args()
    os.makedirs(arguments.directory, exist_ok=True)
    short, path = make_input(arguments.directory, arguments.minutes)
    output = os.path.join(arguments.directory, "out")
    ours = lambda source: [arguments.program, "package", "--copy", source, "--out", output]
    contenders = {
        "headwater": ours(path),
        "ffmpeg": ffmpeg("-i", path, "-map", "0", "-c", "copy", "-f", "dash", "-seg_duration", "2",
                         "-frag_type", "duration", "-frag_duration", "0.4", "-hls_playlist", "1",
                         os.path.join(output, "manifest.mpd")),
        "cp": ["cp", "--reflink=never", path, os.path.join(output, "copy.mp4")],
    }
    runs = {name: [] for name in contenders}
    for command in contenders.values():
        measure(command, output)  # fills the page cache
    for _ in range(arguments.pairs):
        for name, command in contenders.items():
            runs[name].append(measure(command, output))
    _, short_memory = measure(ours(short), output)
    print(f"--copy, {arguments.minutes} minutes of 1080p30, {os.path.getsize(path) / 1e6:.0f} MB, {arguments.pairs} runs each:")
    for name, figures in runs.items():
        cpu, memory = (statistics.median(values) for values in zip(*figures))
        ratios = [mine[0] / max(other[0], 0.001) for mine, other in zip(runs["headwater"], figures)]
        against = "" if name == "headwater" else f", headwater is {statistics.median(ratios):.2f} x this"
        print(f"  {name:10} {cpu:.2f} s CPU, {memory:.1f} MB{against}")
    memory = statistics.median(memory for _, memory in runs["headwater"])
    print(f"  memory for one minute: {short_memory:.1f} MB")
    ratio = statistics.median(mine[0] / other[0] for mine, other in zip(runs["headwater"], runs["ffmpeg"]))
    if ratio > BAR or memory > GROWTH * short_memory:
        sys.exit(f"missed: the bars are {BAR} x ffmpeg, and no more than {GROWTH} x the memory of one minute")


if __name__ == "__main__":
    main()
