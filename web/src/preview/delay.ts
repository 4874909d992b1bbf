/** The least that pictures wait for those that come later than others, in milliseconds. */
export const FLOOR_MS = 50;
/** Nobody waits longer than this on top of the floor: decoded pictures hold memory, of which decoders have little. */
const CEILING_MS = 400;
const WINDOW_MS = 10_000;
/** Of a hundred, as many may come too late. */
const LATE_SHARE = 0.05;
const MARGIN_MS = 5;
/** Sound that is not there in time is heard as a click at once, while a late picture is hardly seen. */
const SOUND_MARGIN_MS = 12;
/** What a picture takes from its drawing to the glass: one or two refreshes. Sound is to be heard as much later. */
const SCREEN_MS = 25;
const REVIEW_MS = 200;
/** How fast the delay follows, per millisecond: up while pictures are missing, down so that nobody notices. */
const RISE = 0.2;
const FALL = 0.015;
/** So much too late, after a line was slow for a while, nobody wants to wait for that: it leaps. */
const LEAP_MS = 300;
/** Until there are as many samples, in a second, the delay does not glide but leaps: nobody has got used to it yet. */
const SETTLED = 80;

/**
 * How long after its media time each picture is shown and each sound is heard, in milliseconds: the jitter buffer.
 *
 * Fed with how late each sample was ready, against its media time on a clock that has any offset. The delay stands
 * `FLOOR_MS` above the earliest picture of the last ten seconds, and higher where a twentieth of them came later than
 * that; it never falls below what sound needs, so that both can keep to one clock.
 */
export class Delay {
  readonly #video = new Lateness();
  readonly #audio = new Lateness();
  #sound: number | null = null;
  #current: number | null = null;
  #goal: number | null = null;
  #reviewedAt = -Infinity;

  /** A sample of `mediaTime` was decoded at `at`. */
  ready(kind: 'video' | 'audio', mediaTime: number, at: number): void {
    (kind === 'video' ? this.#video : this.#audio).add(at - mediaTime, at);
    this.#review(at);
  }

  /** How long sound takes from here to the ear; `null` while nothing is heard. */
  set soundPath(millis: number | null) {
    this.#sound = millis;
  }

  /** When what has this media time is due; at once while nothing is known. */
  due(mediaTime: number): number {
    return this.#current === null ? -Infinity : mediaTime + this.#current;
  }

  /** How long after its media time sound is to be heard, in milliseconds; `null` until known. */
  get sound(): number | null {
    return this.#current === null ? null : this.#current + SCREEN_MS;
  }

  /** What is waited for on top of the fastest picture, in milliseconds. */
  get target(): number {
    const least = this.#video.least ?? this.#audio.least;
    return least === null || this.#goal === null ? FLOOR_MS : this.#goal - least;
  }

  #review(at: number): void {
    const elapsed = at - this.#reviewedAt;
    const settled = this.#current !== null && this.#video.count + this.#audio.count >= SETTLED;
    if (settled && elapsed < REVIEW_MS) return;
    this.#reviewedAt = at;
    this.#video.prune(at);
    this.#audio.prune(at);
    const goal = this.#goalNow();
    if (goal === null) return;
    this.#goal = goal;
    const step = Math.min(elapsed, 1000);
    const current = this.#current ?? goal;
    const glides = settled && current - goal < LEAP_MS;
    this.#current = glides ? Math.min(Math.max(goal, current - FALL * step), current + RISE * step) : goal;
  }

  #goalNow(): number | null {
    const least = this.#video.least ?? this.#audio.least;
    if (least === null) return null;
    const wishes = [least + FLOOR_MS];
    if (this.#video.late !== null) wishes.push(this.#video.late + MARGIN_MS);
    if (this.#audio.late !== null && this.#sound !== null) wishes.push(this.#audio.late + this.#sound + SOUND_MARGIN_MS - SCREEN_MS);
    return Math.min(Math.max(...wishes), least + CEILING_MS);
  }
}

/** How late the samples of the last ten seconds were. */
class Lateness {
  #samples: { at: number; by: number }[] = [];
  /** Of the earliest one. */
  least: number | null = null;
  /** Of the latest one, but for a few. */
  late: number | null = null;

  get count(): number {
    return this.#samples.length;
  }

  add(by: number, at: number): void {
    this.#samples.push({ at, by });
  }

  prune(now: number): void {
    this.#samples = this.#samples.filter(({ at }) => now - at < WINDOW_MS);
    const sorted = this.#samples.map(({ by }) => by).sort((a, b) => a - b);
    // Where nothing came for ten seconds, what was known before is still the best guess.
    if (sorted.length === 0) return;
    this.least = sorted[0]!;
    this.late = sorted[Math.ceil(sorted.length * (1 - LATE_SHARE)) - 1]!;
  }
}
