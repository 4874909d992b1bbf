import assert from 'node:assert/strict';
import { describe } from './players.js';

/** Fails if any player had anything to complain about, or did not play all the time since the audience had settled. */
export function assertUndisturbed(reports) {
  for (const [name, { judged }] of Object.entries(reports)) {
    // Players that find their latency play up to a tenth slower or faster.
    assert.ok(judged.played > 0.85 * judged.seconds, `${name} played ${judged.played.toFixed(1)} of ${judged.seconds.toFixed(1)} s\n${tell(reports)}`);
  }
  const complaints = Object.values(reports).flatMap((report) => report.complaints);
  assert.equal(complaints.length, 0, `a viewer was disturbed\n${tell(reports)}`);
}

/** All reports, for a human. */
export const tell = (reports) => Object.entries(reports).map(([name, report]) => describe(name, report)).join('\n');
