/** Two readings of one timeline further apart than this, in milliseconds, are of different pictures. */
const SAME_PICTURE = 10;

/**
 * What the pictures that a viewer saw say about latency.
 *
 * A page that is late finds a newer picture on the screen than the one that was announced to it. Such a reading has no
 * time of display and is left out: its code does not fit its media time, as code and media time run side by side.
 *
 * @param {{pictures: [number, number, number][], unreadable: number, dropped: number}} report of `pages/glass.js`
 * @returns {{p50: number, p95: number, worst: number, gap: number, read: number, newer: number, unreadable: number, dropped: number}
 *   | null} latencies and the longest time between two pictures in seconds, and counts of pictures; `null` without any code
 */
export function summarise({ pictures, unreadable, dropped }) {
  if (pictures.length === 0) return null;
  const origin = quantile(pictures.map(originOf), 0.5);
  const fitting = pictures.filter((picture) => Math.abs(originOf(picture) - origin) < SAME_PICTURE);
  const latencies = fitting.map(([displayedAt, madeAt]) => (displayedAt - madeAt) / 1000);
  return {
    p50: quantile(latencies, 0.5),
    p95: quantile(latencies, 0.95),
    worst: quantile(latencies, 1),
    gap: Math.max(0, ...pictures.slice(1).map(([displayedAt], i) => displayedAt - pictures[i][0])) / 1000,
    read: fitting.length,
    newer: pictures.length - fitting.length,
    unreadable,
    dropped,
  };
}

/** Median latency of each whole second that was watched, from the first on: how a player finds its place. */
export function course({ pictures }) {
  const seconds = [];
  for (const [displayedAt, madeAt] of pictures) {
    const second = Math.floor((displayedAt - pictures[0][0]) / 1000);
    (seconds[second] ??= []).push((displayedAt - madeAt) / 1000);
  }
  return Array.from(seconds, (latencies) => (latencies ? quantile(latencies, 0.5) : null));
}

/** The value that a share of `values` does not exceed (nearest rank). */
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

const originOf = ([, madeAt, mediaTime]) => madeAt - mediaTime * 1000;
