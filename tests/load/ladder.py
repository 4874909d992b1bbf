#!/usr/bin/env python3
"""What the ladder costs: CPU seconds per media second of `headwater encode`, against one ffmpeg process that makes the
same rungs with the same x264 settings from the same file. Paired runs in turn; medians.

usage: ladder.py PROGRAM [--pairs N] [--seconds N] [--preset NAME]

Both scale bilinearly, neither writes files, and only the process itself is counted, not who reads from it. Exits with
status 1 if the median ratio is above the bar of 1.05.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile

RUNGS = [(1920, 1080, 5000, "high"), (1280, 720, 2700, "high"), (854, 480, 1400, "main"), (640, 360, 900, "main")]
BAR = 1.05
HEADER = 5
EVENT, MEDIA = 5, (2, 3, 4)


def make_input(path, seconds):
    """A moving picture with some noise and a tone: no flat areas that would make encoding cheap."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y",
         "-f", "lavfi", "-i", f"testsrc2=s=1920x1080:r=30:d={seconds},noise=alls=8:allf=t",
         "-f", "lavfi", "-i", f"sine=f=440:d={seconds}:r=48000", "-ac", "2",
         "-c:v", "libx264", "-preset", "superfast", "-b:v", "8M", "-pix_fmt", "yuv420p", "-c:a", "aac", path],
        check=True)


def cpu_seconds(process):
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{process.args[0]} exited with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def job(path, preset):
    def rung(width, height, kilobits, profile):
        return {"height": height, "width": None, "bitrate": kilobits * 1000, "codec": "h264", "preset": preset,
                "profile": profile, "b_frames": 2, "tune": None}
    return {"name": "bench", "source": f"file:{path}", "file_root": None, "timing": "file",
            "grid": {"segment": {"secs": 2, "nanos": 0}, "part": {"secs": 0, "nanos": 400_000_000}},
            "ladder": {"video": [rung(*values) for values in RUNGS],
                       "audio": [{"bitrate": 128_000, "language": None, "channels": 2}],
                       "frame_rate": None, "encoder": "x264enc"}}


def listen(stream):
    """Reads to the end; returns the media bytes of each track and the last event."""
    sizes, event = {}, None
    with stream.makefile("rb") as frames:
        while header := frames.read(HEADER):
            kind, payload = header[0], frames.read(int.from_bytes(header[1:], "big"))
            if kind in MEDIA:
                sizes[payload[0]] = sizes.get(payload[0], 0) + len(payload)
            elif kind == EVENT:
                event = json.loads(payload)
    return sizes, event


def run_headwater(program, path, preset, directory):
    address = os.path.join(directory, "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        listener.settimeout(10)
        process = subprocess.Popen([program, "encode", "--connect", f"unix:{address}"])
        stream, _ = listener.accept()
    os.unlink(address)
    with stream:
        start = json.dumps({"control": "start", "now": 0, "job": job(path, preset)}).encode()
        stream.sendall(bytes([8]) + len(start).to_bytes(4, "big") + start)
        sizes, event = listen(stream)
    cpu = cpu_seconds(process)
    if event != {"event": "ended"}:
        sys.exit(f"the encoder said {event}")
    return cpu, sizes


def run_ffmpeg(path, preset):
    first, *rest = RUNGS
    scaled = [f"[s{at}]scale={width}:{height}:flags=bilinear[v{at}]" for at, (width, height, *_) in enumerate(rest, 1)]
    split = f"[0:v]split={len(RUNGS)}[v0]" + "".join(f"[s{at}]" for at in range(1, len(RUNGS)))
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", path, "-filter_complex", ";".join([split, *scaled])]
    for at, (_, _, kilobits, profile) in enumerate([first, *rest]):
        command += ["-map", f"[v{at}]", "-c:v", "libx264", "-preset", preset, "-profile:v", profile, "-bf", "2",
                    "-b:v", f"{kilobits}k", "-maxrate", f"{kilobits}k", "-bufsize", f"{kilobits}k",
                    "-x264-params", "keyint=infinite:scenecut=0:open-gop=0",
                    "-force_key_frames", "expr:gte(t,n_forced*2)", "-f", "null", "/dev/null"]
    command += ["-map", "0:a", "-c:a", "aac", "-b:a", "128k", "-f", "null", "/dev/null"]
    return cpu_seconds(subprocess.Popen(command))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--preset", default="superfast")
    arguments = parser.parse_args()
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "input.mp4")
        make_input(path, arguments.seconds)
        for pair in range(arguments.pairs):
            (cpu, memory), sizes = run_headwater(arguments.program, path, arguments.preset, directory)
            other, other_memory = run_ffmpeg(path, arguments.preset)
            ours.append(cpu / arguments.seconds)
            theirs.append(other / arguments.seconds)
            rates = ", ".join(f"{size * 8 / arguments.seconds / 1000:.0f}" for _, size in sorted(sizes.items()))
            print(f"pair {pair + 1}: headwater {ours[-1]:.3f} ({memory:.0f} MB), ffmpeg {theirs[-1]:.3f} "
                  f"({other_memory:.0f} MB), ratio {ours[-1] / theirs[-1]:.3f}; our tracks: {rates} kbit/s", flush=True)
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs))
    print(f"ladder, 1080p30 to {len(RUNGS)} rungs, {arguments.preset}: {statistics.median(ours):.3f} CPU seconds per media "
          f"second, ffmpeg {statistics.median(theirs):.3f}; median ratio {ratio:.3f}, bar {BAR}")
    sys.exit(ratio > BAR)


if __name__ == "__main__":
    main()
