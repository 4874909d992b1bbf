// Glass to glass: the time from the making of a frame of the test source to its display, measured from inside the page.
//
// Each displayed frame is announced by requestVideoFrameCallback. The row of cells in it (geometry and checksum are
// documented in src/source/pattern/code.rs, and read here by other code) tells when it was made. When it is on the glass
// is `expectedDisplayTime`: the browser's compositor knows the next refresh of the screen, whereas the callback itself
// comes whenever the page's thread has time, before or after. Both clocks are the machine's.

const CELLS = 64;
/** More than enough for ten minutes at 60 frames per second. */
const PICTURES_KEPT = 40_000;

/**
 * Reads the code from rows of pixels that lie within the strip.
 *
 * @param {Uint8ClampedArray} rgba rows of `width` pixels from the left edge of the picture to the right one
 * @param {number} width
 * @returns {number | null} milliseconds since the Unix epoch; `null` if there is no code, or a damaged one
 */
function readCode(rgba, width) {
  const left = Math.floor(width / 16);
  const span = Math.floor(width * 14 / 16);
  const edge = (cell) => left + Math.floor((cell * span) / CELLS);
  const rows = rgba.length / 4 / width;
  const level = (cell) => {
    // The middle half of a cell, as its edges are blurred by scaling and coding.
    const quarter = (edge(cell + 1) - edge(cell)) / 4;
    const [from, to] = [Math.ceil(edge(cell) + quarter), Math.ceil(edge(cell + 1) - quarter)];
    let sum = 0;
    for (let y = 0; y < rows; y++) for (let x = from; x < to; x++) sum += rgba[4 * (y * width + x) + 1];
    return sum / rows / (to - from);
  };
  const levels = Array.from({ length: CELLS }, (_, cell) => level(cell));
  const mean = (...cells) => cells.reduce((sum, cell) => sum + levels[cell], 0) / cells.length;
  const [white, black] = [mean(0, 2, 61, 63), mean(1, 3, 60, 62)];
  if (!(white - black > 60)) return null;
  const bits = levels.map((value) => (value > (white + black) / 2 ? 1 : 0));
  const number = (from, to) => bits.slice(from, to).reduce((value, bit) => value * 2 + bit, 0);
  const crc = bits.slice(4, 52).reduce((value, bit) => ((value << 1) & 0xff) ^ ((value >> 7 ^ bit) & 1 ? 0x07 : 0), 0);
  const whole = number(0, 4) === 0b1010 && number(52, 60) === crc && number(60, 64) === 0b0101;
  return whole ? number(4, 52) : null;
}

class Glass {
  constructor(video) {
    this.video = video;
    this.canvas = new OffscreenCanvas(1, 1);
    this.context = this.canvas.getContext('2d', { willReadFrequently: true });
    this.reset();
    video.requestVideoFrameCallback((_, metadata) => this.shown(metadata));
  }

  /** Forgets what was until now. */
  reset() {
    this.pictures = [];
    this.unreadable = 0;
    this.droppedBefore = this.dropped;
  }

  get dropped() {
    return this.video.getVideoPlaybackQuality().droppedVideoFrames;
  }

  shown({ expectedDisplayTime, mediaTime, width, height }) {
    this.video.requestVideoFrameCallback((_, metadata) => this.shown(metadata));
    // Not timeOrigin: that was the wall clock when the page was opened, and it may have been set since.
    const displayedAt = Date.now() - performance.now() + expectedDisplayTime;
    const madeAt = this.read(width, height);
    if (madeAt === null) this.unreadable++;
    else if (this.pictures.length < PICTURES_KEPT) this.pictures.push([displayedAt, madeAt, mediaTime]);
  }

  /** The code in the picture that is on the screen. */
  read(width, height) {
    const top = Math.ceil(height * 0.0525);
    const rows = Math.max(1, Math.floor(height * 0.0775) - top);
    if (this.canvas.width !== width || this.canvas.height !== rows) Object.assign(this.canvas, { width, height: rows });
    this.context.drawImage(this.video, 0, top, width, rows, 0, 0, width, rows);
    return readCode(this.context.getImageData(0, 0, width, rows).data, width);
  }

  /** `pictures` are triples: displayed at, made at (both ms since the Unix epoch), media time (s). */
  report() {
    return { pictures: this.pictures, unreadable: this.unreadable, dropped: this.dropped - this.droppedBefore };
  }
}

// As an init script of our page, and in Node, this file has no global scope of its own.
Object.assign(globalThis, { readCode, Glass });
