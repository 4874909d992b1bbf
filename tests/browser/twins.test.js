import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Balancer } from './lib/balancer.js';
import { Headwater } from './lib/headwater.js';
import { freeUdpPort } from './lib/ports.js';
import { Sender } from './lib/sender.js';
import { Theatre } from './lib/theatre.js';
import { assertUndisturbed, tell } from './lib/verdict.js';
import { sleep } from './lib/wait.js';

const LIMIT = { timeout: 180_000 };
/** How much later the second origin is started, in seconds. */
const LATER = 3;
/** What both list before anybody watches. */
const WINDOW = '12s';
/** No larger than it is encoded: two servers and two players share the cores. */
const PATTERN = 'test:?size=640x360';
const theatre = new Theatre();

/** Two origins with a balancer in front, and bare players that watch through it. All go when the test ends. */
async function twins(t, name, sources) {
  const servers = [];
  for (const [index, source] of sources.entries()) {
    if (index > 0) await sleep(LATER * 1000);
    const server = await Headwater.create(`${name}-${index}`, { demo: { ...source, window: WINDOW, readyAfter: WINDOW } });
    t.after(() => server.stop());
    await server.start();
    servers.push(server);
  }
  await Promise.all(servers.map((server) => server.ready(40)));
  const balancer = await Balancer.over(servers.map((server) => server.media));
  t.after(() => balancer.stop());
  const viewers = await theatre.seat(t, `${balancer.url}/live/demo`, ['hls', 'dash']);
  await viewers.settle(6);
  return { servers, balancer, viewers };
}

async function assertPlaysOn(t, balancer, viewers) {
  const reports = await viewers.reports();
  t.diagnostic(`refused: ${balancer.refused.join('\n') || 'nothing'}`);
  t.diagnostic(tell(reports));
  assertUndisturbed(reports);
}

/** One encoder that sends the same transport stream to two packagers, and the channel of each. */
async function camera(t) {
  const ports = [await freeUdpPort(), await freeUdpPort()];
  const sender = new Sender(...ports);
  sender.plugIn();
  t.after(() => sender.unplug());
  return ports.map((port) => ({ source: `udp://127.0.0.1:${port}`, timing: 'source' }));
}

for (const [what, sources] of [
  ['the test source', async () => [{ source: PATTERN }, { source: PATTERN }]],
  ['a transport stream', camera],
]) {
  test(`hls.js and dash.js play on while two origins of ${what} take turns, and when one is killed, comes back, and the other one is killed`, LIMIT, async (t) => {
    const { servers, balancer, viewers } = await twins(t, 'twins', await sources(t));
    balancer.turnEvery(5);
    await sleep(26_000);
    balancer.rest();
    assert.ok(balancer.asked.every((count) => count > 50), `both were asked: ${balancer.asked}`);
    const { current } = balancer;
    const other = 1 - current;
    await servers[current].kill();
    await sleep(6000);
    assert.equal(balancer.current, other, 'the other one answers');
    await servers[current].start();
    await servers[current].ready(40);
    await servers[current].live('demo', 40);
    assert.equal(balancer.current, other, 'nobody asks who comes back yet');
    await servers[other].kill();
    await sleep(12_000);
    assert.equal(balancer.current, current, 'who came back answers');
    await assertPlaysOn(t, balancer, viewers);
  });
}
