import path from 'node:path';
import { createRequire } from 'node:module';
import { root } from './paths.js';

/** Loads a module of the page that needs no browser: its sources, as the page's own bundler reads them. */
export async function load(source) {
  // esbuild comes with Vite, and Vite with the page.
  const fromVite = createRequire(createRequire(path.join(root, 'web/package.json')).resolve('vite/package.json'));
  const { outputFiles: [bundle] } = await fromVite('esbuild').build({
    entryPoints: [path.join(root, 'web/src', source)],
    bundle: true,
    format: 'esm',
    target: 'node18',
    write: false,
  });
  return import(`data:text/javascript,${encodeURIComponent(bundle.text)}`);
}
