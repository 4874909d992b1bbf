// The reader of the code in the picture, on pictures that are drawn here from its description in
// src/source/pattern/code.rs, and what is made of its readings.
import assert from 'node:assert/strict';
import test from 'node:test';
import './pages/glass.js';
import { course, quantile, summarise } from './lib/glass.js';
import { settledAfter } from './lib/latency.js';
import { settingsOf } from './lib/settings.js';
import { stagesTable } from './lib/stages.js';

const { readCode } = globalThis;

/** 64 cells as text, by polynomial division over the written-out bits. */
function cells(millis) {
  const message = millis.toString(2).padStart(48, '0');
  const remainder = [...`${message}00000000`];
  for (let i = 0; i < 48; i++) {
    if (remainder[i] === '1') [...'100000111'].forEach((bit, k) => { remainder[i + k] = remainder[i + k] === bit ? '0' : '1'; });
  }
  return `1010${message}${remainder.slice(48).join('')}0101`;
}

/** Rows of a picture that show `text`, in limited-range grey that a codec has worn. */
function draw(text, width, rows = 4) {
  const rgba = new Uint8ClampedArray(width * rows * 4).fill(128);
  const edge = (cell) => Math.floor(width / 16) + Math.floor((cell * Math.floor((width * 14) / 16)) / 64);
  for (let y = 0; y < rows; y++) {
    for (let cell = 0; cell < 64; cell++) {
      for (let x = edge(cell); x < edge(cell + 1); x++) {
        const wear = ((x * 7919 + y * 104729) % 41) - 20;
        rgba.fill((text[cell] === '1' ? 225 : 30) + wear, 4 * (y * width + x), 4 * (y * width + x) + 3);
      }
    }
  }
  return rgba;
}

test('a code is read back from every width that a rung has, up to the far future', () => {
  for (const width of [256, 426, 640, 854, 1280, 1920]) {
    for (const millis of [0, 1, 1_800_000_000_123, 2 ** 48 - 1]) {
      assert.equal(readCode(draw(cells(millis), width), width), millis, `${millis} at ${width} pixels`);
    }
  }
});

test('a code with any cell turned over is not read', () => {
  const good = cells(1_800_000_000_123);
  for (let cell = 0; cell < 64; cell++) {
    const damaged = good.slice(0, cell) + (good[cell] === '1' ? '0' : '1') + good.slice(cell + 1);
    assert.equal(readCode(draw(damaged, 640), 640), null, `cell ${cell}`);
  }
});

test('a picture without a code is not read', () => {
  assert.equal(readCode(new Uint8ClampedArray(640 * 4 * 4).fill(90), 640), null);
  assert.equal(readCode(draw(cells(5), 64), 64), null, 'cells narrower than a pixel');
});

const MADE = 1_800_000_000_000;
/** Pictures 40 ms apart that are displayed `late` ms after they were made. */
const pictures = (...late) => late.map((ms, i) => [MADE + 40 * i + ms, MADE + 40 * i, 7 + 0.04 * i]);

test('latency is what lies between the making and the display of a picture', () => {
  const seen = pictures(...Array(90).fill(1500), ...Array(10).fill(1900));
  const { p50, p95, worst, gap, read } = summarise({ pictures: seen, unreadable: 0, dropped: 0 });
  assert.deepEqual({ p50, p95, worst, gap, read }, { p50: 1.5, p95: 1.9, worst: 1.9, gap: 0.44, read: 100 });
});

test('a picture that was replaced before it was read is left out', () => {
  const seen = pictures(1500, 1500, 1500, 1500);
  seen[2][1] += 40;
  const { worst, read, newer } = summarise({ pictures: seen, unreadable: 0, dropped: 0 });
  assert.deepEqual({ worst, read, newer }, { worst: 1.5, read: 3, newer: 1 });
});

test('without any code there is no latency', () => {
  assert.equal(summarise({ pictures: [], unreadable: 30, dropped: 0 }), null);
});

test('a player has settled when no second is over the target any more', () => {
  const seconds = course({ pictures: pictures(...Array(50).fill(2400), ...Array(25).fill(1800)) });
  assert.equal(seconds[0], 2.4);
  assert.equal(settledAfter([2.4, 2.1, 1.9, 1.8]), 2);
  assert.equal(settledAfter([1.9, 1.8]), 0);
  assert.equal(settledAfter([2.4, 1.9, null, 1.8]), 3, 'a second without a picture is not one of low latency');
  assert.equal(settledAfter([1.9, 2.1]), null);
});

test('a quantile is a value that was measured', () => {
  assert.equal(quantile([3, 1, 2], 0.5), 2);
  assert.equal(quantile([3, 1, 2], 0.95), 3);
  assert.equal(quantile([3, 1, 2], 0), 1);
});

test('later settings win, value by value', () => {
  const first = { dash: { streaming: { delay: { liveDelay: 2 }, scheduling: 1 } } };
  const second = { dash: { streaming: { delay: { liveDelay: 1 } } } };
  assert.deepEqual(settingsOf('dash', first, second), { streaming: { delay: { liveDelay: 1 }, scheduling: 1 } });
  assert.deepEqual(settingsOf('shaka-hls', first, { shaka: { abr: 1 } }), { abr: 1 });
});

test('a stage is told as the average over all of its series', () => {
  const metrics = [
    '# HELP headwater_packaged_to_first_byte_seconds words',
    'headwater_packaged_to_first_byte_seconds_sum{channel="demo",track="360p",response="part"} 0.03',
    'headwater_packaged_to_first_byte_seconds_count{channel="demo",track="360p",response="part"} 10',
    'headwater_packaged_to_first_byte_seconds_sum{channel="demo",track="360p",response="segment"} 0.01',
    'headwater_packaged_to_first_byte_seconds_count{channel="demo",track="360p",response="segment"} 10',
  ].join('\n');
  assert.match(stagesTable(metrics, ['360p', 'audio-und']), /first byte is sent .* \| 2\.0 ms \| – \|/);
});
