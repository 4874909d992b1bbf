/** A frame that comes within this share of its duration after the one before waited somewhere. */
const BURST_SHARE = 0.5;
/** The cache is behind us when over so many frames the lateness has not fallen by half a frame. */
const LEVEL_FRAMES = 5;

/**
 * Tells frames that come as they are made from those that come at once: the cached GOP of a late joiner, or what waited
 * for a slow line. The former say nothing about the line, and neither says anything about the decoder.
 */
export class Pace {
  /** True while what comes is out of the server's cache. */
  opening = true;
  /** True when the last frame came right behind the one before. */
  bursting = true;
  #at = -Infinity;
  #lateness: number[] = [];

  /** What comes next comes out of the server's cache. */
  restart(): void {
    this.opening = true;
    this.#lateness = [];
  }

  /** A frame of `mediaTime` has arrived at `at`; all in milliseconds. */
  arrived(mediaTime: number, at: number, duration: number): void {
    this.#lateness = [...this.#lateness, at - mediaTime].slice(-LEVEL_FRAMES);
    const level = this.#lateness.length === LEVEL_FRAMES && this.#lateness[0]! - this.#lateness.at(-1)! < duration / 2;
    if (level) this.opening = false;
    this.bursting = this.opening || at - this.#at < duration * BURST_SHARE;
    this.#at = at;
  }
}
