import type { Medium } from './medium';

/** The clock standing for longer than this, in milliseconds, is a stall. */
const STALL_MS = 500;

/** Counts the times that a medium should have played and did not. */
export class StallMeter {
  /** Stalls so far. */
  count = 0;
  /** True while the clock stands. */
  stalled = false;
  /** True once the clock has moved. */
  started = false;
  #last = 0;
  #movedAt = 0;

  /** To be called a few times a second with the machine's monotonic clock, in milliseconds. */
  sample(medium: Medium, now: number): void {
    const moved = medium.currentTime !== this.#last;
    this.started ||= moved && medium.ready && !medium.paused;
    this.#last = medium.currentTime;
    if (moved || medium.paused || medium.ended || medium.seeking) this.#movedAt = now;
    const stalled = this.started && now - this.#movedAt > STALL_MS;
    if (stalled && !this.stalled) this.count++;
    this.stalled = stalled;
  }
}
