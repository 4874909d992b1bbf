// Glass to glass on the canvas of the preview, and its sound against its picture, measured from inside the page.
//
// What the page's thread finds on the canvas when it is called before a refresh of the screen is what the compositor puts on
// the glass with that refresh. So a code counts as displayed one refresh after the callback in which it was found first, which
// is rather too late than too early. Decoding, the jitter buffer, drawing in the worker and the way from there to the page
// are contained; the delay of a real screen is not.
//
// Sound is tapped where it leaves for the loudspeaker, on the clock of the audio context, which getOutputTimestamp() relates
// to the machine's: so the browser's own output latency, as far as it knows it, is contained, and is reported besides. The
// delay of a real sound card behind what the browser knows is not.

const REFRESH_MS = 1000 / 60;
/** Two sounds or two flashes nearer than this are the same one. */
const APART_MS = 500;
const LOUD = 0.02;
const SILENT = 0.004;
const TAPPED = 8192;
/** So much silence before makes a sound an onset. */
const QUIET_SAMPLES = 2400;

/** Not timeOrigin: that was the wall clock when the page was opened, and it may have been set since. */
const wall = (stamp) => Date.now() - performance.now() + stamp;

class CanvasGlass {
  constructor() {
    this.strip = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    this.patch = new OffscreenCanvas(4, 4).getContext('2d', { willReadFrequently: true });
    this.samples = new Float32Array(TAPPED);
    this.taps = [];
    this.first = null;
    this.reset();
    this.tapSound();
    const loop = (stamp) => {
      requestAnimationFrame(loop);
      this.refreshed(stamp);
    };
    requestAnimationFrame(loop);
  }

  /** Forgets what was until now. */
  reset() {
    this.pictures = [];
    this.unreadable = 0;
    this.flashes = [];
    this.beeps = [];
    this.white = true;
  }

  refreshed(stamp) {
    const canvas = document.querySelector('#screen canvas');
    const displayedAt = wall(stamp) + REFRESH_MS;
    // A canvas as it comes is 300 pixels wide, until the first picture gives it its own size.
    if (canvas && canvas.width !== 300) this.look(canvas, displayedAt);
    for (const tap of this.taps) this.listen(tap);
  }

  look(canvas, displayedAt) {
    const { width, height } = canvas;
    const top = Math.ceil(height * 0.0525);
    const rows = Math.max(1, Math.floor(height * 0.0775) - top);
    if (this.strip.canvas.width !== width || this.strip.canvas.height !== rows) Object.assign(this.strip.canvas, { width, height: rows });
    this.strip.drawImage(canvas, 0, top, width, rows, 0, 0, width, rows);
    const madeAt = globalThis.readCode(this.strip.getImageData(0, 0, width, rows).data, width);
    if (madeAt === null) {
      this.unreadable++;
      return;
    }
    this.first ??= displayedAt;
    if (madeAt === this.pictures.at(-1)?.[1]) return;
    // Made-at stands for the media time too: there is no announcement that a newer picture could overtake.
    this.pictures.push([displayedAt, madeAt, madeAt / 1000]);
    this.flash(canvas, displayedAt);
  }

  /** The patch in the right of the panel is white at the start of each second. */
  flash(canvas, displayedAt) {
    const { width, height } = canvas;
    const side = height * 0.14;
    this.patch.drawImage(canvas, width * 0.95 - side * 0.75, height * 0.61 + side * 0.25, side / 2, side / 2, 0, 0, 4, 4);
    const white = this.patch.getImageData(1, 1, 1, 1).data[1] > 128;
    if (white && !this.white) this.flashes.push(displayedAt);
    this.white = white;
  }

  /** Listens in on everything that goes to a loudspeaker. */
  tapSound() {
    const { taps } = this;
    const { connect } = AudioNode.prototype;
    AudioNode.prototype.connect = function (target, ...rest) {
      if (target instanceof AudioDestinationNode) {
        const analyser = new AnalyserNode(this.context, { fftSize: TAPPED });
        connect.call(this, analyser);
        taps.push({ context: this.context, analyser });
      }
      return connect.call(this, target, ...rest);
    };
  }

  listen({ context, analyser }) {
    if (context.state !== 'running') return;
    analyser.getFloatTimeDomainData(this.samples);
    const { currentTime, sampleRate } = context;
    const { contextTime, performanceTime } = context.getOutputTimestamp();
    const onset = this.onset();
    if (onset === null) return;
    const at = currentTime - (TAPPED - onset) / sampleRate;
    const heardAt = wall(performanceTime) + (at - contextTime) * 1000;
    const outputLatency = heardAt - Date.now() + (currentTime - at) * 1000;
    if (heardAt - (this.beeps.at(-1)?.heardAt ?? 0) > APART_MS) this.beeps.push({ heardAt, outputLatency });
  }

  /** Index of the first loud sample behind a silence. */
  onset() {
    let quiet = 0;
    for (let i = 0; i < TAPPED; i++) {
      const level = Math.abs(this.samples[i]);
      if (level > LOUD && quiet >= QUIET_SAMPLES) return i;
      quiet = level < SILENT ? quiet + 1 : level > LOUD ? 0 : quiet;
    }
    return null;
  }

  /** `pictures` are triples as in glass.js; all times are in ms since the Unix epoch. */
  report() {
    const { pictures, unreadable, flashes, beeps, first } = this;
    return { pictures, unreadable, dropped: window.headwater.droppedFrames, flashes, beeps, first };
  }
}

globalThis.canvasGlass = new CanvasGlass();
