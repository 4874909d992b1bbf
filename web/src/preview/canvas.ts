import type { Host, Insight, Player, Rung } from '../players/player';
import { CanvasMedium } from './canvas-medium';
import type { FromWorker, Report, ToWorker } from './messages';
import { noteNow } from './saying';
import { Sound } from './sound';
import type { Progress } from './viewing';

/** How often the size of the picture's place is looked at, which changes with the window and in full screen. */
const WISH_MS = 1000;
const SAMPLE_RATE = 48_000;
/** A picture older than this stands still, and gets older. */
const STILL_MS = 500;

/** The preview through WebCodecs: this is the page's side, the work is done in a worker and a worklet. */
export class CanvasPreview implements Player {
  /** True once a channel was met whose codecs this browser's decoders do not know. */
  static undecodable = false;
  readonly name = 'preview (WebCodecs)';
  readonly medium: CanvasMedium;
  readonly #worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'preview' });
  readonly #sound = new Sound(SAMPLE_RATE, (millis) => this.#tell({ tell: 'sound-path', millis }));
  readonly #timer = setInterval(() => this.#want(), WISH_MS);
  #chosen: string | null = null;
  #progress: Progress | null = null;
  #report: Report | null = null;

  constructor(private readonly host: Host) {
    this.medium = new CanvasMedium(this.#sound, (tell) => this.#tell({ tell }));
    const { element: canvas } = this.medium;
    const { element: video } = host.medium;
    video.before(canvas);
    video.hidden = true;
    this.medium.muted = host.medium.muted;
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#told(data);
    this.#worker.onerror = ({ message }) => host.failed(message);
    const [offscreen, sound] = [canvas.transferControlToOffscreen(), this.#sound.port];
    const start: ToWorker = { tell: 'start', url: host.presentation.socket, wish: this.#wish(), canvas: offscreen, sound };
    this.#tell(start, [offscreen, sound]);
  }

  rungs(): readonly Rung[] {
    return this.#progress?.rungs ?? [];
  }

  shown(): Rung | null {
    return this.#rung(this.#report?.shown?.track ?? null);
  }

  chosen(): Rung | null {
    return this.#rung(this.#chosen);
  }

  choose(rung: Rung | null): void {
    this.#chosen = rung?.id ?? null;
    this.#want();
  }

  /** Up to the drawing of the picture; the screen comes on top. */
  latency(): number | null {
    const shown = this.#report?.shown;
    if (!shown?.capturedAt) return null;
    const now = Date.now();
    const seenAt = now - shown.drawnAt > STILL_MS ? now : shown.drawnAt;
    return (seenAt + this.host.now() - now - shown.capturedAt) / 1000;
  }

  seekToEdge(): void {}

  insight(): Insight {
    return {
      jitter: this.#report?.jitter ?? null,
      skips: (this.#progress?.skipped ?? 0) + (this.#report?.skipped ?? 0),
      openedAt: this.#progress?.openedAt ?? 0,
      note: this.#progress && noteNow(this.#progress),
    };
  }

  destroy(): void {
    clearInterval(this.#timer);
    this.#worker.terminate();
    this.#sound.close();
    this.medium.element.remove();
    this.host.medium.element.hidden = false;
  }

  #rung(id: string | null): Rung | null {
    return this.rungs().find((rung) => rung.id === id) ?? null;
  }

  #wish() {
    return { height: this.medium.element.clientHeight * devicePixelRatio, rung: this.#chosen };
  }

  #want(): void {
    this.#tell({ tell: 'want', wish: this.#wish() });
  }

  #tell(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #told(message: FromWorker): void {
    if (message.tell === 'report') {
      this.#report = message.report;
      return this.medium.update(message.report);
    }
    this.#progress = message.progress;
    this.medium.ended = message.progress.state === 'ended' && !message.progress.connected;
    if (!message.progress.undecodable) return;
    CanvasPreview.undecodable = true;
    this.host.failed('WebCodecs does not know the codecs of this channel');
  }
}
