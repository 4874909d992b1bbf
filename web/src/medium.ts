/** Seconds on the media timeline. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What is looked at and listened to: a <video>, or the canvas of the preview. */
export interface Medium {
  readonly element: HTMLElement;
  readonly paused: boolean;
  readonly ended: boolean;
  readonly seeking: boolean;
  /** True while there is something to show after what is shown. */
  readonly ready: boolean;
  /** Setting it to false may have no effect until the browser has seen a gesture. */
  muted: boolean;
  /** Seconds on the media timeline. */
  readonly currentTime: number;
  /** Where it can be sent to; `null` for nowhere. */
  readonly seekable: Range | null;
  /** Seconds; infinite or NaN where there is no end. */
  readonly duration: number;
  /** Seconds of media ahead of the picture. */
  readonly buffer: number;
  /** How fast it plays, 1 for as it is. */
  readonly rate: number;
  readonly frames: { readonly dropped: number; readonly total: number };
  /** Rejects with NotAllowedError where the browser wants a gesture first. */
  play(): Promise<void>;
  pause(): void;
  seek(to: number): void;
  /** Calls back whenever it has become ready, until `signal` is aborted. */
  onReady(callback: () => void, signal: AbortSignal): void;
}

/** A <video>, whoever feeds it. */
export class VideoMedium implements Medium {
  constructor(readonly element: HTMLVideoElement) {}

  get paused(): boolean { return this.element.paused; }
  get ended(): boolean { return this.element.ended; }
  get seeking(): boolean { return this.element.seeking; }
  get ready(): boolean { return this.element.readyState > HTMLMediaElement.HAVE_CURRENT_DATA; }
  get muted(): boolean { return this.element.muted; }
  set muted(muted: boolean) { this.element.muted = muted; }
  get currentTime(): number { return this.element.currentTime; }
  get duration(): number { return this.element.duration; }
  get rate(): number { return this.element.playbackRate; }

  get seekable(): Range | null {
    const { seekable } = this.element;
    return seekable.length ? { start: seekable.start(0), end: seekable.end(seekable.length - 1) } : null;
  }

  get buffer(): number {
    const { buffered, currentTime } = this.element;
    for (let i = 0; i < buffered.length; i++) {
      if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) return buffered.end(i) - currentTime;
    }
    return 0;
  }

  get frames(): { dropped: number; total: number } {
    const { droppedVideoFrames: dropped, totalVideoFrames: total } = this.element.getVideoPlaybackQuality();
    return { dropped, total };
  }

  play(): Promise<void> {
    return this.element.play();
  }

  pause(): void {
    this.element.pause();
  }

  seek(to: number): void {
    this.element.currentTime = to;
  }

  onReady(callback: () => void, signal: AbortSignal): void {
    this.element.addEventListener('canplay', callback, { signal });
  }
}
