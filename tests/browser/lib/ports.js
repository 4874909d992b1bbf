import dgram from 'node:dgram';
import net from 'node:net';
import { once } from 'node:events';

/** A TCP port of the loopback interface that was free a moment ago. */
export async function freeTcpPort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A UDP port of the loopback interface that was free a moment ago. */
export async function freeUdpPort() {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}
