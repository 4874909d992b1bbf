#!/usr/bin/env python3
"""A viewer written from docs/wire.md alone, to judge server and document.

wire_client.py ws://HOST:PORT/live/CHANNEL/ws [--seconds 5] [--video NAME] [--format frames|cmaf] [--switch-to NAME] [--out DIR]

Watches, switches, pings, asks for what is not there, pauses, resumes, closes, and checks what the document promises.
Prints one JSON object; exits with 0 only if its `violations` are empty. H.264 and AAC; standard library only.
"""
import argparse, base64, hashlib, json, os, pathlib, socket, struct, sys, time, urllib.parse
from collections import Counter
from fractions import Fraction

CATALOG, KEY, DELTA, AUDIO, EVENT, PING, PONG, CONTROL, INIT, CHUNK = range(1, 11)


class Closed(Exception):
    """The connection has ended."""


class WebSocket:
    """The client's side of RFC 6455, as far as a viewer needs it."""

    def __init__(self, url, expect):
        at, key = urllib.parse.urlsplit(url), base64.b64encode(os.urandom(16)).decode()
        self.expect, self.buffer, self.close_code = expect, bytearray(), None
        self.sock = socket.create_connection((at.hostname, at.port or 80), timeout=5)
        self.sock.sendall((f"GET {at.path}?{at.query} HTTP/1.1\r\nHost: {at.netloc}\r\nConnection: Upgrade\r\n"
                           f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
                           "Sec-WebSocket-Protocol: headwater.v1\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.buffer:
            self.more(5)
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        if status.split()[1] != "101":
            raise Closed(f"the handshake was answered with: {status}")
        got = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
        for name, value in {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-accept": accept,
                            "sec-websocket-protocol": "headwater.v1", "sec-websocket-extensions": None}.items():
            right = got.get(name) == value or name in ("upgrade", "connection") and got.get(name, "").lower() == value
            expect(right, f"handshake: {name} is {got.get(name)}, not {value}")

    def more(self, seconds):
        self.sock.settimeout(max(seconds, 0.001))
        data = self.sock.recv(1 << 18)
        if not data:
            raise Closed("the connection ended without a close frame")
        self.buffer += data

    def exactly(self, size):
        while len(self.buffer) < size:
            self.more(5)
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def send(self, opcode, payload):  # of less than 126 bytes
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i & 3] for i, byte in enumerate(payload))
        self.sock.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked)

    def receive(self, deadline):
        """The next binary message, or None when none has begun by the deadline."""
        while True:
            try:
                if not self.buffer:
                    self.more(deadline - time.monotonic())
            except TimeoutError:
                return None
            first, size = self.exactly(2)
            self.expect(first in (0x82, 0x88, 0x89, 0x8A) and size < 128, f"a WebSocket frame {first:#x} {size:#x}")
            payload = self.exactly(size if size < 126 else int.from_bytes(self.exactly(2 if size == 126 else 8), "big"))
            if first == 0x82:
                return payload
            if first == 0x89:
                self.send(10, payload)
            if first == 0x88:
                self.close_code = int.from_bytes(payload[:2], "big")
                raise Closed(f"closed with {self.close_code}, {payload[2:]}")

    def close(self):
        deadline, why = time.monotonic() + 3, "nothing"
        try:
            self.send(8, struct.pack(">H", 1000))
            while time.monotonic() < deadline:
                self.receive(deadline)
        except (Closed, OSError) as e:
            why = e
        self.expect(self.close_code == 1000, f"our close with 1000 was answered with: {why}")


def require(what, sentence):
    if not what:
        raise ValueError(sentence)


def boxes(data):
    """The boxes of ISO/IEC 14496-12 that fill `data`: {type: body}, in their order."""
    found = {}
    while data:
        size, kind = struct.unpack_from(">I4s", data)
        require(8 <= size <= len(data), f"a box of {size} bytes where {len(data)} are left")
        found[kind.decode("latin-1")], data = data[8:size], data[size:]
    return found


def nal_units(data, width=4, count=None):
    """NAL units, each behind its length, and what is behind them; without a count they must fill `data`."""
    units = []
    while data and len(units) != count:
        end = width + int.from_bytes(data[:width], "big")
        require(width < end <= len(data), f"a NAL unit ends at {end}, the data at {len(data)}")
        units.append(data[width:end])
        data = data[end:]
    return units, data


