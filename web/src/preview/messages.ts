import type { Wish } from './ladder';
import type { Shown } from './screen';
import type { Progress } from './viewing';

/** What the page tells the worker. */
export type ToWorker =
  | { tell: 'start'; url: string; wish: Wish; canvas: OffscreenCanvas; sound: MessagePort }
  | { tell: 'want'; wish: Wish }
  | { tell: 'pause' }
  | { tell: 'resume' }
  /** How long sound takes from the worklet to the ear, in milliseconds; `null` while nothing is heard. */
  | { tell: 'sound-path'; millis: number | null };

/** What the worker tells the page. */
export type FromWorker = { tell: 'progress'; progress: Progress } | { tell: 'report'; report: Report };

/** How the picture is, several times a second. Times are in milliseconds. */
export interface Report {
  readonly shown: Shown | null;
  /** What is decoded ahead of it. */
  readonly ahead: number;
  /** What is waited for on top of the fastest picture. */
  readonly jitter: number;
  readonly drawn: number;
  readonly dropped: number;
  /** Frames that were not decoded, because the decoder was behind. */
  readonly skipped: number;
}

/** What the worklet is told: by the worker, sound and how long after its media time it shall be heard. */
export type ToWorklet =
  | { tell: 'port'; port: MessagePort }
  | { tell: 'samples'; at: number; rate: number; channels: Float32Array<ArrayBuffer>[]; delay: number }
  | { tell: 'silence' }
  /** When, on the clock of `wallNow`, is heard what is rendered at second 0 of the audio context. */
  | { tell: 'clock'; zero: number };

/** Milliseconds since the Unix epoch on a clock that only runs forward, and is the same in the page and its workers. */
export const wallNow = (): number => performance.timeOrigin + performance.now();
