// Watches a presentation of a running server with bare players, and tells every stall. Exit code 1 if there was one.
//
//   node play.js http://127.0.0.1:8080/live/demo [--players hls,dash,shaka,shaka-hls,native] [--seconds 30]
//     [--settings '{"hls": {"maxLiveSyncPlaybackRate": 1.1}}']
import { parseArgs } from 'node:util';
import { launchBrowser } from './lib/browser.js';
import { startPlayerHost } from './lib/player-host.js';
import { Audience, describe, PLAYERS } from './lib/players.js';
import { sleep } from './lib/wait.js';

const { positionals: [base], values } = parseArgs({
  allowPositionals: true,
  options: {
    players: { type: 'string', default: Object.keys(PLAYERS).join(',') },
    seconds: { type: 'string', default: '30' },
    settings: { type: 'string', default: '{}' },
  },
});
const unknown = values.players.split(',').find((name) => !(name in PLAYERS));
if (unknown) throw new Error(`there is no player ${unknown}; there are ${Object.keys(PLAYERS).join(', ')}`);
if (!base) throw new Error('say which presentation, for example http://127.0.0.1:8080/live/demo');

const host = await startPlayerHost();
const browser = await launchBrowser();
try {
  const audience = await Audience.seat(browser, host.url, base.replace(/\/$/, ''), values.players.split(','), JSON.parse(values.settings));
  console.log(`all play; watching for ${values.seconds} s`);
  await sleep(Number(values.seconds) * 1000);
  for (const [name, report] of Object.entries(await audience.reports())) {
    console.log(describe(name, report));
    if (report.complaints.length > 0) process.exitCode = 1;
  }
} finally {
  await browser.close();
  host.stop();
}
