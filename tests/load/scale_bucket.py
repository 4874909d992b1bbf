"""A bucket that counts what is asked of it: enough of S3 for a packager, in memory, on loopback. It judges nothing; the tests
do that with a real server."""

import collections
import hashlib
import http.server
import re
import threading

KINDS = [(r"/\d+\.m4s$", "segment"), (r"/init-\w+\.mp4$", "init segment"), (r"state\.json$", "state record"),
         (r"chapter-\d+\.json$", "chapter"), (r"fence-\d+\.json$", "fence"), (r"/live/[^/]+/index\.m3u8$", "multivariant playlist"),
         (r"/index\.m3u8$", "media playlist"),
         (r"manifest\.mpd$", "MPD"), (r"opening\.wire$", "opening")]


def kind_of(path):
    return next((kind for pattern, kind in KINDS if re.search(pattern, path)), "other")


class Bucket:
    """Counts requests and bytes by method and kind of object."""

    def __init__(self):
        self.objects, self.lock = {}, threading.Lock()
        self.reset()
        bucket = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, body=b"", fields=()):
                self.send_response(status)
                for name, value in fields:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def handle_request(self):
                path = self.path.partition("?")[0]
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with bucket.lock:
                    status, said, tag = bucket.serve(self.command, path, body, self.headers)
                fields = [("ETag", tag), ("Last-Modified", "Thu, 26 Nov 2026 00:00:00 GMT")] if tag else []
                if status == 200 and self.headers.get("Range"):
                    said, place = bucket.part(said, self.headers["Range"])
                    status, fields = 206, [*fields, ("Content-Range", place)]
                self.answer(status, said, fields)

            do_PUT = do_GET = do_HEAD = do_DELETE = do_POST = handle_request

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def reset(self):
        with self.lock:
            self.count, self.bytes = collections.Counter(), collections.Counter()

    def serve(self, method, path, body, fields):
        key = (method, kind_of(path))
        self.count[key] += 1
        tag = self.objects.get(path, (b"", None))[1]
        if method == "PUT":
            self.bytes[key] += len(body)
            if fields.get("If-None-Match") and tag or fields.get("If-Match", tag) != tag:
                return 412, b"", None
            tag = '"' + hashlib.md5(body).hexdigest() + '"'
            self.objects[path] = (body, tag)
            return 200, b"", tag
        if method == "DELETE":
            self.objects.pop(path, None)
            return 204, b"", None
        if tag is not None and fields.get("If-None-Match") == tag:
            self.count[method, f"{kind_of(path)}, unchanged"] += 1
            self.count[key] -= 1
            return 304, b"", tag
        if tag is None:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>", None
        return 200, self.objects[path][0], tag

    @staticmethod
    def part(body, asked):
        """What of it is asked for by `bytes=FIRST-LAST`, as which Content-Range."""
        first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", asked).groups()
        part = body[int(first):int(last or len(body)) + 1]
        return part, f"bytes {first}-{int(first) + len(part) - 1}/{len(body)}"

    def toml(self, directory):
        for name in ("id", "secret"):
            with open(f"{directory}/{name}", "w", encoding="ascii") as file:
                file.write("bench")
        return (f'url = "s3://bench"\nendpoint = "http://127.0.0.1:{self.server.server_address[1]}"\n'
                f'access_key_id_file = "{directory}/id"\nsecret_access_key_file = "{directory}/secret"')

    def stop(self):
        self.server.shutdown()
