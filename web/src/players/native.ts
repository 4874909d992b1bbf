import type { Medium } from '../medium';
import { edgeOf, type Host, type Player, type Rung } from './player';

/** The browser's own HLS player. It chooses rungs by itself and does not tell which there are. */
export class NativePlayer implements Player {
  readonly name = 'Browser';
  readonly medium: Medium;
  readonly #host: Host;
  readonly #stopped = new AbortController();

  constructor(host: Host) {
    this.#host = host;
    this.medium = host.medium;
    const { medium: { element: video }, presentation } = host;
    video.addEventListener('error', () => host.failed(video.error?.message ?? ''), { signal: this.#stopped.signal });
    video.src = presentation.hls;
  }

  rungs(): readonly Rung[] {
    return [];
  }

  shown(): Rung | null {
    const { videoWidth: width, videoHeight: height } = this.#host.medium.element;
    return height ? { id: String(height), width, height, bitrate: 0 } : null;
  }

  chosen(): Rung | null {
    return null;
  }

  choose(): void {}

  latency(): number | null {
    // Safari and Chromium tell the date of media time 0, from PROGRAM-DATE-TIME.
    const { medium: { element: video }, presentation } = this.#host;
    const start = (video as HTMLVideoElement & { getStartDate?: () => Date }).getStartDate?.().getTime();
    return presentation.live && start ? (this.#host.now() - start) / 1000 - video.currentTime : null;
  }

  seekToEdge(): void {
    this.#host.medium.element.currentTime = edgeOf(this.#host.medium.element, 6);
  }

  destroy(): void {
    this.#stopped.abort();
    this.#host.medium.element.removeAttribute('src');
    this.#host.medium.element.load();
  }
}
