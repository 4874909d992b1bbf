"""The servers that origin.py compares: how each is started and what the system says of it. Each listens on loopback, on a
port that was free, and runs on one core."""

import os
import re
import socket
import ssl
import subprocess
import tempfile
import time

SERVER_CORE, LOAD_CORE = 0, 1
PROCESS_CLOCK = 2
PATIENCE = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def on_core(core, *command):
    return ["taskset", "-c", str(core), *(str(word) for word in command)]


def children(pid):
    """Whichever of its threads started them."""
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
            found += [int(child) for child in file.read().split()]
    return found


class Server:
    """A process, and the place where it answers."""

    name = ""

    def __init__(self, command, port, tls, log):
        self.port, self.tls, self.log = port, tls, log
        with open(log, "wb") as output:
            self.process = subprocess.Popen(on_core(SERVER_CORE, *command), stdout=output, stderr=output)
        self.wait_until_it_listens()

    def wait_until_it_listens(self):
        ends = time.monotonic() + PATIENCE
        while time.monotonic() < ends:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.said()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} does not listen: {self.said()}")

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-2000:].strip()

    def processes(self):
        """Those that answer."""
        return [self.process.pid]

    def url(self, path):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}{path}"

    def processor(self):
        """Seconds of processor time used so far, by all threads, in user space and in the system."""
        # clock_getcpuclockid(3), which Python has for threads only: exact, where /proc counts hundredths of a second.
        return sum(time.clock_gettime(~pid << 3 | PROCESS_CLOCK) for pid in self.processes())

    def memory(self):
        """Bytes that are resident."""
        total = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                total += int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) * 1024
        return total

    def get(self, path):
        """Status and body, over a connection of its own. Certificates are made here, so nobody vouches for them."""
        import http.client
        context = ssl._create_unverified_context() if self.tls else None
        kind = http.client.HTTPSConnection if self.tls else http.client.HTTPConnection
        connection = kind("127.0.0.1", self.port, timeout=PATIENCE, **({"context": context} if self.tls else {}))
        try:
            connection.request("GET", path, headers={"Accept-Encoding": "identity"})
            reply = connection.getresponse()
            return reply.status, reply.read()
        finally:
            connection.close()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


NGINX = """
daemon off; master_process on; worker_processes 1; pid {directory}/nginx.pid; error_log {directory}/nginx.log warn;
worker_rlimit_nofile 20000;
events {{ worker_connections 16384; multi_accept on; }}
http {{
  access_log off; server_tokens off; default_type application/octet-stream;
  types {{ application/vnd.apple.mpegurl m3u8; video/iso.segment m4s; }}
  sendfile on; sendfile_max_chunk 2m; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 75s; keepalive_requests 1000000000;
  open_file_cache max=1000 inactive=600s; open_file_cache_valid 600s; open_file_cache_min_uses 1;
  http2_max_concurrent_streams 250; http2_chunk_size 16k; http2_max_requests 1000000000;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off;
  client_body_temp_path {directory}/t1; proxy_temp_path {directory}/t2; fastcgi_temp_path {directory}/t3;
  uwsgi_temp_path {directory}/t4; scgi_temp_path {directory}/t5;
  server {{ listen 127.0.0.1:{port} {tls}; root {root}; }}
}}
"""


class Nginx(Server):
    """nginx as one would set it up to hand out files from the page cache."""

    name = "nginx"

    def __init__(self, directory, root, tls):
        port = free_port()
        options = "" if tls is None else f"ssl http2; ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]}"
        config = os.path.join(directory, "nginx.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(NGINX.format(directory=directory, root=root, port=port, tls=options))
        # A worker that changes its user could not read what is below a private directory.
        user = ["-g", "user root;"] if os.getuid() == 0 else []
        super().__init__(["nginx", "-e", f"{directory}/nginx.log", "-p", directory, "-c", config, *user], port,
                         tls is not None, os.path.join(directory, "nginx.out"))

    def processes(self):
        # The master does nothing after the start.
        return children(self.process.pid)


class Floor(Server):
    """hyper and nothing else: see `headwater-load floor --help`."""

    name = "floor"

    def __init__(self, load, directory, tls):
        port = free_port()
        options = [] if tls is None else ["--certificate", tls[0], "--key", tls[1]]
        command = [load, "floor", "--listen", f"127.0.0.1:{port}", *options]
        super().__init__(command, port, tls is not None, os.path.join(directory, "floor.out"))


HEADWATER = """
[server]
media = "127.0.0.1:{port}"
control = "127.0.0.1:{control}"
{tls}
[store]
{store}
{channels}
"""
TLS = """
[server.tls]
certificate = "{}"
key = "{}"
"""
CHANNEL = """
[channel.{name}]
source = "test:"
window = "{window}"
encoder_socket = "{socket}"
"""
RUNG = """
[[channel.{name}.video]]
height = {height}
bitrate = "{kilobits}k"
"""


class Refused(Exception):
    """The configuration was refused."""


class Headwater(Server):
    """`headwater serve` with live channels; `channels` is {name: (window, {height: kbit/s})}."""

    name = "headwater"

    def __init__(self, program, load, directory, channels, tls, store=None):
        port, control = free_port(), free_port()
        store = store or f'url = "{directory}/store"'
        # The path of a Unix socket is short.
        self.sockets = tempfile.TemporaryDirectory(prefix="hw")
        socket_of = {name: os.path.join(self.sockets.name, name) for name in channels}
        text = ""
        for name, (window, rungs) in channels.items():
            text += CHANNEL.format(name=name, window=window, socket=socket_of[name])
            text += "".join(RUNG.format(name=name, height=height, kilobits=k) for height, k in rungs.items())
        config = os.path.join(directory, "headwater.toml")
        with open(config, "w", encoding="utf-8") as file:
            file.write(HEADWATER.format(port=port, control=control, store=store, channels=text,
                                        tls="" if tls is None else TLS.format(*tls)))
        self.encoders = []
        try:
            super().__init__([program, "serve", "--config", config], port, tls is not None,
                             os.path.join(directory, "headwater.out"))
        except RuntimeError as error:
            self.sockets.cleanup()
            if tls is not None and "tls" in str(error):
                raise Refused(str(error)) from error
            raise
        for name, path in socket_of.items():
            command = on_core(LOAD_CORE, load, "encode", "--connect", f"unix:{path}")
            with open(os.path.join(directory, f"encoder-{name}.out"), "wb") as output:
                self.encoders.append(subprocess.Popen(command, stdout=output, stderr=output))

    def stop(self):
        super().stop()
        for encoder in self.encoders:
            encoder.terminate()
            encoder.wait()
        self.sockets.cleanup()
