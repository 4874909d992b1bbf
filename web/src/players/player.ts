/** One rung of the ladder. */
export interface Rung {
  readonly id: string;
  /** Pixels. */
  readonly width: number;
  readonly height: number;
  /** Bits per second; 0 when the player does not tell. */
  readonly bitrate: number;
}

/** A presentation that a player can be pointed at. */
export interface Presentation {
  readonly hls: string;
  readonly dash: string;
  readonly live: boolean;
}

/** What a player needs from the page. */
export interface Host {
  readonly video: HTMLVideoElement;
  readonly presentation: Presentation;
  /** The source's clock, in milliseconds since the Unix epoch. */
  now(): number;
  /** To be called once, when the player gives up; it is then destroyed. */
  failed(why: string): void;
}

/** A player at work. All of it is asked for, nothing is pushed: the page draws four times a second. */
export interface Player {
  readonly name: string;
  /** Best first; empty until known. */
  rungs(): readonly Rung[];
  /** The rung on the screen. */
  shown(): Rung | null;
  /** The rung that was insisted on; `null` while the player chooses. */
  chosen(): Rung | null;
  /** Insists on a rung, or lets the player choose again. */
  choose(rung: Rung | null): void;
  /** Seconds between an event and its picture; `null` when unknown or not live. */
  latency(): number | null;
  /** Moves to the newest picture that can be played without waiting. */
  seekToEdge(): void;
  destroy(): void;
}

/** The players by the name in the URL. `native` is the browser's own HLS. */
export type PlayerKind = 'hls' | 'dash' | 'native';

/** What a viewer reads on the button. */
export const PLAYER_NAMES: Record<PlayerKind, string> = { hls: 'hls.js', dash: 'dash.js', native: 'Browser' };

/** The players that can work in this browser, best first. */
export function playerKinds(): PlayerKind[] {
  const mediaSource = 'MediaSource' in window || 'ManagedMediaSource' in window;
  const hls = document.createElement('video').canPlayType('application/vnd.apple.mpegurl') !== '';
  return [...(mediaSource ? ['hls', 'dash'] as const : []), ...(hls || !mediaSource ? ['native'] as const : [])];
}

/** Loads a player's code. */
export async function loadPlayer(kind: PlayerKind): Promise<new (host: Host) => Player> {
  switch (kind) {
    case 'hls': return (await import('./hls')).HlsPlayer;
    case 'dash': return (await import('./dash')).DashPlayer;
    case 'native': return (await import('./native')).NativePlayer;
  }
}

/** Best first. */
export const byQuality = (a: Rung, b: Rung): number => b.height - a.height || b.bitrate - a.bitrate;

/** The end of what can be sought to, a little before it. */
export function edgeOf(video: HTMLVideoElement, distance: number): number {
  const { seekable } = video;
  return seekable.length ? Math.max(seekable.start(0), seekable.end(seekable.length - 1) - distance) : video.currentTime;
}
