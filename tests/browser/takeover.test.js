import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { randomBytes } from 'node:crypto';
import { Headwater, TARGET_DURATION } from './lib/headwater.js';
import { PATIENT } from './lib/settings.js';
import { Theatre } from './lib/theatre.js';
import { assertUndisturbed, tell } from './lib/verdict.js';
import { sleep, until } from './lib/wait.js';

const LIMIT = { timeout: 150_000 };
/** No larger than it is encoded: two encoders and two players share the cores. */
const CHANNEL = { demo: { source: 'test:?size=640x360', window: '20s' } };
const theatre = new Theatre();

/** Two packagers on one store, of which the second stands by, and an origin node that is told the edge. */
async function site(t) {
  const shared = await fs.mkdtemp(path.join(os.tmpdir(), 'headwater-site-'));
  t.after(() => fs.rm(shared, { recursive: true, force: true }));
  const secret = path.join(shared, 'secret');
  await fs.writeFile(secret, randomBytes(24).toString('hex'));
  const lines = `edge_secret_file = "${secret}"\n`;
  const data = path.join(shared, 'data');
  const server = async (name, place) => {
    const created = await Headwater.create(`takeover-${name}`, CHANNEL, 'open', { data, ...place });
    t.after(() => created.stop());
    return created;
  };
  const packagers = [await server('first', { lines }), await server('second', { lines })];
  const from = packagers.map(({ media }) => `"${media}"`).join(', ');
  const node = await server('node', { lines: `${lines}edge_from = [${from}]\n`, role: 'origin' });
  await packagers[0].start();
  packagers[1].launch();
  await until('the second packager stands by', 20, async () => (await packagers[1].status()).state === 'standby');
  await node.start();
  return { packagers, node };
}

test('hls.js and dash.js play from an origin node, and on when its packager is killed and another takes over', LIMIT, async (t) => {
  const { packagers, node } = await site(t);
  const viewers = await theatre.seat(t, `${node.media}/live/demo`, ['hls', 'dash'], PATIENT);
  await viewers.settle(6);
  await sleep(12_000);
  const calm = await viewers.reports();
  t.diagnostic(tell(calm));
  assertUndisturbed(calm);

  await packagers[0].kill();
  await sleep(15_000);
  const before = await viewers.reports();
  await sleep(5000);
  const reports = await viewers.reports();
  t.diagnostic(tell(reports));
  assert.equal((await packagers[1].status()).takeovers, 1);
  for (const [name, report] of Object.entries(reports)) {
    const played = report.currentTime - before[name].currentTime;
    assert.ok(played > 4.5, `${name} plays on; it played ${played.toFixed(1)} s of the last 5\n${tell(reports)}`);
    const stood = report.complaints.reduce((sum, complaint) => sum + (complaint.seconds ?? 0), 0);
    assert.ok(stood <= 3 * TARGET_DURATION, `${name} stood for at most three target durations\n${tell(reports)}`);
  }
});