def parameter_sets(config):
    require(config[4] & 3 == 3, "lengths of NAL units are not of 4 bytes")
    sps, rest = nal_units(config[6:], 2, config[5] & 31)
    return sps + nal_units(rest[1:], 2, rest[0])[0]


def adts(config, size):
    kind, rate, channels = config[0] >> 3, (config[0] & 7) << 1 | config[1] >> 7, config[1] >> 3 & 15
    return (0xFFF1 << 40 | (kind - 1) << 38 | rate << 34 | channels << 30 | size + 7 << 13 | 0x1FFC).to_bytes(7, "big")


class Viewer:
    """Judges each message, and asks for what a viewer may ask for."""

    def __init__(self, args):
        self.out, self.cmaf, self.counts, self.violations = args.out, args.format == "cmaf", Counter(), []
        self.tracks, self.inits, self.events, self.selected, self.paused = [], set(), [], {}, False
        self.fresh, self.first, self.last, self.written = {}, {}, {}, {}  # by kind of media; `written` by name of track
        self.latency, self.first_picture = {"video": [], "audio": []}, None
        query = urllib.parse.urlencode({"format": args.format} | ({"video": args.video} if args.video else {}))
        self.ws = WebSocket(f"{args.url}?{query}", self.expect)
        self.began, self.asked = time.monotonic(), time.time()

    def expect(self, what, sentence):
        if not what and sentence not in self.violations and len(self.violations) < 50:
            self.violations.append(sentence)

    def until(self, seconds, done=lambda: False):
        """Reads until `done`, but not longer than this; tells whether it was."""
        deadline = time.monotonic() + seconds
        while not done() and time.monotonic() < deadline:
            message = self.ws.receive(deadline)
            try:
                if message is not None:
                    self.message(message)
            except (ValueError, LookupError, TypeError, struct.error) as e:
                self.expect(False, f"a message of type {message[:1].hex()}: {type(e).__name__}: {e}")
        return done()

    def message(self, message):
        (kind, size), body = struct.unpack_from(">BI", message), message[5:]
        require(size == len(body) <= 1 << 24, f"{size} bytes are announced, {len(body)} come")
        self.counts[f"type {kind}"] += 1
        self.expect(kind in (EVENT, PONG) or not self.paused, f"type {kind} while paused")
        self.expect(kind in (EVENT, CATALOG) or self.tracks, f"type {kind} before the catalog")
        if kind == CATALOG:
            self.catalog(json.loads(body)["tracks"])
        elif kind == EVENT:
            self.event(json.loads(body))
        elif kind in (KEY, DELTA, AUDIO) and not self.cmaf:
            index, flags, dts, cts, duration, captured = struct.unpack_from(">BBqiIq", body)
            self.expect(flags == 0, f"flags {flags:#x} of a frame")
            self.expect(("audio" in self.tracks[index]["media"]) == (kind == AUDIO), f"type {kind} of track {index}")
            self.sample(self.tracks[index], kind != DELTA, dts, cts, duration, captured, body[26:])
        elif kind == INIT and self.cmaf:
            track, moov = self.tracks[body[0]], boxes(boxes(body[1:])["moov"])
            mdhd = boxes(boxes(moov["trak"])["mdia"])["mdhd"]
            scale = int.from_bytes(mdhd[20:24] if mdhd[0] else mdhd[12:16], "big")
            self.expect(scale == track["timescale"], f"{scale} ticks in the init segment, {track['timescale']} in the catalog")
            self.expect(body[0] in self.selected.values(), "an init segment before `selected`")
            self.inits.add(body[0])
            self.write(track, -1, body[1:])
        elif kind == CHUNK and self.cmaf:
            (index, flags, captured), parts = struct.unpack_from(">BBq", body), boxes(body[10:])
            self.expect(list(parts) == ["moof", "mdat"], f"a chunk is not moof and mdat but {', '.join(parts)}")
            self.expect(index in self.inits, "a chunk before its init segment")
            traf, track = boxes(boxes(parts["moof"])["traf"]), self.tracks[index]
            self.expect(traf["trun"][4:8] == b"\0\0\0\1", "a chunk is not of one sample")
            dts = int.from_bytes(traf["tfdt"][4:], "big")  # of the rest of `moof`, decoding the file is the test
            self.sample(track, flags & 1 == 1, dts, 0, track["duration"], captured, parts["mdat"], body[10:])
        elif kind <= CHUNK:  # others we do not know, and skip
            self.expect(kind == PONG and not body, f"type {kind} of {size} bytes is not for this viewer")

    def catalog(self, tracks):
        self.tracks, self.inits = tracks, set()
        for track in tracks:
            (kind, media), = track["media"].items()
            track["config"], codec = bytes.fromhex(track["codec"]["config"]), track["codec"]["codec"]
            require(all(type(track[key]) is int for key in ("timescale", "bitrate", "edit_start")), "not whole numbers")
            require(codec == {"video": "avc", "audio": "aac"}[kind], f"{codec} is not for this client")
            if kind == "video":
                track["sets"], codec_string = parameter_sets(track["config"]), f"avc1.{track['config'][1:4].hex()}"
                rate = media["frame_rate"]
                track["duration"] = rate and Fraction(track["timescale"] * rate["den"], rate["num"])
                self.expect({"width", "height", "sample_aspect", "colour"} <= media.keys(), "fields of video are missing")
            else:
                track["duration"], codec_string = 1024, f"mp4a.40.{track['config'][0] >> 3}"
                self.expect(media["sample_rate"] == track["timescale"] == 48000 and "language" in media
                            and media["channels"] == track["config"][1] >> 3 & 15, "fields of audio do not agree")
            self.expect(track["codec_string"] == codec_string, f"codec_string is {track['codec_string']}")
        rank = [-track["media"]["video"]["height"] if "video" in track["media"] else 1 for track in tracks]
        self.expect(rank == sorted(rank), "tracks are not in order: video first, best first")
        self.expect(len({track["name"] for track in tracks}) == len(tracks), "names of tracks are not unique")

    def event(self, event):
        name, why = event["event"], event.get("why")
        self.events.append({"at_ms": round((time.monotonic() - self.began) * 1000)} | event)
        if name == "state":
            states = ("starting", "live", "stalled", "restarting", "ended", "failed")
            self.expect(event["state"] in states, f"a state {event['state']}")
        elif name == "selected":
            self.expect(why in ("start", "asked", "slow", "recovered"), f"selected, {why}")
            for kind, index in (("video", event["video"]), ("audio", event["audio"])):
                self.expect(index is None or kind in self.tracks[index]["media"], f"{event} is wrong about {kind}")
                if index is not None and index != self.selected.get(kind):
                    self.fresh[kind] = why
                self.selected[kind] = index
        elif name == "skipped":
            self.fresh = dict.fromkeys(self.selected, name)
        self.paused = self.paused or name == "paused"

    def sample(self, track, sync, dts, cts, duration, captured, data, chunk=None):
        name, scale, kind = track["name"], track["timescale"], next(iter(track["media"]))
        self.counts[name] += 1
        self.expect(any("state" in event for event in self.events), "media before the event `state`")
        self.expect(self.tracks.index(track) == self.selected.get(kind), f"{name}, but it is not what `selected` said")
        self.expect(duration == (track["duration"] or duration), f"{name}: a frame of {duration} ticks")
        self.order(name, kind, sync, Fraction(dts, scale), Fraction(dts + duration) / scale)
        self.clock(kind, time.time(), captured / 1e6, dts / scale)
        if kind == "audio":
            self.expect(data and sync and dts % 1024 == cts == 0, f"{name}: no frame of AAC, or not where it belongs")
            return self.write(track, dts, chunk or adts(track["config"], len(data)) + data)
        units, self.first_picture = nal_units(data)[0], self.first_picture or time.monotonic() - self.began
        kinds = {unit[0] & 31 for unit in units}
        self.expect(kinds and not kinds & {7, 8, 9} and (5 in kinds) == sync, f"{name}: sync {sync}, NAL units {kinds}")
        self.expect(not (sync and cts), f"{name}: an IDR has cts {cts}")
        self.write(track, dts, chunk or b"\0\0\0\1" + b"\0\0\0\1".join((track["sets"] if sync else []) + units))

    def order(self, name, kind, sync, start, end):
        """A frame begins where the last one ended; or, where an event said so, with a key frame."""
        (before, behind), why = self.last.get(kind, (start, start)), self.fresh.pop(kind, None)
        self.last[kind] = start, end
        if why is None:
            died = sync and behind - 1 < start and any(event.get("state") == "restarting" for event in self.events)
            return self.expect(start == behind or died, f"{name}: {float(start - behind):+.4f} s from the last frame's end")
        self.expect(sync, f"{name}: no key frame after {why}")
        self.expect(why == "resumed" or before <= start, f"{name}: goes back {float(before - start):.3f} s after {why}")
        self.expect(why != "asked" or start <= behind, f"{name}: leaves out {float(start - behind):.3f} s after {why}")
        self.first[kind] = start
        if why in ("start", "resumed") and len(self.first) == 2:
            apart = float(self.first["audio"] - self.first["video"])
            self.expect(abs(apart) < 0.05, f"after {why}, sound begins {apart:+.3f} s from the picture")

    def clock(self, kind, now, captured, media_time):
        """Frames from before we asked are the current GOP and come at once; the others are live."""
        if captured >= self.asked:
            self.latency[kind].append((now - captured) * 1000)
        else:
            self.counts[f"{kind} at once" if captured else f"{kind} filler"] += 1
            self.expect(not captured or now < self.asked + 0.5, f"{kind} of the first GOP comes after half a second")
        self.expect(not captured or now - 30 < captured < now + 0.005 and abs(captured - media_time) < 10,
                    f"{kind} captured at {captured:.3f} comes at {now:.3f}, with decode time {media_time:.3f}")

    def write(self, track, dts, data):
        """Appends to the track's file, but nothing twice: after `resume`, frames come that were written before."""
        last = self.written.get(track["name"])
        self.written[track["name"]] = dts if last is None else max(dts, last)
        if self.out and (last is None or dts > last):
            ending = "mp4" if self.cmaf else "h264" if "video" in track["media"] else "aac"
            with open(self.out / f"{track['name']}.{ending}", "wb" if last is None else "ab") as file:
                file.write(data)

    def ask(self, kind, value=None, seconds=0, **event):
        """Sends a message and waits for an event, which is a violation if it does not come."""
        payload, since = b"" if value is None else json.dumps(value).encode(), len(self.events)
        self.ws.send(2, struct.pack(">BI", kind, len(payload)) + payload)
        came = self.until(seconds, lambda: any(event.items() <= got.items() for got in self.events[since:]))
        self.expect(came or not event, f"after type {kind}, {value}: no event {event} within {seconds} s")

    def switch(self, name):
        index, began = [track["name"] for track in self.tracks].index(name), time.monotonic()
        self.ask(CONTROL, {"control": "select", "video": index}, 1.5, event="selected", video=index, why="asked")
        self.expect(self.until(began + 1.5 - time.monotonic(), lambda: self.counts[name]), f"no {name} within 1.5 s")
        return round((time.monotonic() - began) * 1000)

    def talk(self):
        """Ping, what must be refused, pause and resume."""
        self.ask(PING)
        self.expect(self.until(2, lambda: self.counts["type 7"] == 1), "not exactly one pong")
        for kind, value in (CONTROL, {"control": "select", "video": 200}), (99, {}), (CATALOG, {"tracks": []}):
            self.ask(kind, value, 2, event="refused")
        self.ask(CONTROL, {"control": "pause"}, 2, event="paused")
        self.until(1)
        self.paused, self.asked, self.first = False, time.time(), {}
        self.fresh = {kind: "resumed" for kind, index in self.selected.items() if index is not None}
        self.ask(CONTROL, {"control": "resume"})
        self.expect(self.until(1, lambda: not self.fresh), "no media within a second of `resume`")
        self.until(1)


