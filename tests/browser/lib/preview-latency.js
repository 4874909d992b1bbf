import { course } from './glass.js';
import { PreviewViewer } from './preview-viewer.js';
import { sleep } from './wait.js';

/** Rungs of the demo channel whose preview is measured, by the name of the row. The page would choose the larger one. */
export const PREVIEWS = { 'preview-360': 360, 'preview-720': 720 };

/** What the 360p preview is held to, in seconds from glass to glass, and the sound beside it, in milliseconds. */
export const BARS = { p50: 0.15, p95: 0.25, sync: 40 };

/**
 * Watches the preview of our page alone, once it had `settle` seconds to find its place.
 *
 * @param {import('playwright-core').Browser} browser
 * @param {string} page URL of our page
 * @param {string} channel
 * @param {string} name of the row
 * @param {{settle: number, seconds: number}} times in seconds
 */
export async function measurePreview(browser, page, channel, name, { settle, seconds }) {
  const viewer = await PreviewViewer.open(browser, `${page}/#/live/${channel}?player=preview`);
  try {
    await viewer.reaches('playing', 30);
    const first = await viewer.firstPicture();
    const height = PREVIEWS[name];
    await viewer.page.evaluate((wanted) => {
      const { rungs } = window.headwater;
      window.headwater.switchTo(rungs.findIndex((rung) => rung.height === wanted));
    }, height);
    await viewer.showsRung(height, 10);
    await sleep(settle * 1000);
    const before = await viewer.status();
    const { report, latency, sync } = await viewer.look(seconds);
    if (!latency) throw new Error('no picture of the preview had a code that could be read; the source must be test:');
    const { player, rung, stalls, droppedFrames, skips } = await viewer.status();
    return {
      name,
      report: { player, size: `${rung.width}x${rung.height}`, complaints: [], stalls: stalls - before.stalls },
      latency: { ...latency, dropped: droppedFrames - before.droppedFrames + skips - before.skips },
      medians: course(report),
      settledAfter: 0,
      first,
      sync,
    };
  } finally {
    await viewer.context.close();
  }
}

/** What is wrong with a row of the rung that is held to the bars; nothing if all is well. */
export function shortcomings({ latency, sync, report, first }) {
  return [
    latency.p50 > BARS.p50 && `half of the pictures are older than ${BARS.p50 * 1000} ms`,
    latency.p95 > BARS.p95 && `some pictures are older than ${BARS.p95 * 1000} ms`,
    !(Math.abs(sync?.median) <= BARS.sync) && `sound is ${sync?.median} ms from its picture`,
    first > 300 && `the first picture came after ${first} ms`,
    report.stalls > 0 && `${report.stalls} stalls`,
  ].filter(Boolean);
}

/** The rows' sound and beginning, as Markdown. */
export const previewList = (rows) => rows.map(({ report, first, sync }) =>
  `- Preview, ${report.size}: first picture ${Math.round(first)} ms after the socket opened; beeps are heard ${
    sync ? `${sync.median.toFixed(0)} ms after their flashes at the median (${sync.least.toFixed(0)} to ${sync.most.toFixed(0)} ms, ${sync.pairs} of them)` : 'never'}.`).join('\n');
