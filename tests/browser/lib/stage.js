import assert from 'node:assert/strict';
import { launchBrowser } from './browser.js';
import { Headwater } from './headwater.js';
import { startPlayerHost } from './player-host.js';
import { describe } from './players.js';

/**
 * A running server, a browser, and a site with bare players, all taken down when the test `t` ends.
 *
 * @param {import('node:test').TestContext} t
 * @param {{name: string, source?: string}} options
 */
export async function stage(t, options) {
  const server = await Headwater.create(options);
  t.after(() => server.stop());
  const host = await startPlayerHost();
  t.after(() => host.stop());
  const browser = await launchBrowser();
  t.after(() => browser.close());
  await server.start();
  return { server, browser, host: host.url, demo: `${server.media}/live/demo` };
}

/** Fails if any player had anything to complain about. */
export function assertUndisturbed(reports) {
  const complaints = Object.values(reports).flatMap((report) => report.complaints);
  assert.equal(complaints.length, 0, `a viewer was disturbed\n${tell(reports)}`);
}

/** All reports, for a human. */
export const tell = (reports) => Object.entries(reports).map(([name, report]) => describe(name, report)).join('\n');
