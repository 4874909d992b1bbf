import { audioConfig, millis, type Track } from './catalog';
import type { Media } from './wire';

/** Decoded sound: samples of each channel from the `at`-th sample of media time on. */
export interface Samples {
  readonly at: number;
  readonly rate: number;
  readonly channels: Float32Array<ArrayBuffer>[];
}

/** Decodes sound. */
export class Audio {
  #decoder: AudioDecoder | null = null;
  #track: Track | null = null;

  constructor(private readonly decoded: (samples: Samples) => void) {}

  decode(media: Media, track: Track): void {
    if (track.name !== this.#track?.name || this.#decoder?.state !== 'configured') this.#configure(track);
    const timestamp = Math.round(millis(media.dts, track) * 1000);
    this.#decoder?.decode(new EncodedAudioChunk({ type: 'key', timestamp, data: media.data }));
  }

  /** Frames that wait to be decoded. */
  get queued(): number {
    return this.#decoder?.decodeQueueSize ?? 0;
  }

  close(): void {
    if (this.#decoder?.state !== 'closed') this.#decoder?.close();
    this.#decoder = null;
  }

  #configure(track: Track): void {
    this.close();
    this.#track = track;
    this.#decoder = new AudioDecoder({
      output: (data) => this.#output(data),
      error: (error) => console.warn(`preview: ${error.message}`),
    });
    this.#decoder.configure(audioConfig(track));
  }

  #output(data: AudioData): void {
    const channels = Array.from({ length: data.numberOfChannels }, (_, planeIndex) => {
      const samples = new Float32Array(data.numberOfFrames);
      data.copyTo(samples, { planeIndex, format: 'f32-planar' });
      return samples;
    });
    this.decoded({ at: Math.round((data.timestamp / 1e6) * data.sampleRate), rate: data.sampleRate, channels });
    data.close();
  }
}
