import { Audio, type Samples } from './audio';
import { audioConfig, isVideo, millis, type Track, videoConfig } from './catalog';
import { Delay } from './delay';
import { type FromWorker, type ToWorker, type ToWorklet, wallNow } from './messages';
import { Pace } from './pace';
import { type Picture, Screen } from './screen';
import { Video } from './video';
import { type Sink, Viewing } from './viewing';
import type { Chunk, Init, Media } from './wire';

const REPORT_MS = 100;

const post = (message: FromWorker): void => (self as unknown as Worker).postMessage(message);

/** Socket, decoders and screen, away from the page's thread, which has other things to do. */
class Preview implements Sink {
  readonly #delay = new Delay();
  readonly #paces = { video: new Pace(), audio: new Pace() };
  readonly #screen: Screen;
  readonly #video = new Video(this.#paces.video, {
    decoded: (picture) => this.#picture(picture),
    overloaded: () => this.viewing.overloaded(),
  });
  readonly #audio = new Audio((samples) => this.#samples(samples));
  readonly #sound: MessagePort;
  #audible = false;
  readonly viewing: Viewing;

  constructor({ url, wish, canvas, sound }: Extract<ToWorker, { tell: 'start' }>) {
    this.#screen = new Screen(canvas, (mediaTime) => this.#delay.due(mediaTime) - performance.timeOrigin);
    this.#sound = sound;
    this.viewing = new Viewing(url, 'frames', wish, supported, this, (progress) => post({ tell: 'progress', progress }));
    setInterval(() => this.#report(), REPORT_MS);
  }

  restart(): void {
    this.#video.restart();
    this.#paces.audio.restart();
    this.#screen.clear();
  }

  selected(): void {
    // The decoders go over with the first frame of the new track, which is a key frame.
  }

  media(message: Media | Init | Chunk, track: Track): void {
    if (message.type !== 'video' && message.type !== 'audio') return;
    const mediaTime = millis(message.dts + message.cts, track);
    this.#paces[message.type].arrived(mediaTime, wallNow(), millis(message.duration, track));
    if (message.type === 'video') this.#video.decode(message, track);
    else if (this.#audible) this.#audio.decode(message, track);
  }

  pause(): void {
    this.viewing.pause();
    this.#screen.standing = true;
    this.#screen.clear();
    this.#tellWorklet({ tell: 'silence' });
  }

  resume(): void {
    this.#screen.standing = false;
    this.viewing.resume();
  }

  set soundPath(path: number | null) {
    this.#audible = path !== null;
    this.#delay.soundPath = path;
  }

  #picture(picture: Picture): void {
    // Filler comes a part at a time, which says nothing about the line.
    if (!picture.hurried && picture.capturedAt !== 0) this.#delay.ready('video', picture.mediaTime, wallNow());
    this.#screen.add(picture);
  }

  #samples({ at, rate, channels }: Samples): void {
    const mediaTime = (at / rate) * 1000;
    const level = !this.#paces.audio.opening && this.#audio.queued === 0;
    if (level) this.#delay.ready('audio', mediaTime, wallNow());
    const delay = this.#delay.sound;
    if (delay === null) return;
    this.#tellWorklet({ tell: 'samples', at, rate, channels, delay }, channels.map(({ buffer }) => buffer));
  }

  #tellWorklet(message: ToWorklet, transfer: Transferable[] = []): void {
    this.#sound.postMessage(message, transfer);
  }

  #report(): void {
    const { shown, newest, drawn, dropped } = this.#screen;
    const ahead = shown ? newest - shown.mediaTime : 0;
    post({ tell: 'report', report: { shown, ahead, jitter: this.#delay.target, drawn, dropped, skipped: this.#video.skipped } });
  }
}

async function supported(track: Track): Promise<boolean> {
  try {
    const answer = isVideo(track)
      ? await VideoDecoder.isConfigSupported(videoConfig(track))
      : await AudioDecoder.isConfigSupported(audioConfig(track));
    return answer.supported === true;
  } catch {
    return false;
  }
}

let preview: Preview | null = null;

self.addEventListener('message', ({ data }: MessageEvent<ToWorker>) => {
  switch (data.tell) {
    case 'start': preview = new Preview(data); break;
    case 'want': preview?.viewing.want(data.wish); break;
    case 'pause': preview?.pause(); break;
    case 'resume': preview?.resume(); break;
    case 'sound-path': if (preview) preview.soundPath = data.millis; break;
  }
});
