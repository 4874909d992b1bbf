import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Directory of these tests. */
export const here = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
/** Root of the repository. */
export const root = path.resolve(here, '../..');

/** The binary under test: HEADWATER_BIN, else the newer one of the release and the debug build. */
export function headwaterBinary() {
  if (process.env.HEADWATER_BIN) return path.resolve(process.env.HEADWATER_BIN);
  const target = process.env.CARGO_TARGET_DIR ?? path.join(root, 'target');
  const built = ['release', 'debug'].map((profile) => path.join(target, profile, 'headwater')).filter(fs.existsSync);
  if (built.length === 0) throw new Error(`no headwater in ${target}: run cargo build, or set HEADWATER_BIN`);
  return built.sort((a, b) => fs.statSync(b).mtimeMs - fs.statSync(a).mtimeMs)[0];
}

/** The Chromium to drive: CHROMIUM, else that of Debian. */
export const chromiumBinary = () => process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Where screenshots and logs are kept for a human to look at. */
export function artifact(name) {
  const directory = path.join(root, 'test-artifacts');
  fs.mkdirSync(directory, { recursive: true });
  return path.join(directory, name);
}