def percentiles(values):
    return {f"p{p}": round(sorted(values)[(len(values) - 1) * p // 100], 1) if values else None for p in (50, 95)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--format", choices=("frames", "cmaf"), default="frames")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--video")
    parser.add_argument("--switch-to")
    args = parser.parse_args()
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    try:
        viewer, switched = Viewer(args), None
    except (Closed, OSError) as e:
        print(json.dumps({"violations": [f"no connection: {e}"]}))
        return 1
    try:
        viewer.until(1)
        switched = viewer.switch(args.switch_to) if args.switch_to else None
        viewer.until(viewer.began + args.seconds - time.monotonic())
        viewer.talk()
        viewer.ws.close()
    except (Closed, OSError, ValueError) as e:
        viewer.expect(False, f"ended early: {type(e).__name__}: {e}")
    viewer.expect(viewer.first_picture or args.video == "none", "no picture")
    print(json.dumps({
        "counts": viewer.counts, "first_picture_ms": viewer.first_picture and round(viewer.first_picture * 1000, 1),
        "switched_after_ms": switched, "latency_ms": percentiles(viewer.latency["video"]),
        "audio_latency_ms": percentiles(viewer.latency["audio"]), "close_code": viewer.ws.close_code,
        "events": viewer.events, "violations": viewer.violations}))
    return 1 if viewer.violations else 0


if __name__ == "__main__":
    sys.exit(main())
