// The judge judged: bare players on a presentation made by ffmpeg, which is a good one until ffmpeg is killed.
import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { launchBrowser } from './lib/browser.js';
import { startPlayerHost } from './lib/player-host.js';
import { Audience } from './lib/players.js';
import { tell } from './lib/verdict.js';
import { sleep, until } from './lib/wait.js';

test('the harness is silent while a stream is well, and complains when it dries up', { timeout: 90_000 }, async (t) => {
  const media = await fs.mkdtemp(path.join(os.tmpdir(), 'headwater-harness-'));
  t.after(() => fs.rm(media, { recursive: true, force: true }));
  const encoder = spawn('ffmpeg', [
    '-hide_banner', '-loglevel', 'error', '-re',
    '-f', 'lavfi', '-i', 'testsrc2=size=426x240:rate=25', '-f', 'lavfi', '-i', 'sine=sample_rate=48000',
    '-c:v', 'libx264', '-preset', 'ultrafast', '-g', '50', '-sc_threshold', '0', '-pix_fmt', 'yuv420p', '-c:a', 'aac',
    '-f', 'dash', '-seg_duration', '2', '-window_size', '10', '-extra_window_size', '5',
    '-hls_playlist', '1', '-hls_master_name', 'index.m3u8', 'manifest.mpd',
  ], { cwd: media, stdio: 'ignore' });
  t.after(() => encoder.kill('SIGKILL'));
  const host = await startPlayerHost({ media });
  t.after(() => host.stop());
  const browser = await launchBrowser();
  t.after(() => browser.close());
  await until('ffmpeg has made six segments', 40, async () => (
    (await fs.readdir(media)).some((name) => name.endsWith('stream0-00006.m4s'))));

  // hls.js alone, as all players are watched by the same probe: ffmpeg's MPD asks for no delay, so that DASH players on it
  // run dry whenever the machine is busy, and Chromium's own HLS often fails to start (see pages/native.html).
  const audience = await Audience.seat(browser, host.url, `${host.url}/media`, ['hls']);
  await sleep(6000);
  const well = await audience.reports();
  for (const [name, report] of Object.entries(well)) {
    assert.deepEqual(report.complaints, [], `${name} plays well\n${tell(well)}`);
    assert.ok(report.frames > 100, `${name} shows pictures\n${tell(well)}`);
  }

  encoder.kill('SIGKILL');
  await once(encoder, 'exit');
  await until('every player is seen to stall', 30, async () => {
    const reports = await audience.reports();
    const stalled = Object.values(reports).every(({ complaints }) => complaints.some(({ kind }) => kind === 'frozen'));
    if (!stalled) throw new Error(tell(reports));
    return true;
  });
});
