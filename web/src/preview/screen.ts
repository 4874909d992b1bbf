/** A decoded picture that waits for its time. Times are in milliseconds. */
export interface Picture {
  readonly frame: VideoFrame;
  readonly track: string;
  readonly mediaTime: number;
  /** When it was captured, by the server's clock; 0 if unknown. */
  readonly capturedAt: number;
  /** It is shown at once, on the way from the cached key frame to now. */
  readonly hurried: boolean;
}

/** The picture on the screen. */
export interface Shown {
  readonly track: string;
  readonly mediaTime: number;
  readonly capturedAt: number;
  /** Milliseconds since the Unix epoch, by this machine's clock. */
  readonly drawnAt: number;
}

/** Pictures hold memory of the decoder, of which there is little: rather than more of them, the oldest is shown early. */
const MOST = 16;
/** A picture that is due before the middle of the next refresh is drawn in this one. */
const EARLY_MS = 8;
/** An encoder that died takes back a part of a segment; what goes back further goes by another clock. */
const OTHER_CLOCK_MS = 10_000;
/** A hidden page is not refreshed. */
const HIDDEN_MS = 250;

/** Shows each picture when it is due, and the newest one if several are. */
export class Screen {
  readonly #context: OffscreenCanvasRenderingContext2D;
  #waiting: Picture[] = [];
  #ticking = false;
  #refreshedAt = performance.now();
  shown: Shown | null = null;
  drawn = 0;
  /** Pictures that were not shown, because a newer one was due. */
  dropped = 0;
  /** While it stands, what comes is not shown. */
  standing = false;

  /** @param due when, on the clock of `performance.now()`, a media time is due */
  constructor(private readonly canvas: OffscreenCanvas, private readonly due: (mediaTime: number) => number) {
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('no canvas to draw on');
    this.#context = context;
  }

  /** The newest picture that there is, in media time. */
  get newest(): number {
    return this.#waiting.at(-1)?.mediaTime ?? this.shown?.mediaTime ?? -Infinity;
  }

  add(picture: Picture): void {
    // After a change of the rung or of the encoder, some come a second time.
    const behind = this.newest - picture.mediaTime;
    if (this.standing || (behind >= 0 && behind < OTHER_CLOCK_MS)) return picture.frame.close();
    this.#waiting.push(picture);
    if (this.#waiting.length > MOST) this.#draw(this.#waiting.shift()!);
    if (performance.now() - this.#refreshedAt > HIDDEN_MS || this.shown === null) this.#refresh();
    if (!this.#ticking) this.#tick();
  }

  /** Leaves the picture on the screen, and forgets those that wait. */
  clear(): void {
    for (const { frame } of this.#waiting.splice(0)) frame.close();
  }

  #tick(): void {
    this.#ticking = true;
    requestAnimationFrame(() => {
      this.#ticking = false;
      this.#refresh();
      if (this.#waiting.length > 0) this.#tick();
    });
  }

  #refresh(): void {
    const now = performance.now();
    this.#refreshedAt = now;
    const due = this.#waiting.findLastIndex(({ mediaTime, hurried }) => hurried || this.due(mediaTime) <= now + EARLY_MS);
    if (due < 0) return;
    this.#drop(due);
    this.#draw(this.#waiting.shift()!);
  }

  #draw({ frame, track, mediaTime, capturedAt }: Picture): void {
    const { canvas } = this;
    const [width, height] = [frame.displayWidth, frame.displayHeight];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    this.#context.drawImage(frame, 0, 0, width, height);
    frame.close();
    this.shown = { track, mediaTime, capturedAt, drawnAt: Date.now() };
    this.drawn++;
  }

  #drop(count: number): void {
    for (const { frame, hurried } of this.#waiting.splice(0, count)) {
      frame.close();
      if (!hurried) this.dropped++;
    }
  }
}
