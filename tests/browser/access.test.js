import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser } from './lib/browser.js';
import { Headwater } from './lib/headwater.js';
import { startPlayerHost } from './lib/player-host.js';
import { Audience, PLAYERS } from './lib/players.js';
import { kindOf } from './lib/settings.js';
import { tell } from './lib/verdict.js';
import { Viewer } from './lib/viewer.js';
import { sleep, until } from './lib/wait.js';

const SECONDS = 12;
const LIMIT = { timeout: 120_000 };
let server;
let host;
let browser;

before(async () => {
  server = await Headwater.create('access', { demo: 'test:' }, 'signed');
  host = await startPlayerHost();
  browser = await launchBrowser();
  await server.start();
}, { timeout: 90_000 });

after(async () => {
  await browser?.close();
  host?.stop();
  await server?.stop();
});

/** Plays on, whatever a busy machine does to its latency. */
function assertPlaying(reports) {
  for (const [name, { judged, complaints }] of Object.entries(reports)) {
    assert.ok(judged.played > 0.7 * judged.seconds, `${name} played ${judged.played} of ${judged.seconds} s\n${tell(reports)}`);
    assert.deepEqual(complaints.filter(({ kind }) => kind === 'error'), [], name);
  }
}

test('hls.js, dash.js, shaka and Chromium play a signed channel that they were given one URL of', LIMIT, async (t) => {
  const base = `${server.media}/live/demo?token=${await server.token('/live/demo')}`;
  const viewers = await Audience.seat(browser, host.url, base);
  t.after(() => viewers.leave());
  await viewers.settle(5);
  await sleep(SECONDS * 1000);
  const reports = await viewers.reports();
  t.diagnostic(tell(reports));
  assertPlaying(reports);
});

test('shaka plays it in HLS, too', LIMIT, async (t) => {
  const base = `${server.media}/live/demo?token=${await server.token('/live/demo')}`;
  const viewers = await Audience.seat(browser, host.url, base, ['shaka-hls']);
  t.after(() => viewers.leave());
  await viewers.settle(5);
  await sleep(SECONDS * 1000);
  assertPlaying(await viewers.reports());
});

test('a token for another channel, one that has expired, and none play nothing', LIMIT, async (t) => {
  const expired = await server.token('/live/demo', '1s');
  // The second, and what clocks may differ by.
  await sleep(7000);
  const queries = { other: `?token=${await server.token('/live/demo2')}`, expired: `?token=${expired}`, none: '' };
  const context = await browser.newContext();
  t.after(() => context.close());
  const seated = Object.entries(queries).flatMap(([why, query]) => Object.entries(PLAYERS).map(async ([name, document]) => {
    const page = await context.newPage();
    const statuses = [];
    page.on('response', (response) => { if (response.url().startsWith(server.media)) statuses.push(response.status()); });
    const url = `${server.media}/live/demo/${document}${query}`;
    await page.goto(`${host.url}/${kindOf(name)}.html?${new URLSearchParams({ url })}`);
    return { why, name, page, statuses };
  }));
  const pages = await Promise.all(seated);
  await sleep(6000);
  for (const { why, name, page, statuses } of pages) {
    const { started, frames } = await page.evaluate(() => window.probe.report());
    assert.ok(!started && frames === 0, `${name} plays with ${why}`);
    assert.ok(statuses.length > 0, `${name} has asked`);
    assert.deepEqual(statuses.filter((status) => status !== (why === 'other' ? 403 : 401)), [], `${name} with ${why}`);
  }
});

test('our page plays it from a link with a token, in players and preview, and says what is missing without', LIMIT, async (t) => {
  const token = await server.token('/live/demo');
  const viewer = await Viewer.open(browser, `${server.media}/?token=${token}#/live/demo?player=hls`);
  t.after(() => viewer.context.close());
  await viewer.reaches('playing', 30);
  await viewer.watch(4);
  assert.equal(new URL(viewer.page.url()).pathname, `/t/${token}/`);
  const link = await viewer.page.getByRole('textbox', { name: 'HLS link' }).inputValue();
  assert.ok(link.endsWith(`/t/${token}/live/demo/index.m3u8`), link);
  for (const player of ['dash', 'preview']) {
    await viewer.page.evaluate((name) => { location.hash = `#/live/demo?player=${name}`; }, player);
    await until(`${player} plays`, 30, async () => {
      const status = await viewer.status();
      return status.state === 'playing' && status.player?.toLowerCase().includes(player);
    });
  }
  const stranger = await Viewer.open(browser, `${server.media}/#/live/demo?player=hls`);
  t.after(() => stranger.context.close());
  await until('it says so', 15, async () => (await stranger.page.locator('#message').textContent()).includes('token'));
});
