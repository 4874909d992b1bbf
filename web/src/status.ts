import type { Rung } from './players/player';
import type { Phase, Session } from './session';

/**
 * The page's status interface, `window.headwater`: for tests, for support, and for whoever embeds the page. Everything is
 * read when it is asked for; nothing but `switchTo` changes anything.
 */
export interface Status {
  /** Name and version of the player, `null` while there is none. */
  readonly player: string | null;
  /** What the viewing is doing; `idle` when nothing was chosen. */
  readonly state: Phase | 'idle';
  /** Seconds on the media timeline. */
  readonly currentTime: number;
  /** Times that the picture stood for more than half a second. */
  readonly stalls: number;
  /** The rung on the screen. */
  readonly rung: Rung | null;
  /** All rungs, best first. */
  readonly rungs: readonly Rung[];
  /** True while the player chooses the rung. */
  readonly auto: boolean;
  /** Seconds of media ahead of the picture. */
  readonly buffer: number;
  /** Seconds between an event and its picture; `null` when unknown or not live. */
  readonly latency: number | null;
  /** Frames that came too late to be shown. */
  readonly droppedFrames: number;
  /** Milliseconds that the preview lets pictures wait for those that come later; `null` in other players. */
  readonly jitter: number | null;
  /** Frames that the preview left out, because the line or the decoder was too slow for them. */
  readonly skips: number;
  /** When the preview's connection was opened, in milliseconds since the Unix epoch; 0 before. */
  readonly openedAt: number;
  /** What the preview has for the viewer to read now. */
  readonly note: string | null;
  /** Insists on the rung at this index of `rungs`; `'auto'` lets the player choose. */
  switchTo(rung: number | 'auto'): void;
}

declare global {
  interface Window {
    readonly headwater: Status;
  }
}

/** Puts the status interface on the window. */
export function publishStatus(session: () => Session | null): void {
  const player = () => session()?.player ?? null;
  const status: Status = {
    get player() { return player()?.name ?? null; },
    get state() { return session()?.phase ?? 'idle'; },
    get currentTime() { return session()?.medium.currentTime ?? 0; },
    get stalls() { return session()?.stalls.count ?? 0; },
    get rung() { return player()?.shown() ?? null; },
    get rungs() { return player()?.rungs() ?? []; },
    get auto() { return player()?.chosen() == null; },
    get buffer() { return session()?.medium.buffer ?? 0; },
    get latency() { return player()?.latency() ?? null; },
    get droppedFrames() { return session()?.medium.frames.dropped ?? 0; },
    get jitter() { return player()?.insight?.().jitter ?? null; },
    get skips() { return player()?.insight?.().skips ?? 0; },
    get openedAt() { return player()?.insight?.().openedAt ?? 0; },
    get note() { return player()?.insight?.().note ?? null; },
    switchTo(rung) {
      player()?.choose(rung === 'auto' ? null : player()?.rungs()[rung] ?? null);
    },
  };
  Object.defineProperty(window, 'headwater', { value: Object.freeze(status) });
}
