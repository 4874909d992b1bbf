// What lies in a store is a presentation by itself: real players play its files, and ask the server for nothing.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { Headwater, run } from './lib/headwater.js';
import { Nginx } from './lib/nginx.js';
import { Theatre } from './lib/theatre.js';
import { assertUndisturbed, tell } from './lib/verdict.js';
import { sleep, until } from './lib/wait.js';

const LIMIT = { timeout: 150_000 };
/** No larger than it is encoded: an encoder and three players share two cores. */
const CHANNEL = { demo: { source: 'test:?size=640x360', window: '30s' } };
const PLAYERS = ['hls', 'dash', 'shaka'];
const FILM_SECONDS = 6;
const theatre = new Theatre();

/** A server, and nginx over its store. */
async function site(t) {
  const server = await Headwater.create('bucket', CHANNEL);
  t.after(() => server.stop());
  await server.start();
  const files = await Nginx.over(server.data);
  t.after(() => files.stop());
  return { server, files };
}

/** Waits until the store lists so many segments of all that players may choose. */
async function listed(files, segments) {
  for (const track of ['360p', '240p', 'audio-und']) {
    await until(`the store lists ${segments} segments of ${track}`, 30, async () => {
      const list = await (await fetch(`${files.url}/live/demo/${track}/index.m3u8`)).text();
      return list.split('#EXTINF').length > segments;
    });
  }
}

test('hls.js, dash.js and shaka play a live channel from the files of a store, and a packaged one', LIMIT, async (t) => {
  const { server, files } = await site(t);
  await listed(files, 5);
  const viewers = await theatre.seat(t, `${files.url}/live/demo`, PLAYERS);
  await viewers.settle(5);
  await sleep(15_000);
  const live = await viewers.reports();
  t.diagnostic(tell(live));
  assertUndisturbed(live);
  await viewers.leave();

  const film = path.join(server.directory, 'film.mp4');
  await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25', '-f', 'lavfi', '-i', 'sine',
    '-t', FILM_SECONDS, '-c:v', 'libx264', '-preset', 'ultrafast', '-g', 25, '-pix_fmt', 'yuv420p', '-c:a', 'aac', film].map(String));
  await server.package(film, 'film');
  await server.halt();
  const audience = await theatre.seat(t, `${files.url}/vod/film`, PLAYERS);
  const played = await until('every player has come to the end', FILM_SECONDS + 20, async () => {
    const reports = await audience.reports();
    return Object.values(reports).every(({ ended }) => ended) ? reports : Promise.reject(new Error(tell(reports)));
  });
  t.diagnostic(tell(played));
  for (const [name, { currentTime, complaints }] of Object.entries(played)) {
    // dash.js may go back by half a second when it has ended: pages/dash.html.
    assert.ok(Math.abs(currentTime - FILM_SECONDS) < 0.6, `${name} ended at ${currentTime} s`);
    assert.deepEqual(complaints, [], `${name}\n${tell(played)}`);
  }
});
