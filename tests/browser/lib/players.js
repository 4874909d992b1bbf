import { summarise } from './glass.js';
import { kindOf, LOW_LATENCY, settingsOf } from './settings.js';
import { sleep, until, within } from './wait.js';

/** The bare players and the document that each plays. The first word is the page that is opened. */
export const PLAYERS = {
  hls: 'index.m3u8',
  dash: 'manifest.mpd',
  shaka: 'manifest.mpd',
  'shaka-hls': 'index.m3u8',
  native: 'index.m3u8',
};

/** Those of the tests that watch everything at once: each player once, as two cores decode for all of them. */
const USUAL = ['hls', 'dash', 'shaka', 'native'];

/** Bare players that watch one presentation, each in its own tab. */
export class Audience {
  #pages = new Map();

  /**
   * Opens `names` on the presentation below `base` and waits until all of them play.
   *
   * @param {import('playwright-core').Browser} browser
   * @param {string} host URL of the player host
   * @param {string} base URL of the presentation's directory, and a query if there is to be one
   * @param {string[]} names
   * @param {...Record<string, object>} settings as in `settings.js`, on top of those for low latency
   */
  static async seat(browser, host, base, names = USUAL, ...settings) {
    const audience = new Audience();
    const [directory, asked] = base.split('?');
    const query = (name) => new URLSearchParams({
      url: `${directory}/${PLAYERS[name]}${asked ? `?${asked}` : ''}`,
      settings: JSON.stringify(settingsOf(name, LOW_LATENCY, ...settings)),
    });
    await Promise.all(names.map((name) => audience.#open(browser, `${host}/${kindOf(name)}.html?${query(name)}`, name)));
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

/** Nothing if there was no code to read, as in pictures of a camera. */
function describeGlass(glass) {
  const latency = summarise(glass);
  if (!latency) return [];
  const { p50, p95, worst, gap, read, newer, unreadable, dropped } = latency;
  return [`  glass to glass: ${p50.toFixed(2)} s (95 %: ${p95.toFixed(2)} s, worst ${worst.toFixed(2)} s), ${read} pictures read, `
    + `${newer} newer, ${unreadable} unreadable, ${dropped} dropped; ${gap.toFixed(2)} s between two at most`];
}

/**
 * What happened, in order. An outage makes players say the same of one segment after the other, ten times a second: that
 * is one line.
 */
function describeEvents({ complaints, notes }) {
  const time = (at) => new Date(at).toISOString().slice(11, 23);
  const lines = new Map();
  const add = (key, at, text) => {
    const line = lines.get(key) ?? { at, text, times: 0 };
    lines.set(key, { ...line, times: line.times + 1, last: at });
  };
  for (const { at, kind, text, currentTime } of complaints) {
    const key = kind === 'error' ? `error ${text}`.replace(/\d+/g, '#') : `${kind} ${at}`;
    add(key, at, `${kind} ${text} (at ${currentTime.toFixed(2)} s)`);
  }
  for (const { at, text } of notes) add(`note ${text}`.replace(/\d+/g, '#'), at, `note: ${text}`);
  const inOrder = [...lines.values()].sort((one, other) => one.at - other.at);
  return inOrder.map(({ at, text, times, last }) => `  ${time(at)} ${text}${times > 1 ? `; ${times} times until ${time(last)}` : ''}`);
}

/** A player's report as lines for a human. */
export function describe(name, report) {
  return [
    `${name}: ${report.size}, at ${report.currentTime.toFixed(1)} s, ${report.frames} frames, buffer `
      + `${report.buffer.toFixed(1)} s (lowest ${report.lowestBuffer?.toFixed(1) ?? '-'} s), rate ${report.playbackRate.toFixed(3)}, `
      + `looked every ${report.maximumGapMs} ms at worst`,
    ...describeGlass(report.glass),
    ...describeEvents(report),
  ].join('\n');
}
