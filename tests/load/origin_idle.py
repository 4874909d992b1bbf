"""What a connection costs in memory that has asked once and rests since."""

import resource
import socket
import ssl
import time

from origin_servers import PATIENCE

BARS = {"HTTP/1.1": 12.0}
SPARE = 200


class Rest:
    """Memory that the resting connections of one server take."""

    def __init__(self, server, protocol, kilobytes):
        self.server, self.protocol, self.kilobytes = server, protocol, kilobytes


def path_of(server):
    return "/1500" if server.name == "floor" else "/time" if server.name == "headwater" else "/"


def ask(server, connection):
    """Any answer will do, if it is whole: what is measured is what comes after it."""
    request = f"GET {path_of(server)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    connection.sendall(request.encode())
    received = b""
    while b"\r\n\r\n" not in received:
        if not (got := connection.recv(65536)):
            raise OSError(f"{server.name} closed a connection")
        received += got
    head, _, body = received.partition(b"\r\n\r\n")
    fields = [line.partition(b":") for line in head.lower().split(b"\r\n")]
    length = next(int(value) for name, _, value in fields if name == b"content-length")
    while len(body) < length:
        body += connection.recv(65536)


def rest(server, protocol, count):
    context = ssl._create_unverified_context() if server.tls else None
    connections = []
    try:
        # What is made once only comes with the first of them.
        for index in range(count + SPARE // 2):
            if index == SPARE // 2:
                time.sleep(0.5)
                before = server.memory()
            connection = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
            if context:
                connection = context.wrap_socket(connection)
            connections.append(connection)
            ask(server, connection)
        # Headwater takes a connection apart three seconds after its last request.
        time.sleep(6)
        return Rest(server.name, protocol, (server.memory() - before) / count / 1000)
    finally:
        for connection in connections:
            connection.close()


def measure(servers, protocol, count):
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + SPARE), hard))
    for server in servers:
        result = rest(server, protocol, count)
        print(f"resting connection, {protocol}, {server.name}: {result.kilobytes:.1f} KB", flush=True)
        yield result


def table(results):
    if results:
        yield "\n| resting connection | server | memory |\n|---|---|---|"
    for result in results:
        yield f"| {result.protocol} | {result.server} | {result.kilobytes:.1f} KB |"


def missed(results):
    for result in results:
        bar = BARS.get(result.protocol)
        if result.server == "headwater" and bar and result.kilobytes > bar:
            yield f"a resting connection over {result.protocol} takes {result.kilobytes:.1f} KB, the bar is {bar}"
