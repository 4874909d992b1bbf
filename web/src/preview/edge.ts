/** Seconds that the playhead keeps from the newest sample, and how far that may grow. */
const NEAREST_S = 0.35;
const FARTHEST_S = 2;
const STEP_S = 0.15;
/** How fast it comes nearer again, in seconds per second. */
const APPROACH = 0.005;
/** Within this many seconds of its place it is left alone. */
const TOLERANCE_S = 0.06;
const GAIN = 0.4;
const [SLOWEST, FASTEST] = [0.95, 1.1];
/** So far behind, it leaps. */
const LEAP_S = 1.5;

/** Keeps a playhead close behind what comes in live. */
export class Edge {
  /** Seconds that it keeps from the newest sample. */
  distance = NEAREST_S;

  /** It ran dry. */
  waited(): void {
    this.distance = Math.min(this.distance + STEP_S, FARTHEST_S);
  }

  /** Whether to leap, with so many seconds ahead of the playhead. */
  leaps(ahead: number): boolean {
    return ahead > this.distance + LEAP_S;
  }

  /** How fast to play, with so many seconds ahead of the playhead, `elapsed` seconds after it was asked last. */
  rate(ahead: number, elapsed: number): number {
    this.distance = Math.max(NEAREST_S, this.distance - APPROACH * elapsed);
    const error = ahead - this.distance;
    return Math.abs(error) < TOLERANCE_S ? 1 : Math.min(FASTEST, Math.max(SLOWEST, 1 + error * GAIN));
  }
}
