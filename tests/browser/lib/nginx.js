import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { root } from './paths.js';
import { freeTcpPort } from './ports.js';
import { until } from './wait.js';

/** nginx over the files of a store, as cdn-config/nginx/directory.conf sets it up: nothing in front of players but files. */
export class Nginx {
  #child;
  #directory;

  /** @param {string} store directory of the store */
  static async over(store) {
    const nginx = new Nginx();
    const port = await freeTcpPort();
    nginx.url = `http://127.0.0.1:${port}`;
    nginx.#directory = await fs.mkdtemp(path.join(os.tmpdir(), 'headwater-nginx-'));
    const example = await fs.readFile(path.join(root, 'cdn-config/nginx/directory.conf'), 'utf8');
    const settings = { 'listen 8000;': `listen 127.0.0.1:${port};`, 'root /var/lib/headwater;': `root ${store};` };
    // Another user may not enter the directory of a test.
    if (process.getuid() === 0) settings['worker_processes 1;'] = 'worker_processes 1;\nuser root;';
    const file = path.join(nginx.#directory, 'nginx.conf');
    await fs.writeFile(file, Object.entries(settings).reduce(replaced, example));
    // Not in everybody's PATH, though everybody may run it.
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` };
    const args = ['-e', 'stderr', '-g', 'daemon off;', '-p', nginx.#directory, '-c', file];
    nginx.#child = spawn('nginx', args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    nginx.#child.on('error', (error) => { nginx.failure = error; });
    await until('nginx answers', 10, async () => {
      if (nginx.failure) throw nginx.failure;
      return fetch(nginx.url, { signal: AbortSignal.timeout(1000) });
    });
    return nginx;
  }

  async stop() {
    if (this.#child.exitCode === null && !this.failure) {
      this.#child.kill('SIGTERM');
      await once(this.#child, 'exit');
    }
    await fs.rm(this.#directory, { recursive: true, force: true });
  }
}

function replaced(text, [setting, value]) {
  if (!text.includes(setting)) throw new Error(`directory.conf does not have "${setting}", which tests replace`);
  return text.replace(setting, value);
}
