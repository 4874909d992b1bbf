import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launchBrowser } from './lib/browser.js';
import { Headwater } from './lib/headwater.js';
import { startPlayerHost } from './lib/player-host.js';
import { Audience } from './lib/players.js';
import { freeUdpPort } from './lib/ports.js';
import { Sender } from './lib/sender.js';
import { assertUndisturbed, tell } from './lib/verdict.js';
import { sleep } from './lib/wait.js';

/** Longer than any of the players sits behind the live edge, so that all of them play across what happened. */
const ACROSS = 18;
const LIMIT = { timeout: 120_000 };
let server;
let sender;
let host;
let browser;

before(async () => {
  sender = new Sender(await freeUdpPort());
  sender.plugIn();
  // No larger than they are encoded: two encoders and five players share the cores.
  server = await Headwater.create('resilience', { demo: 'test:?size=640x360', camera: `udp://127.0.0.1:${sender.port}` });
  host = await startPlayerHost();
  browser = await launchBrowser();
  await server.start();
}, { timeout: 90_000 });

after(async () => {
  await browser?.close();
  host?.stop();
  await server?.stop();
  await sender?.unplug();
});

/** Players on a channel, which leave when the test ends. */
async function audience(t, channel, names) {
  const seated = await Audience.seat(browser, host.url, `${server.media}/live/${channel}`, names);
  t.after(() => seated.leave());
  return seated;
}

test('hls.js, dash.js, shaka and Chromium play through the kill of an encoder, and another channel does not notice', LIMIT, async (t) => {
  const viewers = await audience(t, 'demo');
  const neighbours = await audience(t, 'camera', ['hls']);
  const before = await server.live('demo', 20);
  const neighbour = await server.live('camera', 20);
  await Promise.all([viewers.settle(5), neighbours.settle(5)]);

  process.kill(before.encoder_pid, 'SIGKILL');
  await server.live('demo', 15, before.encoder_pid);
  await sleep(ACROSS * 1000);

  const reports = await viewers.reports();
  t.diagnostic(tell(reports));
  const { filler_parts: fillerParts } = await server.status('demo');
  assert.ok(fillerParts > before.filler_parts, 'the channel was filled while there was no encoder');
  assertUndisturbed(reports);
  assertUndisturbed(await neighbours.reports());
  assert.equal((await server.status('camera')).filler_parts, neighbour.filler_parts, 'the other channel needed no filler');
});

test('hls.js, dash.js, shaka and Chromium play through a source that is unplugged for 10 s', LIMIT, async (t) => {
  const viewers = await audience(t, 'camera');
  const before = await server.live('camera', 20);
  await viewers.settle(5);

  await sender.unplug();
  await sleep(10_000);
  const during = await server.status('camera');
  sender.plugIn();
  await server.live('camera', 15);
  await sleep(ACROSS * 1000);

  const reports = await viewers.reports();
  t.diagnostic(tell(reports));
  assert.notEqual(during.state, 'live', 'the operator is told that the source is gone');
  assert.ok(during.filler_parts > before.filler_parts, 'the channel was filled while there was no source');
  assertUndisturbed(reports);
});
