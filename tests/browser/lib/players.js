import { sleep, until, within } from './wait.js';

/** The bare players and the document that each plays. */
export const PLAYERS = { hls: 'index.m3u8', dash: 'manifest.mpd', shaka: 'manifest.mpd', native: 'index.m3u8' };

/** Bare players that watch one presentation, each in its own tab. */
export class Audience {
  #pages = new Map();

  /**
   * Opens `names` on the presentation below `base` and waits until all of them play.
   *
   * @param {import('playwright-core').Browser} browser
   * @param {string} host URL of the player host
   * @param {string} base URL of the presentation's directory
   * @param {string[]} names
   * @param {{patient?: boolean}} [options] `patient`: hls.js is set to ask again while a server restarts
   */
  static async seat(browser, host, base, names = Object.keys(PLAYERS), { patient = false } = {}) {
    const audience = new Audience();
    const query = (name) => new URLSearchParams({ url: `${base}/${PLAYERS[name]}`, ...(patient ? { patient } : {}) });
    await Promise.all(names.map((name) => audience.#open(browser, `${host}/${name}.html?${query(name)}`, name)));
    return audience;
  }

  async #open(browser, url, name) {
    const page = await browser.newPage();
    this.#pages.set(name, page);
    await page.goto(url);
    try {
      await until(`${name} starts to play`, 40, async () => (await this.#report(page)).started);
    } catch (error) {
      error.message += `\n${describe(name, await this.#report(page))}`;
      throw error;
    }
  }

  #report(page) {
    return within('the page answers', 10, page.evaluate(() => window.probe.report()));
  }

  /** What every player has to say, by name. */
  async reports() {
    const names = [...this.#pages.keys()];
    const reports = await Promise.all(names.map((name) => this.#report(this.#pages.get(name))));
    return Object.fromEntries(names.map((name, i) => [name, reports[i]]));
  }

  /** Lets the players play for `seconds` and forgets what happened, so that only what follows is judged. */
  async settle(seconds) {
    await sleep(seconds * 1000);
    await Promise.all([...this.#pages.values()].map((page) => page.evaluate(() => window.probe.reset())));
  }

  /** Closes all tabs. */
  async leave() {
    await Promise.all([...this.#pages.values()].map((page) => page.close()));
  }
}

/** A player's report as lines for a human. */
export function describe(name, report) {
  const time = (at) => new Date(at).toISOString().slice(11, 23);
  return [
    `${name}: ${report.size}, at ${report.currentTime.toFixed(1)} s, ${report.frames} frames, buffer `
      + `${report.buffer.toFixed(1)} s (lowest ${report.lowestBuffer?.toFixed(1) ?? '-'} s), rate ${report.playbackRate}`,
    ...report.complaints.map((c) => `  ${time(c.at)} ${c.kind} ${c.text} (at ${c.currentTime.toFixed(2)} s)`),
    ...report.notes.map((note) => `  ${time(note.at)} note: ${note.text}`),
  ].join('\n');
}
