import { defineConfig } from 'vite';

// `npm run dev` shows the page with live reload, in front of a server that runs already.
const server = process.env.HEADWATER_URL ?? 'http://127.0.0.1:8080';
const paths = ['/channels.json', '/live', '/vod', '/time'];
const proxy = Object.fromEntries(paths.map((path) => [path, { target: server, ws: true }]));

export default defineConfig({
  // Relative, so that the page also works below a path of a reverse proxy.
  base: './',
  // A player is half a megabyte and more; it is loaded when it is chosen.
  build: { target: 'es2022', chunkSizeWarningLimit: 1200 },
  worker: { format: 'es' },
  server: { proxy },
});
