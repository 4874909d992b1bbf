// Measures glass to glass how late players show the demo channel, one after another, and writes it into docs/latency.md.
// Exit code 1 if a player with low latency did not settle at the target, or stalled.
//
//   node latency.js [--players preview-360,preview-720,hls,dash,shaka,shaka-hls,native] [--seconds 60] [--settle 30]
//     [--url http://127.0.0.1:8080/live/demo]   a server that runs already, and nothing is written
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { launchBrowser } from './lib/browser.js';
import { Headwater } from './lib/headwater.js';
import { measure, stallsOf, TARGET } from './lib/latency.js';
import { settingsList, table, write } from './lib/latency-page.js';
import { root } from './lib/paths.js';
import { startPlayerHost } from './lib/player-host.js';
import { measurePreview, previewList, PREVIEWS, shortcomings } from './lib/preview-latency.js';
import { describe } from './lib/players.js';
import { stagesTable } from './lib/stages.js';
import { sleep } from './lib/wait.js';

const { values } = parseArgs({
  options: {
    players: { type: 'string', default: 'preview-360,preview-720,hls,dash,shaka,shaka-hls,native' },
    seconds: { type: 'string', default: '60' },
    settle: { type: 'string', default: '30' },
    url: { type: 'string' },
  },
});
const names = values.players.split(',');
const players = names.filter((name) => !(name in PREVIEWS));
const times = { settle: Number(values.settle), seconds: Number(values.seconds) };
const load = os.loadavg()[0];
const server = values.url ? null : await Headwater.builtIn('latency');
const host = await startPlayerHost();
const browser = await launchBrowser();
try {
  await server?.start();
  // So that players find a playlist as long as that of a channel that runs.
  if (server) await sleep(20_000);
  const base = values.url?.replace(/\/$/, '') ?? `${server.media}/live/demo`;
  const previews = await inTurn(names.filter((name) => name in PREVIEWS), (name) => watchPreview(base, name));
  const rows = [...previews, ...await inTurn(players, (name) => watchPlayer(base, name))];
  const measured = table(rows, { browser, load, ...times });
  console.log(`\n${measured}`);
  if (server) {
    const stages = stagesTable(await server.metrics(), ['360p', 'audio-und']);
    const settings = `Set in the players:\n\n${settingsList(players)}`;
    const text = [measured, previewList(previews), settings, stages].filter(Boolean).join('\n\n');
    await write(path.join(root, 'docs/latency.md'), text);
  }
} finally {
  await browser.close();
  host.stop();
  await server?.stop();
}

/** One after another, as they would measure each other. */
async function inTurn(names, watch) {
  const rows = [];
  for (const name of names) rows.push(await watch(name));
  return rows;
}

async function watchPreview(base, name) {
  const row = await measurePreview(browser, new URL(base).origin, base.split('/').at(-1), name, times);
  const { report, latency, first, sync } = row;
  console.log(`${name}: ${JSON.stringify({ ...report, latency, first, sync })}`);
  // The larger picture is more than two cores can decode beside the encoder; it is told and not judged.
  const wrong = name === 'preview-360' ? shortcomings(row) : [];
  for (const what of wrong) console.log(`  ${what}`);
  if (wrong.length > 0) process.exitCode = 1;
  return row;
}

async function watchPlayer(base, name) {
  const row = await measure(browser, host.url, base, name, times);
  console.log(describe(name, row.report));
  console.log(`  by second: ${row.medians.map((median) => median?.toFixed(2) ?? '-').join(' ')}`);
  if (name !== 'native' && (row.latency.p50 > TARGET || stallsOf(row.report).length > 0)) process.exitCode = 1;
  return row;
}
