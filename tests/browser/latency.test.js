// A short form of latency.js: each player alone, on a small ladder.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser } from './lib/browser.js';
import { Headwater } from './lib/headwater.js';
import { measure, stallsOf, TARGET } from './lib/latency.js';
import { startPlayerHost } from './lib/player-host.js';
import { describe } from './lib/players.js';

const TIMES = { settle: 15, seconds: 15 };
const LIMIT = { timeout: 120_000 };
let server;
let host;
let browser;

before(async () => {
  server = await Headwater.create('latency');
  host = await startPlayerHost();
  browser = await launchBrowser();
  await server.start();
  await server.live('demo', 20);
}, { timeout: 90_000 });

after(async () => {
  await browser?.close();
  host?.stop();
  await server?.stop();
});

for (const player of ['hls', 'dash', 'shaka', 'shaka-hls']) {
  test(`${player} settles within two seconds of the source and does not stall`, LIMIT, async (t) => {
    const { report, latency, medians } = await measure(browser, host.url, `${server.media}/live/demo`, player, TIMES);
    const seen = `${describe(player, report)}\n  by second: ${medians.map((median) => median?.toFixed(2) ?? '-').join(' ')}`;
    t.diagnostic(seen);
    assert.ok(latency.read > 0.8 * 30 * TIMES.seconds, `nearly every picture is read\n${seen}`);
    assert.ok(latency.p50 <= TARGET, `half of the pictures are at most ${TARGET} s old\n${seen}`);
    assert.equal(stallsOf(report).length, 0, `the picture never stands\n${seen}`);
  });
}
