import { millis, type Track, videoConfig } from './catalog';
import type { Pace } from './pace';
import type { Picture } from './screen';
import type { Media } from './wire';

/** More frames than this waiting to be decoded, while they come one by one, and the decoder is behind. */
const MOST_QUEUED = 5;
/** How long it may take to come from the cached key frame to now, in milliseconds. */
const CATCH_UP_MS = 3000;

interface Expected {
  readonly track: string;
  readonly mediaTime: number;
  readonly capturedAt: number;
  readonly hurried: boolean;
}

export interface VideoEvents {
  decoded(picture: Picture): void;
  /** The decoder is behind, and frames are skipped to the next key frame. */
  overloaded(): void;
}

/** Decodes the pictures of one track after another. */
export class Video {
  #decoder: VideoDecoder | null = null;
  #track: Track | null = null;
  #needsKey = true;
  /** True from the cached key frame to now: while those frames come, and until they are decoded. */
  #opening = true;
  #catchingUpSince: number | null = null;
  /** What is being decoded, by timestamp. */
  readonly #expected = new Map<number, Expected>();
  /** Frames that were not decoded, because the decoder was behind. */
  skipped = 0;

  constructor(private readonly pace: Pace, private readonly events: VideoEvents) {}

  /** What was sent until now has no continuation. */
  restart(): void {
    this.#needsKey = true;
    this.#opening = true;
    this.pace.restart();
  }

  decode(media: Media, track: Track): void {
    if (track.name !== this.#track?.name && !media.key) return;
    if (media.key && (track !== this.#track || this.#needsKey || !this.#decoder)) this.#configure(track);
    this.#judge();
    if (this.#needsKey && !media.key) {
      this.skipped++;
      return;
    }
    this.#needsKey = false;
    const mediaTime = millis(media.dts + media.cts, track);
    const timestamp = Math.round(mediaTime * 1000);
    this.#expected.set(timestamp, { track: track.name, mediaTime, capturedAt: media.capturedAt, hurried: this.#opening });
    this.#decoder?.decode(new EncodedVideoChunk({ type: media.key ? 'key' : 'delta', timestamp, data: media.data }));
  }

  close(): void {
    if (this.#decoder?.state !== 'closed') this.#decoder?.close();
    this.#decoder = null;
  }

  /** A decoder that broke is made anew with the next key frame. */
  #configure(track: Track): void {
    if (!this.#decoder || this.#decoder.state === 'closed') {
      this.#decoder = new VideoDecoder({
        output: (frame) => this.#output(frame),
        error: (error) => this.#broken(error),
      });
    } else {
      // Not waited for: what was sent is shown, and the new configuration queues behind it.
      this.#decoder.flush().catch(() => {});
    }
    this.#decoder.configure(videoConfig(track));
    this.#track = track;
  }

  #output(frame: VideoFrame): void {
    const expected = this.#expected.get(frame.timestamp);
    for (const timestamp of this.#expected.keys()) if (timestamp <= frame.timestamp) this.#expected.delete(timestamp);
    if (expected) this.events.decoded({ frame, ...expected });
    else frame.close();
  }

  /** Frames that come one by one must not wait for others. */
  #judge(): void {
    const queued = this.#decoder?.decodeQueueSize ?? 0;
    const now = performance.now();
    if (!this.pace.opening && queued <= 1) this.#opening = false;
    if (this.pace.bursting) this.#catchingUpSince ??= now;
    else if (queued <= MOST_QUEUED) this.#catchingUpSince = null;
    const patient = this.#catchingUpSince !== null && now - this.#catchingUpSince < CATCH_UP_MS;
    if (queued <= MOST_QUEUED || patient || this.#needsKey) return;
    this.#needsKey = true;
    this.events.overloaded();
  }

  #broken(error: DOMException): void {
    console.warn(`preview: ${error.message}`);
    this.#decoder = null;
    this.#expected.clear();
    this.#needsKey = true;
  }
}
