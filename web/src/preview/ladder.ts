import type { Rung } from '../players/player';

/** A rung may be so much larger than its place on the screen; the next larger one would be wasted. */
export const ROOM = 1.25;
/** Falling behind so often within this time, in milliseconds, means that the rung is too much for this machine. */
const OVERLOADS = 2;
const OVERLOAD_WINDOW_MS = 15_000;
/** After this long it is tried again. */
const RELIEF_MS = 60_000;

/** What the viewer wants to see. */
export interface Wish {
  /** Height of the picture's place on the screen, in its own pixels. */
  readonly height: number;
  /** The rung that was insisted on. */
  readonly rung: string | null;
}

/** Which rung to ask for: what was insisted on, else what the screen has room for and the decoder can follow. */
export class Ladder {
  #overloads: number[] = [];
  #relief: { height: number; until: number } | null = null;

  /** The best rung to ask for, out of those that can be decoded, which come best first. */
  ceiling<R extends Rung>(rungs: readonly R[], { height, rung }: Wish, now: number): R | null {
    const insisted = rungs.find(({ id }) => id === rung);
    if (insisted) return insisted;
    const below = this.#relief && now < this.#relief.until ? this.#relief.height : Infinity;
    return rungs.find((candidate) => candidate.height <= height * ROOM && candidate.height < below) ?? rungs.at(-1) ?? null;
  }

  /** The decoder fell behind on `rung`. True if another rung is to be asked for. */
  overloaded(rung: Rung, now: number): boolean {
    this.#overloads = [...this.#overloads.filter((at) => now - at < OVERLOAD_WINDOW_MS), now];
    if (this.#overloads.length < OVERLOADS) return false;
    this.#overloads = [];
    this.relieve(rung, now);
    return true;
  }

  /** Keeps below `rung` for a while. */
  relieve({ height }: Rung, now: number): void {
    this.#relief = { height, until: now + RELIEF_MS };
  }
}
