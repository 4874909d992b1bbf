import net from 'node:net';
import { once } from 'node:events';

const TICK_MS = 20;
/** Bytes that wait in here at most: what a viewer's line cannot take shall wait at the server. */
const HELD = 4096;

/**
 * A line to a server that carries as many bytes a second as it is told to, from the server to the client. It reads no more
 * than it can pass on, so that the server's own socket fills: what waits in the system here is the 64 kB with which a
 * connection begins, as it never reads fast enough to be given more.
 */
export class SlowLine {
  /** Bytes a second; infinite at first. */
  rate = Infinity;
  /** Bytes that it has carried to clients. */
  carried = 0;
  #server;
  #sockets = new Set();

  /** @param {string} url of the server; `line.url` is then that of the line */
  static async to(url) {
    const line = new SlowLine();
    const { hostname, port } = new URL(url);
    line.#server = net.createServer((client) => line.#carry(client, net.connect({ host: hostname, port: Number(port), highWaterMark: HELD })));
    line.#server.listen(0, '127.0.0.1');
    await once(line.#server, 'listening');
    line.url = `http://127.0.0.1:${line.#server.address().port}`;
    return line;
  }

  /** Breaks all connections, as if somebody had pulled the plug. New ones are taken. */
  cut() {
    for (const socket of this.#sockets) socket.destroy();
  }

  stop() {
    this.#server.close();
    this.cut();
  }

  #carry(client, server) {
    let allowed = 0;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        client.destroy();
        server.destroy();
        clearInterval(timer);
      });
    }
    client.on('data', (data) => server.write(data));
    // Read by hand: a stream that flows would be read ahead of what may pass.
    const pass = () => {
      while (allowed > 0 && client.writableLength < HELD) {
        const data = server.read(Math.min(allowed, server.readableLength) || undefined);
        if (data === null) return;
        allowed -= data.length;
        this.carried += data.length;
        client.write(data);
      }
    };
    const timer = setInterval(() => {
      // What was not used is not saved up, but for a tick.
      allowed = Math.min(allowed + (this.rate * TICK_MS) / 1000, this.rate === Infinity ? Infinity : (2 * this.rate * TICK_MS) / 1000);
      if (Number.isFinite(this.rate)) allowed = Math.floor(allowed);
      pass();
    }, TICK_MS);
    server.on('readable', () => { if (this.rate === Infinity) { allowed = Infinity; pass(); } });
    client.on('drain', pass);
  }
}
