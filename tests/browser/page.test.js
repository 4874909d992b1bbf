import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { launchBrowser } from './lib/browser.js';
import { Headwater, run } from './lib/headwater.js';
import { artifact } from './lib/paths.js';
import { until } from './lib/wait.js';
import { Viewer } from './lib/viewer.js';

const SECONDS = 20;
const LIMIT = { timeout: 90_000 };
let server;
let browser;

before(async () => {
  server = await Headwater.create('page');
  const input = path.join(server.directory, 'clip.mp4');
  await run('ffmpeg', [
    '-hide_banner', '-loglevel', 'error',
    '-f', 'lavfi', '-i', 'testsrc2=size=854x480:rate=25:duration=40',
    '-f', 'lavfi', '-i', 'sine=sample_rate=48000:duration=40',
    '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', input,
  ]);
  await server.package(input, 'clip');
  browser = await launchBrowser();
  await server.start();
}, { timeout: 180_000 });

after(async () => {
  await browser?.close();
  await server?.stop();
});

describe('the page plays for 20 s without a stall and changes the rung when asked', { concurrency: 2 }, () => {
  for (const [what, hash] of [['the demo', '#/live/demo'], ['a packaged file', '#/vod/clip']]) {
    for (const player of ['hls', 'dash']) {
      test(`${what} through ${player}.js`, LIMIT, async (t) => {
        const viewer = await Viewer.open(browser, `${server.media}/${hash}?player=${player}`);
        t.after(() => viewer.context.close());
        const status = await viewer.reaches('playing', 30);
        assert.ok(status.player.startsWith(`${player}.js `), status.player);
        await viewer.watch(SECONDS / 4);
        await viewer.switchRung();
        await viewer.watch(SECONDS * 3 / 4);
        await viewer.page.screenshot({ path: artifact(`page-${hash.split('/')[1]}-${player}.png`) });
        t.diagnostic(JSON.stringify(await viewer.status()));
      });
    }
  }
});

/** Seconds by which the page may be wrong: it knows when media was made, not when a decoded picture is on the glass. */
const FIGURE = 0.2;

for (const player of ['hls', 'dash']) {
  test(`the latency that the page shows for ${player}.js is that from glass to glass`, LIMIT, async (t) => {
    const viewer = await Viewer.open(browser, `${server.media}/#/live/demo?player=${player}`);
    t.after(() => viewer.context.close());
    await viewer.reaches('playing', 30);
    await viewer.watch(5);
    const { shown, glass } = await viewer.latency(5);
    t.diagnostic(`${player}.js: the page says ${shown.toFixed(2)} s, the picture ${glass.toFixed(2)} s`);
    assert.ok(Math.abs(shown - glass) < FIGURE, `the page says ${shown} s, the picture ${glass} s`);
    assert.match(await viewer.page.locator('#clock').textContent(), /^Live · \d+\.\d s$/);
  });
}

test('the bare page shows the first channel', LIMIT, async (t) => {
  const viewer = await Viewer.open(browser, server.media);
  t.after(() => viewer.context.close());
  await viewer.reaches('playing', 30);
  assert.equal(await viewer.page.locator('#name').textContent(), 'demo');
  assert.ok(await viewer.page.evaluate(() => document.querySelector('header img').naturalWidth > 0), 'the logo is there');
  assert.match(await viewer.page.getByRole('textbox', { name: 'DASH link' }).inputValue(), /^http:.*\/live\/demo\/manifest\.mpd$/);
});

test('the page fits a phone, and a thumb', LIMIT, async (t) => {
  const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const viewer = await Viewer.open(browser, `${server.media}/#/live/demo?player=hls`, phone);
  t.after(() => viewer.context.close());
  await viewer.reaches('playing', 30);
  const { wide, small } = await viewer.page.evaluate(() => ({
    wide: document.documentElement.scrollWidth - innerWidth,
    small: [...document.querySelectorAll('button, select, nav a, fieldset label')]
      .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 34)
      .map((element) => element.outerHTML),
  }));
  assert.ok(wide <= 0, `the page is ${wide} px wider than the screen`);
  assert.deepEqual(small, []);
  await viewer.page.screenshot({ path: artifact('page-phone.png'), fullPage: true });
});

test('the page is used from the keyboard, and its controls have names', LIMIT, async (t) => {
  const viewer = await Viewer.open(browser, `${server.media}/#/vod/clip?player=hls`);
  t.after(() => viewer.context.close());
  const { page } = viewer;
  await viewer.reaches('playing', 30);
  await page.keyboard.press('k');
  await viewer.reaches('paused', 5);
  await page.getByRole('button', { name: 'Play', exact: true }).press('Enter');
  await viewer.reaches('playing', 5);
  await page.getByRole('radio', { name: 'hls.js' }).press('ArrowRight');
  await until('dash.js plays instead', 30, async () => {
    const { player, state } = await viewer.status();
    return player?.startsWith('dash.js') && state === 'playing';
  });
  await page.getByRole('combobox', { name: 'Quality' }).selectOption({ index: 2 });
  await until('the chosen rung is kept', 5, async () => !(await viewer.status()).auto);
  assert.deepEqual(viewer.failures, []);
});

test('the page says that the server is away, and plays on by itself when it is back', LIMIT, async (t) => {
  const viewer = await Viewer.open(browser, `${server.media}/#/live/demo?player=hls`);
  t.after(() => viewer.context.close());
  await viewer.reaches('playing', 30);
  await server.kill();
  await until('the page says so', 15, async () => (await viewer.page.locator('#connection').textContent()) === 'Reconnecting');
  await server.start();
  await until('the page says so', 15, async () => (await viewer.page.locator('#connection').textContent()) === 'Connected');
  const { currentTime } = await viewer.reaches('playing', 20);
  await until('the picture moves on', 15, async () => (await viewer.status()).currentTime > currentTime + 3);
});
