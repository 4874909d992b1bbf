// The page's preview over the WebSocket, in a real browser: what is on the canvas, and what is heard with it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser } from './lib/browser.js';
import { Headwater } from './lib/headwater.js';
import { artifact } from './lib/paths.js';
import { PreviewViewer, ShyViewer } from './lib/preview-viewer.js';
import { SlowLine } from './lib/slow-line.js';
import { sleep, until } from './lib/wait.js';

const LIMIT = { timeout: 60_000 };
const SECONDS = 15;
const HASH = '#/live/demo?player=preview';
let server;
let browser;

before(async () => {
  server = await Headwater.create('preview');
  browser = await launchBrowser();
  await server.start();
  await server.live('demo', 20);
}, { timeout: 90_000 });

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A viewer who watches already, and leaves when the test ends. */
async function open(t, { url = server.media, hash = HASH, device, kind = PreviewViewer } = {}) {
  const viewer = await kind.open(browser, `${url}/${hash}`, device);
  t.after(() => viewer.context.close());
  await viewer.reaches('playing', 20);
  return viewer;
}

test('the picture is on the canvas within 150 ms of its making, and the sound with it', LIMIT, async (t) => {
  const viewer = await open(t);
  await sleep(5000);
  const { report, latency, sync } = await viewer.look(SECONDS);
  const status = await viewer.status();
  t.diagnostic(JSON.stringify({ latency, sync, page: status.latency, jitter: status.jitter, skips: status.skips, dropped: status.droppedFrames }));
  await viewer.page.screenshot({ path: artifact('preview.png') });
  assert.equal(status.player, 'preview (WebCodecs)');
  assert.ok(report.pictures.length > 0.8 * 30 * SECONDS, `nearly every picture is seen: ${report.pictures.length}`);
  assert.ok(latency.p50 <= 0.15, `half of the pictures are at most 150 ms old: ${latency.p50} s`);
  assert.ok(latency.p95 <= 0.25, `nearly all are at most 250 ms old: ${latency.p95} s`);
  assert.ok(sync.pairs > SECONDS / 2, `flashes are seen with their beeps: ${sync.pairs}`);
  assert.ok(Math.abs(sync.median) <= 40, `sound is heard with its picture: ${sync.median} ms`);
  assert.ok(Math.abs(status.latency - latency.p50) < 0.1, `the page says ${status.latency} s, the picture ${latency.p50} s`);
  assert.equal(status.stalls, 0);
  assert.deepEqual(viewer.failures, []);
});

test('who joins late sees a picture within 300 ms of the opening of the socket', LIMIT, async (t) => {
  const took = [];
  for (let i = 0; i < 3; i++) {
    const viewer = await open(t);
    took.push(await viewer.firstPicture());
    await viewer.context.close();
    // Each at another place of the GOP.
    await sleep(700);
  }
  t.diagnostic(`first picture after ${took.map((ms) => Math.round(ms)).join(', ')} ms`);
  assert.ok(took.sort((a, b) => a - b)[1] <= 300, `usually within 300 ms: ${took}`);
});

test('without WebCodecs the same socket feeds Media Source Extensions', LIMIT, async (t) => {
  const viewer = await open(t, { hash: `${HASH}&decode=mse` });
  assert.equal((await viewer.status()).player, 'preview (MSE)');
  await sleep(4000);
  const moved = await viewer.moved(5);
  const { shown, glass } = await viewer.latency(4);
  const status = await viewer.status();
  t.diagnostic(JSON.stringify({ moved, shown, glass, ...status }));
  await viewer.page.screenshot({ path: artifact('preview-mse.png') });
  assert.ok(moved > 4.5 && moved < 6, `it plays at its speed: ${moved} s within 5 s`);
  assert.ok(glass < 1.2, `close to live: ${glass} s`);
  assert.ok(Math.abs(shown - glass) < 0.2, `the page says ${shown} s, the picture ${glass} s`);
  await viewer.page.keyboard.press('k');
  await viewer.reaches('paused', 5);
  await sleep(3000);
  await viewer.page.keyboard.press('k');
  await viewer.reaches('playing', 5);
  await until('it is close to live again', 10, async () => (await viewer.status()).latency < 1.2);
  assert.deepEqual(viewer.failures, []);
});

test('who has a slow line gets a smaller picture that moves, is told so, and gets the larger one back', LIMIT, async (t) => {
  const line = await SlowLine.to(server.media);
  t.after(() => line.stop());
  const viewer = await open(t, { url: line.url });
  await viewer.showsRung(360, 10);
  const before = line.carried;
  await sleep(3000);
  const usual = (line.carried - before) / 3;
  line.rate = usual * 0.7;
  t.diagnostic(`the line carries ${Math.round(line.rate / 1000)} kB/s of ${Math.round(usual / 1000)}`);
  await viewer.said(/Your line is slow: 240p/, 20);
  await viewer.page.screenshot({ path: artifact('preview-slow.png') });
  await viewer.showsRung(240, 10);
  const moved = await viewer.moved(3);
  assert.ok(moved > 1.5, `it moves: ${moved} s within 3 s`);
  line.rate = Infinity;
  await viewer.said(/Your line is better again: 360p/, 20);
  await viewer.showsRung(360, 10);
  t.diagnostic(JSON.stringify(await viewer.status()));
  assert.deepEqual(viewer.failures, []);
});

