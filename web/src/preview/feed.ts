/** What is kept behind the playhead, in seconds, and how much more there is before it is removed. */
const KEPT_S = 10;
const SLACK_S = 10;

/** Feeds one SourceBuffer, which takes one thing after another. */
export class Feed {
  #jobs: (() => void)[] = [];
  #pending: Uint8Array<ArrayBuffer>[] = [];
  #type: string;

  constructor(private readonly buffer: SourceBuffer, type: string, private readonly failed: (why: string) => void) {
    this.#type = type;
    buffer.mode = 'segments';
    buffer.addEventListener('updateend', () => this.#next());
    buffer.addEventListener('error', () => failed('a SourceBuffer refuses what it was fed'));
  }

  /** Whether everything is in. */
  get idle(): boolean {
    return !this.buffer.updating && this.#jobs.length === 0 && this.#pending.length === 0;
  }

  /** An init segment, and the type of what follows it. */
  begin(init: Uint8Array<ArrayBuffer>, type: string): void {
    this.#flush();
    if (type !== this.#type) this.#jobs.push(() => { this.buffer.changeType(type); this.#next(); });
    this.#type = type;
    this.#jobs.push(() => this.buffer.appendBuffer(init));
    this.#next();
  }

  append(chunk: Uint8Array<ArrayBuffer>): void {
    this.#pending.push(chunk);
    this.#next();
  }

  /** Forgets what was played long ago. */
  trim(playhead: number): void {
    const { buffered } = this.buffer;
    if (buffered.length === 0 || buffered.start(0) > playhead - KEPT_S - SLACK_S) return;
    this.#jobs.push(() => this.buffer.remove(0, playhead - KEPT_S));
    this.#next();
  }

  /** What has come while the buffer was busy goes in at once. */
  #flush(): void {
    const chunks = this.#pending.splice(0);
    if (chunks.length === 0) return;
    const all = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0));
    chunks.reduce((at, chunk) => (all.set(chunk, at), at + chunk.length), 0);
    this.#jobs.push(() => this.buffer.appendBuffer(all));
  }

  #next(): void {
    if (this.buffer.updating) return;
    if (this.#jobs.length === 0) this.#flush();
    try {
      this.#jobs.shift()?.();
    } catch (error) {
      this.failed(String(error));
    }
  }
}
