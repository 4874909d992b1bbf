import { course, summarise } from './glass.js';
import { Audience } from './players.js';
import { AS_LARGE_AS_SHOWN } from './settings.js';
import { sleep } from './wait.js';

/** Seconds from glass to glass that a player must settle at. */
export const TARGET = 2.0;

/**
 * Lets one player play alone, and measures once it had `settle` seconds to find its place.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {string} host URL of the player host
 * @param {string} base URL of the presentation's directory
 * @param {string} name of the player
 * @param {{settle: number, seconds: number}} times in seconds
 */
export async function measure(browser, host, base, name, { settle, seconds }) {
  const audience = await Audience.seat(browser, host, base, [name], AS_LARGE_AS_SHOWN);
  try {
    await sleep(settle * 1000);
    const finding = (await audience.reports())[name];
    await audience.settle(0);
    await sleep(seconds * 1000);
    const report = (await audience.reports())[name];
    const latency = summarise(report.glass);
    if (!latency) throw new Error(`no picture of ${name} had a code that could be read; the source must be test:`);
    const medians = [...course(finding.glass), ...course(report.glass)];
    return { name, report, finding, latency, medians, settledAfter: settledAfter(medians) };
  } finally {
    await audience.leave();
  }
}

/** Seconds from the first picture on until the median of each second stays at or under the target; `null` for never. */
export function settledAfter(medians) {
  const last = medians.findLastIndex((median) => median === null || median > TARGET);
  return last + 1 < medians.length ? last + 1 : null;
}

/** Times that the picture stood or the player waited with nothing buffered. */
export const stallsOf = ({ complaints }) => complaints.filter(({ kind }) => kind === 'frozen' || kind === 'waiting');
