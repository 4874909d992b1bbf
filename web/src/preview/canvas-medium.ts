import { make } from '../dom';
import type { Medium } from '../medium';
import type { Report } from './messages';
import type { Sound } from './sound';

/** The canvas and the sound of the preview. Live and nothing else: there is nowhere to go to in it. */
export class CanvasMedium implements Medium {
  readonly element = make('canvas', { role: 'img', 'aria-label': 'Live picture' });
  readonly seeking = false;
  readonly seekable = null;
  readonly duration = Infinity;
  readonly rate = 1;
  paused = false;
  ended = false;
  #report: Report | null = null;
  readonly #ready = new EventTarget();

  constructor(private readonly sound: Sound, private readonly asked: (what: 'pause' | 'resume') => void) {}

  get ready(): boolean { return this.#report?.shown != null; }
  get muted(): boolean { return this.sound.muted; }
  set muted(muted: boolean) { this.sound.muted = muted; }
  get currentTime(): number { return (this.#report?.shown?.mediaTime ?? 0) / 1000; }
  get buffer(): number { return (this.#report?.ahead ?? 0) / 1000; }

  get frames(): { dropped: number; total: number } {
    const { dropped = 0, drawn = 0 } = this.#report ?? {};
    return { dropped, total: drawn + dropped };
  }

  /** The worker tells how the picture is. */
  update(report: Report): void {
    const before = this.ready;
    this.#report = report;
    if (!before && this.ready) this.#ready.dispatchEvent(new Event('ready'));
  }

  async play(): Promise<void> {
    if (!this.paused) return;
    this.paused = false;
    this.asked('resume');
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.asked('pause');
  }

  seek(): void {}

  onReady(callback: () => void, signal: AbortSignal): void {
    this.#ready.addEventListener('ready', callback, { signal });
  }
}
