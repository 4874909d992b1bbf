/** The last seconds of sound, by the number of the sample on the media timeline. */
export class Ring {
  readonly #channels: Float32Array[];
  /** Samples are counted from here, as a double has no room for today's number and a fraction. */
  #origin: number | null = null;
  #end = 0;

  constructor(private readonly length: number, channels: number) {
    this.#channels = Array.from({ length: channels }, () => new Float32Array(length));
  }

  clear(): void {
    this.#origin = null;
    this.#end = 0;
  }

  /** Position of a media time in samples, which may have a fraction; `null` while there is nothing. */
  position(sample: number): number | null {
    return this.#origin === null ? null : sample - this.#origin;
  }

  /** Whether there is sound at this position and the next. */
  holds(position: number): boolean {
    return position >= Math.max(0, this.#end - this.length) && position + 1 < this.#end;
  }

  /** Puts in sound from sample `at` on. What is missing before it is silence. A mono sound is heard from both sides. */
  write(at: number, sound: readonly Float32Array[]): void {
    if (this.#origin === null || Math.abs(at - this.#origin - this.#end) > this.length) {
      this.#origin = at;
      this.#end = 0;
    }
    const start = at - this.#origin;
    const count = sound[0]?.length ?? 0;
    this.#channels.forEach((ring, channel) => {
      const samples = sound[Math.min(channel, sound.length - 1)];
      for (let i = this.#end; i < start; i++) ring[i % this.length] = 0;
      for (let i = Math.max(0, -start); i < count; i++) ring[(start + i) % this.length] = samples?.[i] ?? 0;
    });
    this.#end = Math.max(this.#end, start + count);
  }

  /** Sound between two samples. */
  read(channel: number, position: number): number {
    const ring = this.#channels[channel];
    if (!ring) return 0;
    const index = Math.floor(position);
    const [a = 0, b = 0] = [ring[index % this.length], ring[(index + 1) % this.length]];
    return a + (b - a) * (position - index);
  }
}
