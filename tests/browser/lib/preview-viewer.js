import { summarise, quantile } from './glass.js';
import { sleep, until } from './wait.js';
import { Viewer } from './viewer.js';

/** Flash and beep further apart than this do not belong together. */
const PAIR_MS = 450;

/** A viewer of our page with the preview on its canvas. */
export class PreviewViewer extends Viewer {
  scripts = ['glass.js', 'probe.js', 'canvas-glass.js'];

  /** The page's status interface, with what only the preview tells. */
  async status() {
    const more = await this.page.evaluate(() => {
      const { jitter, skips, note, openedAt } = window.headwater;
      return { jitter, skips, note, openedAt };
    });
    return { ...await super.status(), ...more };
  }

  /** Forgets what was until now, and looks for `seconds`. */
  async look(seconds) {
    await this.page.evaluate(() => globalThis.canvasGlass.reset());
    await sleep(seconds * 1000);
    const report = await this.page.evaluate(() => globalThis.canvasGlass.report());
    return { report, latency: summarise(report), sync: syncOf(report) };
  }

  /** Milliseconds from the opening of the socket to the first picture on the glass. */
  async firstPicture() {
    const first = await until('there is a first picture', 20, () => this.page.evaluate(() => globalThis.canvasGlass.report().first));
    return first - (await this.status()).openedAt;
  }

  /** Waits until the page says something to the viewer. */
  said(pattern, seconds) {
    return until(`the page says ${pattern}`, seconds, async () => {
      const text = await this.page.locator('#note').textContent();
      return pattern.test(text) || Promise.reject(new Error(`it says "${text}"; ${JSON.stringify(await this.status())}`));
    });
  }

  /** Waits until a rung is on the canvas. */
  showsRung(height, seconds) {
    return until(`${height}p is on the canvas`, seconds, async () => {
      const drawn = await this.page.evaluate(() => document.querySelector('#screen canvas').height);
      const status = await this.status();
      return (drawn === height && status.rung?.height === height) || Promise.reject(new Error(`${drawn}; ${JSON.stringify(status)}`));
    });
  }

  /** Seconds of the media timeline that were shown within `seconds`. */
  async moved(seconds) {
    const before = (await this.status()).currentTime;
    await sleep(seconds * 1000);
    return (await this.status()).currentTime - before;
  }
}

/** One whose browser wants a gesture before it lets sound out. */
export class ShyViewer extends PreviewViewer {
  scripts = ['shy.js', 'glass.js', 'probe.js', 'canvas-glass.js'];
}

/** How much later than its flash each beep is heard, in milliseconds. */
function syncOf({ flashes, beeps }) {
  const offsets = flashes.flatMap((flash) => {
    const nearest = beeps.map(({ heardAt }) => heardAt - flash).sort((a, b) => Math.abs(a) - Math.abs(b))[0];
    return nearest !== undefined && Math.abs(nearest) < PAIR_MS ? [nearest] : [];
  });
  if (offsets.length === 0) return null;
  return {
    median: quantile(offsets, 0.5),
    least: quantile(offsets, 0),
    most: quantile(offsets, 1),
    pairs: offsets.length,
    outputLatency: quantile(beeps.map(({ outputLatency }) => outputLatency), 0.5),
  };
}
