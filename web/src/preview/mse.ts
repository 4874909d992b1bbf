import type { Medium } from '../medium';
import type { Host, Insight, Player, Rung } from '../players/player';
import { isVideo, millis, mimeType, rungOf, type Track } from './catalog';
import { Edge } from './edge';
import { Feed } from './feed';
import { decodeTime } from './moof';
import { noteNow } from './saying';
import { type Progress, type Sink, Viewing } from './viewing';
import type { Chunk, Init, Media } from './wire';

const STEP_MS = 100;
/** Samples whose time of capture is remembered: some seconds. */
const REMEMBERED = 300;

interface Sample {
  readonly track: Track;
  /** Seconds on the media timeline. */
  readonly time: number;
  readonly capturedAt: number;
}

/** Safari on phones has only this one. */
const Source: typeof MediaSource = globalThis.MediaSource ?? (globalThis as unknown as { ManagedMediaSource: typeof MediaSource }).ManagedMediaSource;

/** The preview through Media Source Extensions, for browsers without WebCodecs: the same frames, each as a CMAF chunk. */
export class MsePreview implements Player, Sink {
  readonly name = 'preview (MSE)';
  readonly medium: Medium;
  readonly #video: HTMLVideoElement;
  readonly #source = new Source();
  readonly #url = URL.createObjectURL(this.#source);
  readonly #stopped = new AbortController();
  readonly #viewing: Viewing;
  readonly #edge = new Edge();
  readonly #feeds: { video?: Feed; audio?: Feed } = {};
  /** What came before the source was open. */
  #early: (() => void)[] | null = [];
  #samples: Sample[] = [];
  #leap = true;
  #chosen: string | null = null;
  #progress: Progress | null = null;

  constructor(private readonly host: Host) {
    this.medium = host.medium;
    const video = this.#video = host.medium.element;
    const { signal } = this.#stopped;
    video.disableRemotePlayback = true;
    video.src = this.#url;
    this.#source.addEventListener('sourceopen', () => this.#opened(), { signal });
    video.addEventListener('pause', () => this.#viewing.pause(), { signal });
    video.addEventListener('play', () => this.#resume(), { signal });
    video.addEventListener('waiting', () => { if (!video.seeking) this.#edge.waited(); }, { signal });
    video.addEventListener('error', () => host.failed(video.error?.message ?? ''), { signal });
    const supported = (track: Track) => Promise.resolve(Source.isTypeSupported(mimeType(track)));
    this.#viewing = new Viewing(host.presentation.socket, 'cmaf', this.#wish(), supported, this, (progress) => this.#told(progress));
    const timer = setInterval(() => this.#step(), STEP_MS);
    signal.addEventListener('abort', () => clearInterval(timer));
  }

  restart(): void {
    this.#leap = true;
  }

  selected(video: Track | null, audio: Track | null): void {
    // A source takes no further kinds once it plays.
    this.#soon(() => {
      for (const track of [video, audio]) if (track) this.#feed(track);
    });
  }

  media(message: Media | Init | Chunk, track: Track): void {
    if (message.type === 'init') this.#soon(() => this.#feed(track).begin(message.data, mimeType(track)));
    if (message.type !== 'chunk') return;
    const ticks = decodeTime(message.data);
    if (isVideo(track) && ticks !== null) {
      this.#samples = [...this.#samples.slice(-REMEMBERED), { track, time: millis(ticks, track) / 1000, capturedAt: message.capturedAt }];
    }
    this.#soon(() => this.#feed(track).append(message.data));
  }

  rungs(): readonly Rung[] {
    return this.#progress?.rungs ?? [];
  }

  shown(): Rung | null {
    const sample = this.#sample();
    return sample ? rungOf(sample.track) : null;
  }

  chosen(): Rung | null {
    return this.rungs().find(({ id }) => id === this.#chosen) ?? null;
  }

  choose(rung: Rung | null): void {
    this.#chosen = rung?.id ?? null;
    this.#viewing.want(this.#wish());
  }

  latency(): number | null {
    const sample = this.#sample();
    return sample?.capturedAt ? (this.host.now() - sample.capturedAt) / 1000 - (this.#video.currentTime - sample.time) : null;
  }

  seekToEdge(): void {
    const { buffered } = this.#video;
    if (buffered.length > 0) this.#video.currentTime = Math.max(buffered.start(buffered.length - 1), buffered.end(buffered.length - 1) - this.#edge.distance);
  }

  insight(): Insight {
    const { skipped = 0, openedAt = 0 } = this.#progress ?? {};
    return { jitter: null, skips: skipped, openedAt, note: this.#progress && noteNow(this.#progress) };
  }

  destroy(): void {
    this.#stopped.abort();
    this.#viewing.close();
    this.#video.removeAttribute('src');
    this.#video.playbackRate = 1;
    this.#video.load();
    URL.revokeObjectURL(this.#url);
  }

  /** The newest sample that has begun. */
  #sample(): Sample | null {
    const { currentTime } = this.#video;
    return this.#samples.findLast(({ time }) => time <= currentTime) ?? null;
  }

  #wish() {
    return { height: this.#video.clientHeight * devicePixelRatio, rung: this.#chosen };
  }

  #opened(): void {
    this.#source.duration = Infinity;
    const early = this.#early ?? [];
    this.#early = null;
    for (const job of early) job();
  }

  #soon(job: () => void): void {
    if (this.#early) this.#early.push(job);
    else if (this.#source.readyState === 'open') job();
  }

  #feed(track: Track): Feed {
    const type = mimeType(track);
    return this.#feeds[isVideo(track) ? 'video' : 'audio'] ??= new Feed(this.#source.addSourceBuffer(type), type, (why) => this.host.failed(why));
  }

  #resume(): void {
    if (this.#progress?.connected) this.#viewing.resume();
  }

  #told(progress: Progress): void {
    this.#progress = progress;
    if (progress.undecodable) return this.host.failed('the browser does not know the codecs of this channel');
    if (progress.state === 'ended' && !progress.connected && this.#source.readyState === 'open') this.#soon(() => this.#end());
  }

  #end(): void {
    if (Object.values(this.#feeds).every(({ idle }) => idle)) this.#source.endOfStream();
  }

  /** Keeps the playhead where it should be. */
  #step(): void {
    const { buffered, currentTime, paused } = this.#video;
    this.#viewing.want(this.#wish());
    if (buffered.length === 0) return;
    const [start, end] = [buffered.start(buffered.length - 1), buffered.end(buffered.length - 1)];
    const ahead = end - currentTime;
    // Behind a gap there is nothing to come to by playing.
    const outside = currentTime < start && this.medium.buffer < 0.05;
    if (outside || (this.#leap && ahead > this.#edge.distance) || this.#edge.leaps(ahead)) this.seekToEdge();
    this.#leap = false;
    if (!paused) this.#video.playbackRate = this.#edge.rate(ahead, STEP_MS / 1000);
    for (const feed of Object.values(this.#feeds)) feed.trim(currentTime);
  }
}
