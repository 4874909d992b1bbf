// Start-over and catch-up: bare players on stretches of a channel that is on air.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser } from './lib/browser.js';
import { Headwater, TARGET_DURATION } from './lib/headwater.js';
import { startPlayerHost } from './lib/player-host.js';
import { Audience } from './lib/players.js';
import { tell } from './lib/verdict.js';
import { sleep, until } from './lib/wait.js';

const LIMIT = { timeout: 150_000 };
/** No larger than it is encoded: an encoder and three players share two cores. */
const PATTERN = 'test:?size=640x360';
let server;
let host;
let browser;
/** When the oldest listed segment begins, in seconds of Unix time. */
let first;

before(async () => {
  server = await Headwater.create('stretch', { demo: PATTERN });
  host = await startPlayerHost();
  browser = await launchBrowser();
  await server.start();
  await server.live('demo', 30);
  const playlist = await (await fetch(`${server.media}/live/demo/360p/index.m3u8`)).text();
  first = TARGET_DURATION * Number(playlist.match(/#EXT-X-MEDIA-SEQUENCE:(\d+)/)[1]);
  await until('sixteen seconds are there', 40, () => Date.now() / 1000 > first + 16 + 2 * TARGET_DURATION);
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  host?.stop();
  await server?.stop();
});

/** Players on a stretch, which leave when the test ends. */
async function audience(t, query, players) {
  const viewers = await Audience.seat(browser, host.url, `${server.media}/live/demo?${query}`, players);
  t.after(() => viewers.leave());
  return viewers;
}

/** Waits until all players have played to the end of `seconds`, and gives what they say. */
async function played(viewers, seconds) {
  return until('every player has come to the end', seconds + 40, async () => {
    const reports = await viewers.reports();
    if (!Object.values(reports).every(({ ended }) => ended)) throw new Error(tell(reports));
    return reports;
  });
}

/** All of it was seen, from the first picture to the last, without an error. */
function assertSeen(t, reports, seconds) {
  t.diagnostic(tell(reports));
  for (const [name, report] of Object.entries(reports)) {
    // dash.js may go back by half a second when it has ended: pages/dash.html.
    assert.ok(Math.abs(report.currentTime - seconds) < 0.6, `${name} ended at ${report.currentTime} s, not ${seconds}`);
    // A busy machine leaves pictures out; who began later has far fewer.
    assert.ok(report.frames > 0.75 * 30 * seconds, `${name} showed ${report.frames} pictures`);
    const wrong = report.complaints.filter(({ kind }) => kind === 'error' || kind === 'jump');
    assert.deepEqual(wrong, [], `${name}\n${tell(reports)}`);
  }
}

test('hls.js, dash.js and shaka play a stretch of the past from its beginning to its end', LIMIT, async (t) => {
  const viewers = await audience(t, `start=${first + 4}&end=${first + 14}`, ['hls', 'dash', 'shaka']);
  assertSeen(t, await played(viewers, 10), 10);
});

test('hls.js and dash.js start over, and play on to the end that comes meanwhile', LIMIT, async (t) => {
  // A quarter of a minute from now: all of them are at it when it passes.
  const end = TARGET_DURATION * Math.ceil(Date.now() / 1000 / TARGET_DURATION + 8);
  const start = end - 30;
  // hls.js begins where the playlist says; dash.js is told to, as an MPD of something live has no such word.
  const viewers = await audience(t, `start=${start}&end=${end}#t=0`, ['hls', 'dash']);
  await sleep(3000);
  const reports = await viewers.reports();
  for (const [name, { currentTime }] of Object.entries(reports)) {
    assert.ok(currentTime < 8, `${name} begins at the beginning, not at ${currentTime} s\n${tell(reports)}`);
  }
  assertSeen(t, await played(viewers, 30), 30);
});
