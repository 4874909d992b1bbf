import assert from 'node:assert/strict';
import test from 'node:test';
import { alive, TARGET_DURATION } from './lib/headwater.js';
import { Audience } from './lib/players.js';
import { freeUdpPort } from './lib/ports.js';
import { Sender } from './lib/sender.js';
import { assertUndisturbed, stage, tell } from './lib/stage.js';
import { sleep, until } from './lib/wait.js';

/** Longer than any of the players sits behind the live edge, so that all of them play across what happened. */
const ACROSS = 18;
const LIMIT = { timeout: 120_000 };

test('hls.js, dash.js, shaka and Chromium play through the kill of an encoder', LIMIT, async (t) => {
  const { server, browser, host, demo } = await stage(t, { name: 'encoder-killed' });
  const audience = await Audience.seat(browser, host, demo);
  const before = await server.live(20);
  await audience.settle(5);

  process.kill(before.encoder_pid, 'SIGKILL');
  const after = await server.live(15, before.encoder_pid);
  await sleep(ACROSS * 1000);

  const reports = await audience.reports();
  t.diagnostic(tell(reports));
  assert.ok(after.filler_parts > before.filler_parts, 'the channel was filled while there was no encoder');
  assertUndisturbed(reports);
});

test('hls.js, dash.js, shaka and Chromium play through a source that is unplugged for 10 s', LIMIT, async (t) => {
  const sender = new Sender(await freeUdpPort());
  t.after(() => sender.unplug());
  sender.plugIn();
  const { server, browser, host, demo } = await stage(t, {
    name: 'source-unplugged',
    source: `udp://127.0.0.1:${sender.port}`,
  });
  const audience = await Audience.seat(browser, host, demo);
  const before = await server.live(20);
  await audience.settle(5);

  await sender.unplug();
  await sleep(10_000);
  const during = await server.status();
  sender.plugIn();
  await server.live(15);
  await sleep(ACROSS * 1000);

  const reports = await audience.reports();
  t.diagnostic(tell(reports));
  assert.notEqual(during.state, 'live', 'the operator is told that the source is gone');
  assert.ok(during.filler_parts > before.filler_parts, 'the channel was filled while there was no source');
  assertUndisturbed(reports);
});

test('hls.js and dash.js play on after the kill of the server and a restart', LIMIT, async (t) => {
  const { server, browser, host, demo } = await stage(t, { name: 'server-killed' });
  const audience = await Audience.seat(browser, host, demo, ['hls', 'dash'], { patient: true });
  const { encoder_pid: orphan } = await server.live(20);
  await audience.settle(5);

  await server.kill();
  await sleep(1000);
  await server.start();
  await until('the encoder of the killed server is gone', 5, () => !alive(orphan));
  await sleep(ACROSS * 1000);

  const before = await audience.reports();
  await sleep(5000);
  const after = await audience.reports();
  t.diagnostic(tell(after));
  for (const [name, report] of Object.entries(after)) {
    const played = report.currentTime - before[name].currentTime;
    assert.ok(played > 4.5, `${name} plays on without a reload; it played ${played.toFixed(1)} s of the last 5\n${tell(after)}`);
    const stood = report.complaints.reduce((sum, complaint) => sum + (complaint.seconds ?? 0), 0);
    assert.ok(stood <= 3 * TARGET_DURATION, `${name} resumes within three target durations; it stood ${stood} s`);
  }
});
