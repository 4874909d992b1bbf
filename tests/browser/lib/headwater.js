import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createWriteStream, existsSync } from 'node:fs';
import { once } from 'node:events';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { artifact, headwaterBinary } from './paths.js';
import { freeTcpPort } from './ports.js';
import { until, within } from './wait.js';

/** Target duration of the channels under test, in seconds. */
export const TARGET_DURATION = 2;

/** A small ladder, so that two cores carry the encoder and four software decoders. */
const channelConfig = (access) => ([name, { source, timing = 'clock', window = '60s', readyAfter = '0s' }]) => `
[channel.${name}]
source = "${source}"
timing = "${timing}"
access = "${access}"
segment = "${TARGET_DURATION}s"
part = "400ms"
window = "${window}"
ready_after = "${readyAfter}"
[[channel.${name}.video]]
height = 360
bitrate = "600k"
preset = "ultrafast"
[[channel.${name}.video]]
height = 240
bitrate = "250k"
preset = "ultrafast"
[[channel.${name}.audio]]
bitrate = "96k"
`;

/** The real server, with ports and a data directory of its own. */
export class Headwater {
  #child = null;
  #arguments;
  #config;
  #fields = {};
  #log;
  /** What outlives a process, if anything does. */
  #memory;

  /**
   * @param {string} name of the log in test-artifacts
   * @param {Record<string, string | {source: string, timing?: string, window?: string, readyAfter?: string}>} [channels] sources by the channel's name
   * @param {'open' | 'signed'} [access] who may watch them
   * @param {{data?: string, lines?: string, role?: string, remembers?: boolean}} [place] where the store is, if others have it
   *   too; more lines of `[server]`; what the server does; and whether what it has told viewers outlives its process
   */
  static async create(name, channels = { demo: 'test:' }, access = 'open', { data, lines = '', role, remembers } = {}) {
    const server = await Headwater.builtIn(name);
    server.channels = channels;
    server.data = data ?? server.data;
    if (role) server.#arguments.push('--role', role);
    if (remembers && existsSync('/dev/shm')) server.#memory = await fs.mkdtemp('/dev/shm/headwater-browser-');
    const config = path.join(server.directory, 'headwater.toml');
    const secret = path.join(server.directory, 'secret');
    await fs.writeFile(secret, randomBytes(48).toString('base64'));
    const key = `[access.key.main]\nsecret_file = "${secret}"\n`;
    const asTable = ([channel, source]) => [channel, typeof source === 'string' ? { source } : source];
    const tables = Object.entries(channels).map(asTable).map(channelConfig(access)).join('');
    await fs.writeFile(config, `[server]\n${lines}[store]\nurl = "${server.data}"\n${key}${tables}`);
    server.#arguments.push('--config', config);
    server.#config = config;
    if (access === 'signed') server.#fields = { Authorization: `Bearer ${await server.token('/')}` };
    return server;
  }

  /** The server as it comes without a configuration: one demo channel, with a ladder of three rungs. */
  static async builtIn(name) {
    const server = new Headwater();
    server.channels = { demo: 'test:' };
    server.directory = await fs.mkdtemp(path.join(os.tmpdir(), 'headwater-browser-'));
    server.data = path.join(server.directory, 'data');
    const [media, control] = [`127.0.0.1:${await freeTcpPort()}`, `127.0.0.1:${await freeTcpPort()}`];
    server.media = `http://${media}`;
    server.control = `http://${control}`;
    server.#arguments = ['serve', '--media', media, '--control', control];
    server.#log = createWriteStream(artifact(`${name}.log`));
    return server;
  }

