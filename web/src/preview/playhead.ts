import type { Ring } from './ring';

/** Further off than this, in seconds, it leaps; nearer it plays faster or slower, which is not heard. */
const LEAP_S = 0.06;
const CLOSE_S = 0.002;
/** An error is to be gone after as many seconds. */
const REPAIR_S = 1.5;
const STEEPEST = 0.02;
/** Samples over which sound comes and goes, as a step is heard as a click. */
const FADE = 96;

/** Plays a ring of sound, kept to a clock. */
export class Playhead {
  #position: number | null = null;
  #level = 0;
  #last = [0, 0];

  /** @param rate samples per second */
  constructor(private readonly ring: Ring, private readonly rate: number) {}

  stop(): void {
    this.#position = null;
  }

  /** Fills `output`; its first sample should be that at `wanted`, a position in the ring. */
  render(wanted: number | null, output: readonly Float32Array[]): void {
    const step = this.#step(wanted);
    const length = output[0]?.length ?? 0;
    for (let i = 0; i < length; i++) {
      const position = this.#position;
      const sounding = position !== null && this.ring.holds(position);
      this.#level = Math.min(1, Math.max(0, this.#level + (sounding ? 1 : -1) / FADE));
      output.forEach((samples, channel) => {
        // What was heard last fades out where there is nothing more.
        if (sounding) this.#last[channel] = this.ring.read(channel, position);
        samples[i] = (this.#last[channel] ?? 0) * this.#level;
      });
      if (position !== null) this.#position = position + step;
    }
  }

  /** How far to go with each sample. */
  #step(wanted: number | null): number {
    if (wanted === null) {
      this.#position = null;
      return 1;
    }
    const error = this.#position === null ? Infinity : (wanted - this.#position) / this.rate;
    if (Math.abs(error) > LEAP_S) {
      this.#position = wanted;
      this.#level = 0;
      return 1;
    }
    if (Math.abs(error) < CLOSE_S) return 1;
    return 1 + Math.min(STEEPEST, Math.max(-STEEPEST, error / REPAIR_S));
  }
}
