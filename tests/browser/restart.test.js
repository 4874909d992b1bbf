import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alive, Headwater, TARGET_DURATION } from './lib/headwater.js';
import { describe } from './lib/players.js';
import { PATIENT } from './lib/settings.js';
import { Theatre } from './lib/theatre.js';
import { tell } from './lib/verdict.js';
import { sleep, until } from './lib/wait.js';

/** Longer than any of the players sits behind the live edge, so that all of them play across what happened. */
const ACROSS = 14;
const LIMIT = { timeout: 240_000 };
const theatre = new Theatre();

/** Half a minute is longer than that. */
const WINDOW = '28s';

/** A server, and players on its channel. All go when the test ends. */
async function site(t) {
  const channels = { demo: { source: 'test:?size=640x360', window: WINDOW } };
  const server = await Headwater.create('restart', channels, 'open', { remembers: true });
  t.after(() => server.stop());
  await server.start();
  const viewers = await theatre.seat(t, `${server.media}/live/demo`, ['hls', 'dash', 'shaka'], PATIENT);
  return { server, viewers };
}

/** For how many seconds a player's clock stood since `moment`. */
function stoodSince(moment, { complaints }) {
  const spans = complaints.filter(({ seconds }) => seconds).map(({ at, seconds }) => [at - 500, at - 500 + seconds * 1000]);
  return spans.reduce((sum, [from, to]) => sum + Math.max(0, to - Math.max(from, moment)), 0) / 1000;
}

/** The server goes, and comes back after `away` seconds: everybody plays on by themselves. */
async function assertComesBack(t, { server, viewers }, { going, away }) {
  await viewers.settle(5);
  const { encoder_pid: orphan } = await server.live('demo', 20);
  await server[going]();
  await sleep(away * 1000);
  const back = Date.now();
  await server.start();
  await until('the encoder of the server that went is gone', 5, () => !alive(orphan));
  await sleep(ACROSS * 1000);

  const before = await viewers.reports();
  await sleep(5000);
  const reports = await viewers.reports();
  t.diagnostic(`${going}, away for ${away} s\n${tell(reports)}`);
  for (const [name, report] of Object.entries(reports)) {
    const played = report.currentTime - before[name].currentTime;
    assert.ok(played > 4.5, `${name} plays on without a reload; it played ${played.toFixed(1)} s of the last 5\n${describe(name, report)}`);
    const stood = stoodSince(back, report);
    t.diagnostic(`${name} stood for ${stood.toFixed(1)} s since the server was started`);
    assert.ok(stood <= 3 * TARGET_DURATION, `${name} resumes within three target durations; it stood for ${stood.toFixed(1)} s\n${describe(name, report)}`);
  }
}

test('hls.js, dash.js and shaka play on after the server was away, for a second or for longer than its window', LIMIT, async (t) => {
  const all = await site(t);
  await assertComesBack(t, all, { going: 'kill', away: 1 });
  await assertComesBack(t, all, { going: 'halt', away: 1 });
  await assertComesBack(t, all, { going: 'kill', away: 30 });
});