test('after a broken line and after a restart of the server it goes on by itself, with the old picture until then', LIMIT, async (t) => {
  const line = await SlowLine.to(server.media);
  t.after(() => line.stop());
  const viewer = await open(t, { url: line.url });
  const again = async (seconds) => {
    const { currentTime } = await viewer.status();
    await until('the picture moves on', seconds, async () => (await viewer.status()).currentTime > currentTime + 1);
  };
  line.cut();
  await again(5);

  await server.kill();
  await viewer.said(/connection is lost/, 10);
  await sleep(1500);
  const veiled = await viewer.page.locator('#veil').isVisible();
  const { width } = await viewer.page.locator('#screen canvas').boundingBox();
  await viewer.page.screenshot({ path: artifact('preview-lost.png') });
  assert.ok(!veiled && width > 300, 'the old picture stays');
  await server.start();
  await again(15);
  await until('nothing is said any more', 5, async () => (await viewer.page.locator('#note').textContent()) === '');
  await viewer.reaches('playing', 5);
  assert.deepEqual(viewer.failures, []);
});

test('the death of an encoder shows as a standby picture, and then the live one goes on', LIMIT, async (t) => {
  const viewer = await open(t);
  const before = await server.live('demo', 20);
  process.kill(before.encoder_pid, 'SIGKILL');
  await viewer.said(/standby picture/, 10);
  await server.live('demo', 15, before.encoder_pid);
  await until('it is live again', 10, async () => {
    const { latency } = await viewer.status();
    return latency !== null && latency < 0.3;
  });
  const moved = await viewer.moved(3);
  assert.ok(moved > 2.5 && moved < 3.5, `it plays at its speed: ${moved} s within 3 s`);
  await viewer.reaches('playing', 5);
  assert.deepEqual(viewer.failures, []);
});

test('the preview is used from the keyboard, and has names', LIMIT, async (t) => {
  const viewer = await open(t);
  const { page } = viewer;
  assert.ok(await page.getByRole('img', { name: 'Live picture' }).isVisible());
  assert.equal(await page.locator('#overlay').getAttribute('aria-live'), 'off');
  assert.equal(await page.locator('#note').getAttribute('aria-live'), 'polite');
  await until('the overlay tells how it goes', 5, async () => {
    const text = await page.locator('#overlay').textContent();
    return /^\d+ ms · 360p · waits \d+ ms · \d+ skipped$/.test(text) || Promise.reject(new Error(text));
  });

  await page.keyboard.press('k');
  const paused = await viewer.reaches('paused', 5);
  assert.ok(await viewer.moved(1) < 0.1, 'it stands');
  await page.getByRole('button', { name: 'Play', exact: true }).press('Enter');
  await viewer.reaches('playing', 5);
  await until('it is live again', 5, async () => {
    const { latency, currentTime } = await viewer.status();
    return latency < 0.5 && currentTime > paused.currentTime;
  });

  await page.keyboard.press('m');
  await page.getByRole('button', { name: 'Sound on' }).press('Enter');
  await until('it can be muted again', 5, () => page.getByRole('button', { name: 'Mute' }).isVisible());

  await page.getByRole('combobox', { name: 'Quality' }).selectOption({ index: 2 });
  await viewer.showsRung(240, 5);
  assert.equal((await viewer.status()).auto, false);

  await page.keyboard.press('f');
  await until('it fills the screen', 5, () => page.evaluate(() => document.fullscreenElement?.id === 'stage'));
  await page.screenshot({ path: artifact('preview-fullscreen.png') });
  await page.keyboard.press('f');

  await page.getByRole('radio', { name: 'Preview' }).press('ArrowLeft');
  await until('dash.js plays instead', 20, async () => (await viewer.status()).player?.startsWith('dash.js'));
  assert.equal(await page.locator('#screen canvas').count(), 0);
  assert.deepEqual(viewer.failures, []);
});

test('on a phone that wants a gesture first, the picture moves without sound until it is tapped', LIMIT, async (t) => {
  const device = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const viewer = await open(t, { device, kind: ShyViewer });
  const tap = viewer.page.getByRole('button', { name: 'Tap for sound' });
  await until('it asks for a tap', 5, async () => await tap.isVisible() || Promise.reject(new Error(JSON.stringify(await viewer.status()))));
  await viewer.page.screenshot({ path: artifact('preview-phone.png') });
  await tap.tap();
  await until('it does not ask any more', 5, async () => !await tap.isVisible());
  const { sync } = await viewer.look(4);
  assert.ok(sync?.pairs > 0, 'the beeps are heard');
});
