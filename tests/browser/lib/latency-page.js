import fs from 'node:fs/promises';
import os from 'node:os';
import { execFileSync } from 'node:child_process';
import { stallsOf, TARGET } from './latency.js';
import { root } from './paths.js';
import { PLAYERS } from './players.js';
import { PREVIEWS } from './preview-latency.js';
import { kindOf, LOW_LATENCY, settingsOf } from './settings.js';

const NAMES = { hls: 'hls.js', dash: 'dash.js', shaka: 'shaka-player', native: 'Chromium itself' };
const [BEGIN, END] = ['<!-- measured -->', '<!-- /measured -->'];

/** What was measured, as Markdown. `load` is the machine's load average before it began: what else it had to do. */
export function table(rows, { browser, seconds, settle, load }) {
  const cores = os.cpus();
  return [
    '| player | protocol | median | 95 % | worst | stalls | leaps | dropped frames | picture | at 2 s or less after |',
    '|---|---|---|---|---|---|---|---|---|---|',
    ...rows.map(line),
    '',
    `Each player alone for ${seconds} s, ${settle} s after it began. Chromium ${browser.version()}, headless, decoding in software; `
      + `Headwater at ${commit()}, ${cores.length} cores (${cores[0].model.trim()}), Linux ${os.release().split('-')[0]}, load of other `
      + `work ${load.toFixed(1)}; ${new Date().toISOString().slice(0, 10)}.`,
  ].join('\n');
}

function line({ name, report, latency, settledAfter }) {
  const figure = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(2)} s`);
  const leaps = report.complaints.filter(({ kind }) => kind === 'jump').length;
  const pictures = latency.read + latency.newer + latency.unreadable;
  const cells = [
    report.player, protocolOf(name), figure(latency.p50), figure(latency.p95), figure(latency.worst),
    report.stalls ?? stallsOf(report).length, leaps, `${latency.dropped} of ${latency.dropped + pictures}`, report.size,
    settledAfter === null ? `not within ${TARGET} s` : `${settledAfter} s`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function protocolOf(name) {
  if (name in PREVIEWS) return 'WebSocket';
  if (name === 'native') return 'HLS';
  return PLAYERS[name].endsWith('.mpd') ? 'LL-DASH' : 'LL-HLS';
}

function commit() {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], { cwd: root, encoding: 'utf8' }).trim();
  } catch {
    return 'an unknown commit';
  }
}

/** What was set in the players, as Markdown. */
export function settingsList(names) {
  return [...new Set(names.map(kindOf))].map((kind) => {
    const settings = settingsOf(kind, LOW_LATENCY);
    const nothing = Object.keys(settings).length === 0;
    return `- ${NAMES[kind]}: ${nothing ? 'nothing' : `\`${JSON.stringify(settings)}\``}`;
  }).join('\n');
}

/** Puts what was measured between the marks in the page. */
export async function write(file, text) {
  const page = await fs.readFile(file, 'utf8');
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${file} has no place for what was measured: write ${BEGIN} and ${END} into it`);
  await fs.writeFile(file, `${page.slice(0, begin)}${BEGIN}\n${text}\n${page.slice(end)}`);
}
