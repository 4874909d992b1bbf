import { serverUrl } from './api';
import type { Medium, VideoMedium } from './medium';
import { loadPlayer, type Player, type Presentation } from './players/player';
import type { Route } from './route';
import { StallMeter } from './stall';

/** What a session is doing. */
export type Phase = 'loading' | 'playing' | 'paused' | 'stalled' | 'reconnecting' | 'ended';

const LONGEST_PAUSE_MS = 5000;

/** Where a route's presentation lies. */
export function presentationOf({ kind, name }: Route): Presentation {
  const base = `${kind}/${encodeURIComponent(name)}`;
  const socket = serverUrl(`${base}/ws`).replace(/^http/, 'ws');
  return { hls: serverUrl(`${base}/index.m3u8`), dash: serverUrl(`${base}/manifest.mpd`), socket, live: kind === 'live' };
}

/** One viewing of one presentation with one player. It starts the player afresh for as long as it takes. */
export class Session {
  readonly presentation: Presentation;
  readonly stalls = new StallMeter();
  player: Player | null = null;
  #attempts = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #begun = false;
  /** Ends with the player, which may have a medium of its own. */
  #attempt = new AbortController();
  readonly #over = new AbortController();

  constructor(readonly route: Route, private readonly video: VideoMedium, private readonly now: () => number) {
    this.presentation = presentationOf(route);
    void this.#start();
  }

  get medium(): Medium {
    return this.player?.medium ?? this.video;
  }

  get phase(): Phase {
    if (!this.player && this.#attempts > 0) return 'reconnecting';
    if (!this.stalls.started) return 'loading';
    if (this.medium.ended) return 'ended';
    if (this.medium.paused) return 'paused';
    return this.stalls.stalled ? 'stalled' : 'playing';
  }

  /** To be called a few times a second. */
  sample(): void {
    this.stalls.sample(this.medium, performance.now());
    if (this.phase === 'playing') this.#attempts = 0;
  }

  /** Ends the viewing. */
  stop(): void {
    this.#over.abort();
    clearTimeout(this.#retry);
    this.#end();
  }

  async #start(): Promise<void> {
    try {
      const Player = await loadPlayer(this.route);
      if (this.#over.signal.aborted) return;
      const { video: medium, presentation, now } = this;
      this.#begun = false;
      this.#attempt = new AbortController();
      this.player = new Player({ medium, presentation, now, failed: (why) => this.#failed(why) });
      this.player.medium.onReady(() => this.#begin(), this.#attempt.signal);
    } catch (error) {
      this.#failed(String(error));
    }
  }

  /** Plays once there is something to show; not earlier, because dash.js then does not renew its manifest. */
  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    void play(this.medium);
  }

  #failed(why: string): void {
    if (this.#over.signal.aborted) return;
    console.warn(`${this.route.player}: ${why}`);
    this.#end();
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#start(), Math.min(500 * 2 ** this.#attempts++, LONGEST_PAUSE_MS));
  }

  #end(): void {
    this.#attempt.abort();
    this.player?.destroy();
    this.player = null;
  }
}

/** Plays with sound, or without where the browser wants a touch first. */
async function play(medium: Medium): Promise<void> {
  try {
    await medium.play();
  } catch (error) {
    if (!(error instanceof DOMException) || error.name !== 'NotAllowedError') return;
    medium.muted = true;
    await medium.play().catch(() => {});
  }
}
