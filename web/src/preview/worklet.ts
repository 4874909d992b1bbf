import type { ToWorklet } from './messages';
import { Playhead } from './playhead';
import { Ring } from './ring';

// The scope of a worklet, which TypeScript does not know.
declare const currentTime: number;
declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: typeof AudioWorkletProcessor): void;

const KEPT_S = 4;
const CHANNELS = 2;
/** How fast the clock of the sound card is followed; what is told of it jitters by some milliseconds. */
const FOLLOW = 0.1;
const LEAP_MS = 40;

/** Plays what the worker sends when it is due, by the same clock as the pictures. */
class Sound extends AudioWorkletProcessor {
  readonly #ring = new Ring(KEPT_S * sampleRate, CHANNELS);
  readonly #playhead = new Playhead(this.#ring, sampleRate);
  /** When second 0 of the audio context is heard, in milliseconds since the Unix epoch. */
  #zero: number | null = null;
  #delay = 0;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<ToWorklet>) => this.#told(data);
  }

  process(_: Float32Array[][], [output = []]: Float32Array[][]): boolean {
    const heardAt = this.#zero === null ? null : this.#zero + currentTime * 1000;
    const wanted = heardAt === null ? null : this.#ring.position(((heardAt - this.#delay) / 1000) * sampleRate);
    this.#playhead.render(wanted, output);
    return true;
  }

  #told(message: ToWorklet): void {
    switch (message.tell) {
      case 'port':
        message.port.onmessage = ({ data }: MessageEvent<ToWorklet>) => this.#told(data);
        break;
      case 'samples':
        this.#delay = message.delay;
        this.#ring.write(message.at, message.channels);
        break;
      case 'silence':
        this.#ring.clear();
        this.#playhead.stop();
        break;
      case 'clock': {
        const off = message.zero - (this.#zero ?? -Infinity);
        this.#zero = Math.abs(off) > LEAP_MS ? message.zero : (this.#zero ?? 0) + off * FOLLOW;
        break;
      }
    }
  }
}

registerProcessor('headwater-sound', Sound);
