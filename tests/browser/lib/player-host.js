import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { here } from './paths.js';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.m3u8': 'application/vnd.apple.mpegurl' };
const require = createRequire(import.meta.url);
const modules = path.dirname(path.dirname(require.resolve('hls.js/package.json')));

/** What is served, by the first element of the path. */
const SCRIPTS = {
  '/hls.js': path.join(modules, 'hls.js/dist/hls.js'),
  '/dash.js': path.join(modules, 'dashjs/dist/modern/umd/dash.all.debug.js'),
  '/shaka.js': path.join(modules, 'shaka-player/dist/shaka-player.compiled.debug.js'),
};

/**
 * Serves the bare player pages on loopback, on another origin than the media, as a customer's site would.
 * `media`, if given, is a directory served under `/media/`.
 *
 * @param {{media?: string}} [options]
 */
export async function startPlayerHost({ media } = {}) {
  const server = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    if (pathname === '/first-rung.m3u8') return void firstRung(searchParams.get('of'), response);
    const file = locate(pathname, media);
    response.setHeader('Access-Control-Allow-Origin', '*');
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('Content-Type', TYPES[path.extname(file ?? '')] ?? 'application/octet-stream');
    fs.readFile(file ?? '', (error, body) => (error ? response.writeHead(404).end() : response.end(body)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/**
 * A multivariant playlist reduced to its first rung. Chromium 156 starts its own HLS at the lowest rung, goes up after the
 * first segment, and gives up ("Segment queue never had any data") if it then has to wait for the next one: about one
 * start in three, which says nothing about what is judged here.
 */
async function firstRung(of, response) {
  const text = await (await fetch(of)).text();
  const lines = text.split('\n').map((line) => line.replace(/(URI="|^(?!#|$))([^"]+)/, (_, before, uri) => before + new URL(uri, of)));
  const second = lines.findIndex((line, i) => line.startsWith('#EXT-X-STREAM-INF') && lines.slice(0, i).some((l) => l.startsWith('#EXT-X-STREAM-INF')));
  response.setHeader('Content-Type', TYPES['.m3u8']);
  response.end(`${lines.slice(0, second < 0 ? undefined : second).join('\n')}\n`);
}

function locate(pathname, media) {
  if (SCRIPTS[pathname]) return SCRIPTS[pathname];
  const [base, name] = media && pathname.startsWith('/media/')
    ? [media, pathname.slice('/media/'.length)]
    : [path.join(here, 'pages'), pathname.slice(1)];
  const file = path.join(base, name);
  return file.startsWith(base + path.sep) ? file : undefined;
}
