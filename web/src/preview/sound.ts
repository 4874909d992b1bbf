import workletUrl from './worklet.ts?worker&url';
import { type ToWorklet, wallNow } from './messages';

const CLOCK_MS = 200;
/** Where the browser does not tell how long its output takes. */
const USUAL_LATENCY_S = 0.02;

/** The way of the sound from the worker to the ear. Silent until the browser has seen a gesture. */
export class Sound {
  /** Where the worker puts sound. */
  readonly port: MessagePort;
  readonly #context: AudioContext;
  readonly #volume: GainNode;
  readonly #stopped = new AbortController();
  #ready = false;

  /**
   * @param rate samples per second; the browser makes of it what the sound card wants
   * @param path is told how many milliseconds sound takes to the ear, `null` while none is heard
   */
  constructor(rate: number, private readonly path: (millis: number | null) => void) {
    const { port1, port2 } = new MessageChannel();
    this.port = port2;
    this.#context = new AudioContext({ sampleRate: rate, latencyHint: 'interactive' });
    this.#volume = this.#context.createGain();
    this.#volume.connect(this.#context.destination);
    void this.#begin(port1);
  }

  get muted(): boolean {
    return this.#context.state !== 'running' || this.#volume.gain.value === 0;
  }

  set muted(muted: boolean) {
    this.#volume.gain.value = muted ? 0 : 1;
    if (!muted) void this.#context.resume().catch(() => {});
  }

  close(): void {
    this.#stopped.abort();
    void this.#context.close();
  }

  async #begin(port: MessagePort): Promise<void> {
    await this.#context.audioWorklet.addModule(workletUrl);
    if (this.#stopped.signal.aborted) return;
    const node = new AudioWorkletNode(this.#context, 'headwater-sound', { numberOfInputs: 0, outputChannelCount: [2] });
    const tell = (message: ToWorklet, transfer: Transferable[] = []) => node.port.postMessage(message, transfer);
    tell({ tell: 'port', port }, [port]);
    node.connect(this.#volume);
    this.#ready = true;
    const timer = setInterval(() => this.#tick(tell), CLOCK_MS);
    this.#stopped.signal.addEventListener('abort', () => clearInterval(timer));
    this.#context.addEventListener('statechange', () => this.#tick(tell));
    this.#tick(tell);
  }

  #tick(tell: (message: ToWorklet) => void): void {
    if (!this.#ready || this.#context.state !== 'running') return this.path(null);
    const { currentTime } = this.#context;
    const { contextTime = 0, performanceTime = 0 } = this.#context.getOutputTimestamp();
    const now = performance.now();
    const elapsed = (now - performanceTime) / 1000;
    // Some browsers tell of a moment long ago, or of none, until the output runs.
    const told = contextTime > 0 && elapsed < 1;
    const latency = told ? currentTime - (contextTime + elapsed) : (this.#context.outputLatency || USUAL_LATENCY_S);
    tell({ tell: 'clock', zero: wallNow() + (latency - currentTime) * 1000 });
    this.path(Math.max(0, latency * 1000));
  }
}
