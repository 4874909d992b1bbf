import { serverUrl } from './api';
import { loadPlayer, type Player, type Presentation } from './players/player';
import type { Route } from './route';
import { StallMeter } from './stall';

/** What a session is doing. */
export type Phase = 'loading' | 'playing' | 'paused' | 'stalled' | 'reconnecting' | 'ended';

const LONGEST_PAUSE_MS = 5000;

/** Where a route's presentation lies. */
export function presentationOf({ kind, name }: Route): Presentation {
  const base = `${kind}/${encodeURIComponent(name)}`;
  return { hls: serverUrl(`${base}/index.m3u8`), dash: serverUrl(`${base}/manifest.mpd`), live: kind === 'live' };
}

/** One viewing of one presentation with one player. It starts the player afresh for as long as it takes. */
export class Session {
  readonly presentation: Presentation;
  readonly stalls = new StallMeter();
  player: Player | null = null;
  #attempts = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #begun = false;
  readonly #over = new AbortController();

  constructor(readonly route: Route, readonly video: HTMLVideoElement, private readonly now: () => number) {
    this.presentation = presentationOf(route);
    video.addEventListener('canplay', () => this.#begin(), { signal: this.#over.signal });
    void this.#start();
  }

  get phase(): Phase {
    if (!this.player && this.#attempts > 0) return 'reconnecting';
    if (!this.stalls.started) return 'loading';
    if (this.video.ended) return 'ended';
    if (this.video.paused) return 'paused';
    return this.stalls.stalled ? 'stalled' : 'playing';
  }

  /** Seconds of media ahead of the picture. */
  get buffer(): number {
    const { buffered, currentTime } = this.video;
    for (let i = 0; i < buffered.length; i++) {
      if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) return buffered.end(i) - currentTime;
    }
    return 0;
  }

  /** To be called a few times a second. */
  sample(): void {
    this.stalls.sample(this.video, performance.now());
    if (this.phase === 'playing') this.#attempts = 0;
  }

  /** Ends the viewing. */
  stop(): void {
    this.#over.abort();
    clearTimeout(this.#retry);
    this.player?.destroy();
    this.player = null;
  }

  async #start(): Promise<void> {
    try {
      const Player = await loadPlayer(this.route.player);
      if (this.#over.signal.aborted) return;
      const { video, presentation, now } = this;
      this.#begun = false;
      this.player = new Player({ video, presentation, now, failed: (why) => this.#failed(why) });
    } catch (error) {
      this.#failed(String(error));
    }
  }

  /** Plays once there is something to show; not earlier, because dash.js then does not renew its manifest. */
  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    void play(this.video);
  }

  #failed(why: string): void {
    if (this.#over.signal.aborted) return;
    console.warn(`${this.route.player}: ${why}`);
    this.player?.destroy();
    this.player = null;
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#start(), Math.min(500 * 2 ** this.#attempts++, LONGEST_PAUSE_MS));
  }
}

/** Plays with sound, or without where the browser wants a touch first. */
async function play(video: HTMLVideoElement): Promise<void> {
  try {
    await video.play();
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
    video.muted = true;
    await video.play().catch(() => {});
  }
}
