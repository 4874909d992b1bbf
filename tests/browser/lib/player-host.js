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
    const file = locate(new URL(request.url, 'http://localhost').pathname, media);
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

function locate(pathname, media) {
  if (SCRIPTS[pathname]) return SCRIPTS[pathname];
  const [base, name] = media && pathname.startsWith('/media/')
    ? [media, pathname.slice('/media/'.length)]
    : [path.join(here, 'pages'), pathname.slice(1)];
  const file = path.join(base, name);
  return file.startsWith(base + path.sep) ? file : undefined;
}
