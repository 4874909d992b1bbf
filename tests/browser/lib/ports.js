import dgram from 'node:dgram';
import net from 'node:net';
import { once } from 'node:events';

/**
 * A TCP port of the loopback interface that was free a moment ago. The system gives none of these to connections of its own
 * choice: a server that is started later would find such a port taken.
 */
export async function freeTcpPort() {
  for (;;) {
    const port = drawn();
    const server = net.createServer().listen(port, '127.0.0.1');
    const free = await once(server, 'listening').then(() => true, () => false);
    if (!free) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** A UDP port of the loopback interface that was free a moment ago, of the same ones. */
export async function freeUdpPort() {
  for (;;) {
    const port = drawn();
    const socket = dgram.createSocket('udp4').bind(port, '127.0.0.1');
    const free = await once(socket, 'listening').then(() => true, () => false);
    socket.close();
    if (free) return port;
  }
}

function drawn() {
  return 16_384 + Math.floor(Math.random() * 16_000);
}