  /** Starts the process. */
  launch() {
    // Nothing of the session that this runs in.
    const env = { ...process.env, XDG_RUNTIME_DIR: this.#memory ?? '' };
    const child = spawn(headwaterBinary(), this.#arguments, { cwd: this.directory, env });
    this.#child = child;
    child.stdout.pipe(this.#log, { end: false });
    child.stderr.pipe(this.#log, { end: false });
    return child;
  }

  /** Starts the process; returns when both documents of every channel can be played. */
  async start() {
    const child = this.launch();
    const documents = Object.keys(this.channels).flatMap((name) => [`${name}/index.m3u8`, `${name}/manifest.mpd`]);
    await until('every channel has a playlist and a manifest', 40, async () => {
      if (child.exitCode !== null) throw new Error(`headwater exited with ${child.exitCode}: see ${this.#log.path}`);
      const get = (document) => fetch(`${this.media}/live/${document}`, { headers: this.#fields, signal: AbortSignal.timeout(2000) });
      const answers = await Promise.all(documents.map(get));
      return answers.every((answer) => answer.ok) || Promise.reject(new Error(answers.map(({ status }) => status).join()));
    });
  }

  /** A token that opens `path` for so long. */
  async token(path, span = '1h') {
    const args = ['token', '--config', this.#config, '--key', 'main', '--path', path, '--for', span];
    const { stdout } = await promisify(execFile)(headwaterBinary(), args, { timeout: 10_000 });
    return stdout.trim();
  }

  /** Runs `headwater package` into the data directory of the server. */
  async package(input, asset) {
    const out = path.join(this.data, 'vod', asset);
    await run(headwaterBinary(), ['package', input, '--out', out], this.#log);
  }

  /** Kills the process as a crash would. */
  kill() {
    return this.#end('SIGKILL', 5);
  }

  /** Stops the process politely. */
  halt() {
    return this.#end('SIGTERM', 15);
  }

  /** Stops the process politely, and removes its files. */
  async stop() {
    try {
      await this.halt();
    } finally {
      this.#log.end();
      for (const directory of [this.directory, this.#memory].filter(Boolean)) await fs.rm(directory, { recursive: true, force: true });
    }
  }

  async #end(signal, seconds) {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode) return;
    child.kill(signal);
    try {
      await within(`headwater ends after ${signal}`, seconds, exited(child));
    } finally {
      child.kill('SIGKILL');
    }
  }

  /** Counts and durations, as Prometheus reads them. */
  async metrics() {
    const answer = await fetch(`${this.control}/metrics`, { signal: AbortSignal.timeout(2000) });
    return answer.text();
  }

  /** What the control listener says about a channel. */
  async status(name = 'demo') {
    const answer = await fetch(`${this.control}/api/v1/channels`, { signal: AbortSignal.timeout(2000) });
    const body = await answer.json();
    const channels = body.channels ?? body;
    return Array.isArray(channels) ? channels.find((channel) => channel.name === name) : channels[name];
  }

  /** Waits until viewers may be sent. */
  ready(seconds) {
    return until('the server is ready', seconds, async () => {
      const answer = await fetch(`${this.control}/readyz`, { signal: AbortSignal.timeout(2000) });
      return answer.ok || Promise.reject(new Error(await answer.text()));
    });
  }

  /** Waits until frames of the source are on air, encoded by another process than `pid`. */
  live(name, seconds, pid = undefined) {
    return until(`channel ${name} is live`, seconds, async () => {
      const status = await this.status(name);
      if (status.state === 'live' && status.encoder_pid && status.encoder_pid !== pid) return status;
      throw new Error(`it is ${JSON.stringify(status)}`);
    });
  }
}

const exited = (child) => (child.exitCode !== null || child.signalCode ? Promise.resolve() : once(child, 'exit'));

/** Runs a program to its end; rejects when it fails or takes longer than two minutes. */
export async function run(program, args, log) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => { said = (said + data).slice(-2000); });
    if (log) stream.pipe(log, { end: false });
  }
  try {
    const [code] = await within(`${program} ${args[0]} ends`, 120, once(child, 'close'));
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${code}: ${said}`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Whether a process exists. */
export function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
