import { type Control, controlFrame, type Message, parse, pingFrame, pongFrame } from './wire';

const PROTOCOL = 'headwater.v1';
const BACKOFF_MS = { first: 250, most: 5000, slow: 3000 };
/** Nothing for this long, not even the answer to a ping, and the line is taken for dead: TCP takes minutes to notice. */
const DEAD_MS = 6000;
const PING_MS = 2000;

const CHANNEL_ENDED = 1000;
const TOO_SLOW = 1013;

export interface LinkEvents {
  /** Where to connect to; asked anew for each connection. */
  url(): string;
  opened(): void;
  message(message: Message): void;
  /** The connection is gone. `slow`: because this line is too slow. `ended`: for good. */
  closed(reason: 'lost' | 'slow' | 'ended'): void;
}

/** The WebSocket, which is opened again for as long as it takes. */
export class Link {
  #socket: WebSocket | null = null;
  #failures = 0;
  #heardAt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  readonly #watch = setInterval(() => this.#check(), PING_MS);
  readonly #online = (): void => this.#hurry();

  constructor(private readonly events: LinkEvents) {
    addEventListener('online', this.#online);
    this.#open();
  }

  /** Tells the server; lost when there is no connection, as a new one begins from what `url` says. */
  send(control: Control): void {
    this.#transmit(controlFrame(control));
  }

  close(): void {
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    removeEventListener('online', this.#online);
    this.#drop();
  }

  #open(): void {
    const socket = new WebSocket(this.events.url(), PROTOCOL);
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => this.events.opened();
    socket.onmessage = ({ data }) => this.#receive(data as ArrayBuffer);
    socket.onclose = ({ code }) => this.#lost(code);
    this.#heardAt = performance.now();
    this.#socket = socket;
  }

  #receive(data: ArrayBuffer): void {
    this.#heardAt = performance.now();
    let message: Message | null;
    try {
      message = parse(data);
    } catch (error) {
      // Nothing behind a broken frame can be trusted.
      console.warn(`preview: ${String(error)}`);
      return this.#lost(0);
    }
    if (message?.type === 'ping') this.#transmit(pongFrame());
    if (message?.type === 'video' || message?.type === 'chunk') this.#failures = 0;
    if (message) this.events.message(message);
  }

  #lost(code: number): void {
    this.#drop();
    if (code === CHANNEL_ENDED) {
      clearInterval(this.#watch);
      return this.events.closed('ended');
    }
    this.events.closed(code === TOO_SLOW ? 'slow' : 'lost');
    const wait = code === TOO_SLOW ? BACKOFF_MS.slow : Math.min(BACKOFF_MS.first * 2 ** this.#failures++, BACKOFF_MS.most);
    // Spread, so that the viewers of a server that restarts do not all come at once.
    this.#retry = setTimeout(() => this.#open(), wait * (0.8 + 0.4 * Math.random()));
  }

  /** The machine has a network again: no need to wait any longer. */
  #hurry(): void {
    if (this.#socket) return;
    clearTimeout(this.#retry);
    this.#open();
  }

  #check(): void {
    if (!this.#socket) return;
    if (performance.now() - this.#heardAt > DEAD_MS) this.#lost(0);
    else this.#transmit(pingFrame());
  }

  #transmit(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(bytes);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }
}
