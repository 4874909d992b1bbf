import http from 'node:http';
import { once } from 'node:events';

/** A player that is refused asks often: so many tell enough. */
const REFUSALS = 50;

/**
 * A load balancer in front of several origins. All requests go to one of them until it is told otherwise, or until that one
 * is gone: what has not been answered yet is then asked of the next one, as nginx and others do for GET.
 */
export class Balancer {
  /** The origin that is asked, by its place in the list. */
  current = 0;
  /** How often each origin was asked. */
  asked;
  /** What an origin refused or broke off, for a human: when, which one, what and why. Only the first ones. */
  refused = [];
  #origins;
  #agent = new http.Agent({ keepAlive: true });
  #server;
  #timer;

  /** @param {string[]} origins their URLs */
  static async over(origins) {
    const balancer = new Balancer();
    balancer.#origins = origins.map((url) => new URL(url));
    balancer.asked = origins.map(() => 0);
    balancer.#server = http.createServer((request, response) => balancer.#pass(request, response, origins.length - 1));
    balancer.#server.listen(0, '127.0.0.1');
    await once(balancer.#server, 'listening');
    balancer.url = `http://127.0.0.1:${balancer.#server.address().port}`;
    return balancer;
  }

  /** Turns to the next origin every so many seconds. */
  turnEvery(seconds) {
    this.#timer = setInterval(() => this.turn(), seconds * 1000);
  }

  /** Turns no more by itself. */
  rest() {
    clearInterval(this.#timer);
  }

  turn() {
    this.current = (this.current + 1) % this.#origins.length;
  }

  stop() {
    this.rest();
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
  }

  #note(asked, what) {
    if (this.refused.length < REFUSALS) this.refused.push(`${new Date().toISOString()} origin ${asked}: ${what}`);
  }

  #pass(request, response, others) {
    const asked = this.current;
    this.asked[asked] += 1;
    const { hostname, port } = this.#origins[asked];
    const { url: path, method, headers } = request;
    const sent = http.request({ agent: this.#agent, hostname, port, path, method, headers }, (answer) => {
      if (answer.statusCode >= 400) this.#note(asked, `${answer.statusCode} ${answer.headers['headwater-reason'] ?? ''} ${path}`);
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
      answer.on('error', () => response.destroy());
      answer.on('aborted', () => {
        // Who goes away himself is not told about.
        if (!response.destroyed) this.#note(asked, `broke off ${path}`);
        response.destroy();
      });
    });
    response.on('close', () => sent.destroy());
    sent.on('error', () => {
      if (response.headersSent || response.destroyed || others === 0) return response.destroy();
      if (this.current === asked) this.turn();
      return this.#pass(request, response, others - 1);
    });
    sent.end();
  }
}
