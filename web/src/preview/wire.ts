import type { Track } from './catalog';

/** The framing of docs/wire.md, as a viewer sees it. */
const HEADER = 5;
const MEDIA_HEADER = 26;
const CHUNK_HEADER = 10;
const LARGEST = 16 * 1024 * 1024;

const CATALOG = 1;
const KEY = 2;
const DELTA = 3;
const AUDIO = 4;
const EVENT = 5;
const PING = 6;
const PONG = 7;
const CONTROL = 8;
const INIT = 9;
const CHUNK = 10;

/** One access unit. Times are in ticks of the track; `capturedAt` is in milliseconds since the Unix epoch, 0 if unknown. */
export interface Media {
  readonly type: 'video' | 'audio';
  readonly track: number;
  readonly key: boolean;
  readonly dts: number;
  readonly cts: number;
  readonly duration: number;
  readonly capturedAt: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

export interface Init {
  readonly type: 'init';
  readonly track: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

/** One sample as `moof` and `mdat`. */
export interface Chunk {
  readonly type: 'chunk';
  readonly track: number;
  readonly key: boolean;
  readonly capturedAt: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

export type ServerEvent =
  | { event: 'state'; state: string; why?: string }
  | { event: 'selected'; video: number | null; audio: number | null; why: string }
  | { event: 'skipped'; frames: number }
  | { event: 'paused' }
  | { event: 'refused'; why: string };

export type Message =
  | Media
  | Init
  | Chunk
  | { type: 'catalog'; tracks: Track[] }
  | { type: 'event'; event: ServerEvent }
  | { type: 'ping' }
  | { type: 'pong' };

export type Control =
  | { control: 'select'; video?: number | null; audio?: number | null }
  | { control: 'pause' }
  | { control: 'resume' };

/** Reads one message; `null` for a type that is not known, as later servers may send some. Throws on a broken one. */
export function parse(buffer: ArrayBuffer): Message | null {
  const view = new DataView(buffer);
  if (buffer.byteLength < HEADER) throw new RangeError('a frame is shorter than its header');
  const length = view.getUint32(1);
  if (length > LARGEST || length !== buffer.byteLength - HEADER) throw new RangeError('a message is not exactly one frame');
  const type = view.getUint8(0);
  switch (type) {
    case CATALOG: return { type: 'catalog', tracks: json<{ tracks: Track[] }>(buffer).tracks };
    case KEY: case DELTA: case AUDIO: return media(view, type);
    case EVENT: return { type: 'event', event: json<ServerEvent>(buffer) };
    case PING: return { type: 'ping' };
    case PONG: return { type: 'pong' };
    case INIT: return { type: 'init', track: view.getUint8(HEADER), data: new Uint8Array(buffer, HEADER + 1) };
    case CHUNK: return chunk(view);
    default: return null;
  }
}

function media(view: DataView<ArrayBuffer>, type: number): Media {
  return {
    type: type === AUDIO ? 'audio' : 'video',
    track: view.getUint8(HEADER),
    key: type !== DELTA,
    // Ticks of today need 47 bits, and a double has 53.
    dts: Number(view.getBigInt64(HEADER + 2)),
    cts: view.getInt32(HEADER + 10),
    duration: view.getUint32(HEADER + 14),
    capturedAt: Number(view.getBigInt64(HEADER + 18)) / 1000,
    data: new Uint8Array(view.buffer, HEADER + MEDIA_HEADER),
  };
}

function chunk(view: DataView<ArrayBuffer>): Chunk {
  return {
    type: 'chunk',
    track: view.getUint8(HEADER),
    key: (view.getUint8(HEADER + 1) & 1) === 1,
    capturedAt: Number(view.getBigInt64(HEADER + 2)) / 1000,
    data: new Uint8Array(view.buffer, HEADER + CHUNK_HEADER),
  };
}

const json = <T>(buffer: ArrayBuffer): T => JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, HEADER))) as T;

/** A message that asks something of the server. */
export const controlFrame = (control: Control): Uint8Array<ArrayBuffer> => frame(CONTROL, new TextEncoder().encode(JSON.stringify(control)));

/** A message that the server answers with a pong. */
export const pingFrame = (): Uint8Array<ArrayBuffer> => frame(PING);

/** The answer to a ping. */
export const pongFrame = (): Uint8Array<ArrayBuffer> => frame(PONG);

function frame(type: number, payload = new Uint8Array()): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER + payload.length);
  bytes[0] = type;
  new DataView(bytes.buffer).setUint32(1, payload.length);
  bytes.set(payload, HEADER);
  return bytes;
}
