import { setTimeout as sleep } from 'node:timers/promises';

export { sleep };

/**
 * Asks `probe` every 100 ms until it gives something truthy, and returns that. A probe that throws has not succeeded
 * yet; its last error is part of the message when the time is over.
 *
 * @param {string} what in words, for the message
 * @param {number} seconds
 * @param {() => unknown} probe
 */
export async function until(what, seconds, probe) {
  const deadline = performance.now() + seconds * 1000;
  let last = 'it never came true';
  while (performance.now() < deadline) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error.message;
    }
    await sleep(100);
  }
  throw new Error(`${what}: not within ${seconds} s (${last})`);
}

/**
 * Rejects when `promise` takes longer than `seconds`.
 *
 * @template T
 * @param {string} what in words, for the message
 * @param {number} seconds
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
export async function within(what, seconds, promise) {
  const over = new AbortController();
  const late = sleep(seconds * 1000, null, { signal: over.signal, ref: false })
    .then(() => { throw new Error(`${what}: not within ${seconds} s`); });
  try {
    return await Promise.race([promise, late]);
  } finally {
    over.abort();
    late.catch(() => {});
  }
}
