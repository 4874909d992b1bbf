import assert from 'node:assert/strict';
import path from 'node:path';
import { quantile, summarise } from './glass.js';
import { here } from './paths.js';
import { describe } from './players.js';
import { sleep, until } from './wait.js';

/** A viewer of our page, in a browser context of its own. */
export class Viewer {
  /** What the page complained of on its console: exceptions, and breaches of its content policy. */
  failures = [];
  /** What watches from inside the page. */
  scripts = ['glass.js', 'probe.js'];

  /**
   * @param {import('playwright-core').Browser} browser
   * @param {string} url of the page
   * @param {import('playwright-core').BrowserContextOptions} [device]
   */
  static async open(browser, url, device = { viewport: { width: 1280, height: 900 } }) {
    const viewer = new this();
    viewer.context = await browser.newContext(device);
    viewer.page = await viewer.context.newPage();
    viewer.page.on('pageerror', (error) => viewer.failures.push(error.message));
    viewer.page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) viewer.failures.push(message.text());
    });
    for (const script of viewer.scripts) await viewer.page.addInitScript({ path: path.join(here, 'pages', script) });
    await viewer.page.goto(url);
    await viewer.page.evaluate(() => { globalThis.watch(); });
    return viewer;
  }

  /** The page's status interface, read at one moment. */
  status() {
    return this.page.evaluate(() => {
      const { player, state, currentTime, stalls, rung, rungs, auto, buffer, latency, droppedFrames } = window.headwater;
      return { player, state, currentTime, stalls, rung, rungs, auto, buffer, latency, droppedFrames };
    });
  }

  /** Waits until the page says that it is in `state`. */
  reaches(state, seconds) {
    return until(`the page is ${state}`, seconds, async () => {
      const status = await this.status();
      if (status.state === state) return status;
      throw new Error(`${JSON.stringify(status)}; on the screen: ${await this.page.locator('#message').textContent()}`);
    });
  }

  /** Insists on another rung than the one on the screen, and waits until it is there. */
  async switchRung() {
    const { rungs } = await until('the page knows its rungs', 10, async () => {
      const status = await this.status();
      return status.rung && status.rungs.length > 1 && status;
    });
    const shown = (await this.status()).rung;
    const other = rungs.findIndex((rung) => rung.id !== shown.id);
    await this.page.evaluate((rung) => window.headwater.switchTo(rung), other);
    await until(`rung ${rungs[other].height}p is on the screen`, 15, async () => {
      const { rung, auto } = await this.status();
      const height = await this.page.evaluate(() => document.querySelector('video').videoHeight);
      return !auto && rung?.id === rungs[other].id && height === rungs[other].height;
    });
  }

  /** Looks at the picture once a second. Fails if it stands, or if the viewer is disturbed. */
  async watch(seconds) {
    let last = await this.#picture();
    for (let second = 1; second <= seconds; second++) {
      await sleep(1000);
      const next = await this.#picture();
      const change = Math.max(...next.map((value, i) => Math.abs(value - last[i])));
      assert.ok(change > 8, `the picture moves; within one second it changed by ${change.toFixed(1)} of 255 at most`);
      last = next;
    }
    const report = await this.page.evaluate(() => window.probe.report());
    const { stalls } = await this.status();
    assert.deepEqual(report.complaints, [], describe('the page', report));
    assert.equal(stalls, 0, 'the page counts no stall');
    assert.deepEqual(this.failures, []);
  }

  /** Latency in seconds over `seconds`: as the page shows it, and as the code in the picture tells it. */
  async latency(seconds) {
    await this.page.evaluate(() => window.probe.glass.reset());
    const shown = [];
    for (let i = 0; i < seconds * 5; i++) {
      await sleep(200);
      shown.push((await this.status()).latency ?? NaN);
    }
    const glass = summarise(await this.page.evaluate(() => window.probe.glass.report()));
    return { shown: quantile(shown, 0.5), glass: glass.p50 };
  }

  #picture() {
    return this.page.evaluate(() => window.probe.picture());
  }
}
