import type { Medium, VideoMedium } from '../medium';
import type { Route } from '../route';

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
  /** Of the WebSocket, which only live channels have. */
  readonly socket: string;
  readonly live: boolean;
}

/** What a player needs from the page. */
export interface Host {
  readonly medium: VideoMedium;
  readonly presentation: Presentation;
  /** The source's clock, in milliseconds since the Unix epoch. */
  now(): number;
  /** To be called once, when the player gives up; it is then destroyed. */
  failed(why: string): void;
}

/** How a player does that keeps hardly any buffer. */
export interface Insight {
  /** Milliseconds that pictures wait for those that come later; `null` where it is not this player that decides. */
  readonly jitter: number | null;
  /** Frames left out, because the line or the decoder was too slow for them. */
  readonly skips: number;
  /** When the connection was opened, in milliseconds since the Unix epoch; 0 before. */
  readonly openedAt: number;
  /** Something for the viewer to read now. */
  readonly note: string | null;
}

/** A player at work. All of it is asked for, nothing is pushed: the page draws four times a second. */
export interface Player {
  readonly name: string;
  /** What it plays on. */
  readonly medium: Medium;
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
  /** What only a player without segments can tell. */
  insight?(): Insight;
  destroy(): void;
}

/** The players by the name in the URL. `native` is the browser's own HLS. */
export type PlayerKind = 'hls' | 'dash' | 'preview' | 'native';

/** What a viewer reads on the button. */
export const PLAYER_NAMES: Record<PlayerKind, string> = { hls: 'hls.js', dash: 'dash.js', preview: 'Preview', native: 'Browser' };

/** The players that can work in this browser on such a presentation, best first. */
export function playerKinds(kind: Route['kind']): PlayerKind[] {
  const mediaSource = 'MediaSource' in window || 'ManagedMediaSource' in window;
  const hls = document.createElement('video').canPlayType('application/vnd.apple.mpegurl') !== '';
  const preview = kind === 'live' && (mediaSource || hasWebCodecs());
  return [...(mediaSource ? ['hls', 'dash'] as const : []), ...(preview ? ['preview'] as const : []), ...(hls || !mediaSource ? ['native'] as const : [])];
}

/** Whether frames can be decoded and drawn away from the page's thread. WebCodecs and AudioWorklet exist on https and localhost only. */
export const hasWebCodecs = (): boolean =>
  'VideoDecoder' in window && 'AudioDecoder' in window && 'AudioWorkletNode' in window && 'transferControlToOffscreen' in HTMLCanvasElement.prototype;

/** Loads a player's code. */
export async function loadPlayer({ player, decode }: Route): Promise<new (host: Host) => Player> {
  switch (player) {
    case 'hls': return (await import('./hls')).HlsPlayer;
    case 'dash': return (await import('./dash')).DashPlayer;
    case 'preview': return (await import('../preview/preview')).previewPlayer(decode);
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
