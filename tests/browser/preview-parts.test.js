// The parts of the page's preview that need no browser, against the wire protocol and against lines that we make up.
import assert from 'node:assert/strict';
import test from 'node:test';
import { load } from './lib/typescript.js';

const { parse, controlFrame } = await load('preview/wire.ts');
const { Delay, FLOOR_MS } = await load('preview/delay.ts');
const { Pace } = await load('preview/pace.ts');
const { Ladder } = await load('preview/ladder.ts');
const { noteOf } = await load('preview/notes.ts');
const { Ring } = await load('preview/ring.ts');
const { Playhead } = await load('preview/playhead.ts');
const { Edge } = await load('preview/edge.ts');
const { decodeTime } = await load('preview/moof.ts');

const FRAME = 1000 / 30;

function frame(type, payload) {
  const header = Buffer.alloc(5);
  header[0] = type;
  header.writeUInt32BE(payload.length, 1);
  return new Uint8Array(Buffer.concat([header, payload])).buffer;
}

test('a delta frame is read as it was written, with times beyond 32 bits', () => {
  const payload = Buffer.alloc(29);
  payload[0] = 2;
  payload.writeBigInt64BE(54_000_000_000_000n, 2);
  payload.writeInt32BE(-1000, 10);
  payload.writeUInt32BE(1000, 14);
  payload.writeBigInt64BE(1_800_000_000_123_456n, 18);
  payload.set([7, 8, 9], 26);
  const { data, ...rest } = parse(frame(3, payload));
  assert.deepEqual(rest, {
    type: 'video', track: 2, key: false, dts: 54_000_000_000_000, cts: -1000, duration: 1000, capturedAt: 1_800_000_000_123.456,
  });
  assert.deepEqual([...data], [7, 8, 9]);
});

test('an event and a control are JSON in a frame, an unknown type is nothing, and a broken length is an error', () => {
  const event = { event: 'skipped', frames: 17 };
  assert.deepEqual(parse(frame(5, Buffer.from(JSON.stringify(event)))), { type: 'event', event });
  assert.equal(parse(frame(99, Buffer.from('x'))), null);
  assert.throws(() => parse(frame(3, Buffer.alloc(29)).slice(0, 20)), RangeError);
  assert.throws(() => parse(frame(3, Buffer.alloc(10))), RangeError, 'shorter than the header of media');
  const control = controlFrame({ control: 'pause' });
  assert.equal(control[0], 8);
  assert.equal(Buffer.from(control.subarray(5)).toString(), '{"control":"pause"}');
});

/** Feeds thirty pictures a second that are ready `lateness(i)` after their time; returns the delay behind each. */
function feed(delay, seconds, lateness, from = 0) {
  return Array.from({ length: seconds * 30 }, (_, i) => {
    const mediaTime = from + i * FRAME;
    delay.ready('video', mediaTime, mediaTime + lateness(i));
    return delay.due(mediaTime) - mediaTime;
  });
}

test('on an even line, pictures wait for the floor and no longer', () => {
  const delay = new Delay();
  assert.equal(delay.due(5), -Infinity, 'at once while nothing is known');
  assert.equal(feed(delay, 20, () => 12).at(-1), 12 + FLOOR_MS);
  assert.equal(delay.target, FLOOR_MS);
});

test('the delay grows when pictures come late, and shrinks slowly again', () => {
  const delay = new Delay();
  feed(delay, 5, () => 12);
  const rough = feed(delay, 10, (i) => (i % 5 === 0 ? 150 : 12), 5000);
  assert.ok(rough.at(-1) >= 150, `late pictures are waited for: ${rough.at(-1)} ms`);
  const calm = feed(delay, 40, () => 12, 15_000);
  assert.ok(calm[30 * 9] > 120, `nine seconds after the last late picture it has hardly shrunk: ${calm[30 * 9]} ms`);
  assert.equal(Math.round(calm.at(-1)), 12 + FLOOR_MS);
  const steps = calm.slice(1).map((value, i) => Math.abs(value - calm[i]));
  assert.ok(Math.max(...steps) < 5, 'nobody sees it shrink');
});

test('a single late picture changes nothing, and no line is waited for endlessly', () => {
  const delay = new Delay();
  feed(delay, 5, () => 12);
  assert.equal(Math.round(feed(delay, 5, (i) => (i === 3 ? 400 : 12), 5000).at(-1)), 12 + FLOOR_MS);
  assert.ok(feed(new Delay(), 20, (i) => (i % 2 ? 5000 : 12)).at(-1) < 600);
});

test('pictures wait for sound only while it is heard', () => {
  const delay = new Delay();
  const both = (from, seconds) => {
    for (let i = 0; i < seconds * 30; i++) {
      const at = from + i * FRAME;
      delay.ready('video', at, at + 12);
      delay.ready('audio', at, at + 50);
    }
    return delay.due(0);
  };
  assert.equal(Math.round(both(0, 3)), 12 + FLOOR_MS);
  delay.soundPath = 40;
  assert.ok(both(3000, 10) > 12 + FLOOR_MS, 'what is heard takes 40 ms more to the ear');
  assert.ok(delay.sound > delay.due(0), 'and a picture takes a while from its drawing to the glass');
});

test('what comes out of the cache is told from what comes as it is made', () => {
  const pace = new Pace();
  for (let i = 0; i < 45; i++) pace.arrived(i * FRAME, 1500 + i * 2, FRAME);
  assert.ok(pace.opening && pace.bursting);
  for (let i = 45; i < 55; i++) pace.arrived(i * FRAME, 1590 + (i - 45) * FRAME, FRAME);
  assert.ok(!pace.opening && !pace.bursting, 'live');
  pace.arrived(55 * FRAME, 1590 + 9 * FRAME + 3, FRAME);
  assert.ok(!pace.opening && pace.bursting, 'one that waited');
  pace.restart();
  assert.ok(pace.opening);
});

test('a cache that comes through a slow line is not taken for live', () => {
  const pace = new Pace();
  for (let i = 0; i < 60; i++) pace.arrived(i * FRAME, 2000 + i * FRAME * 0.7, FRAME);
  assert.ok(pace.opening);
});

const RUNGS = [720, 360, 240].map((height) => ({ id: `${height}p`, width: 0, height, bitrate: 0 }));

test('the rung follows the room on the screen, unless one was insisted on', () => {
  const asked = (height, rung = null) => new Ladder().ceiling(RUNGS, { height, rung }, 0).id;
  assert.deepEqual([asked(1080), asked(620), asked(400), asked(100)], ['720p', '720p', '360p', '240p']);
  assert.equal(asked(100, '720p'), '720p');
  assert.equal(asked(1080, 'gone'), '720p');
  assert.equal(new Ladder().ceiling([], { height: 100, rung: null }, 0), null);
});

test('a decoder that falls behind again gets a lower rung for a minute', () => {
  const ladder = new Ladder();
  const wish = { height: 1080, rung: null };
  assert.equal(ladder.overloaded(RUNGS[0], 1000), false, 'once is an accident');
  assert.equal(ladder.overloaded(RUNGS[0], 9000), true);
  assert.equal(ladder.ceiling(RUNGS, wish, 10_000).id, '360p');
  assert.equal(ladder.ceiling(RUNGS, wish, 80_000).id, '720p');
});

test('a viewer is told why the picture changes', () => {
  const tracks = [{ media: { video: { height: 720 } } }, { media: { video: { height: 360 } } }];
  const note = (event) => noteOf(event, tracks)?.text;
  assert.equal(note({ event: 'selected', video: 1, audio: null, why: 'slow' }), 'Your line is slow: 360p');
  assert.equal(note({ event: 'selected', video: 0, audio: null, why: 'recovered' }), 'Your line is better again: 720p');
  assert.equal(note({ event: 'selected', video: 0, audio: null, why: 'asked' }), undefined);
  assert.match(note({ event: 'state', state: 'restarting' }), /standby picture/);
  assert.equal(note({ event: 'state', state: 'live' }), undefined);
});

const RATE = 48_000;
const ramp = (from, length) => Float32Array.from({ length }, (_, i) => (from + i) / 1e6);

test('sound comes out of the ring where it went in, and gaps are silent', () => {
  const ring = new Ring(1000, 2);
  const today = 1_800_000_000 * RATE;
  ring.write(today, [ramp(0, 100)]);
  ring.write(today + 150, [ramp(150, 850)]);
  const at = ring.position(today + 60.5);
  assert.ok(ring.holds(at));
  assert.ok(Math.abs(ring.read(1, at) - 60.5e-6) < 1e-9, 'mono is heard from both sides, between samples too');
  assert.equal(ring.read(0, ring.position(today + 120)), 0);
  ring.write(today + 1000, [ramp(1000, 100)]);
  assert.ok(!ring.holds(ring.position(today + 60)), 'what was overwritten is gone');
  assert.ok(!ring.holds(ring.position(today + 1099)), 'what is to come is not there');
});

test('the playhead comes to its place without a leap, and leaps when it is far off', () => {
  const ring = new Ring(RATE * 4, 1);
  ring.write(0, [ramp(0, RATE * 4)]);
  const playhead = new Playhead(ring, RATE);
  const output = [new Float32Array(128)];
  const heard = (wanted) => {
    playhead.render(wanted, output);
    return output[0].at(-1) * 1e6 - 127;
  };
  for (let i = 0; i < 20; i++) heard(i * 128);
  let block = 20;
  const late = 0.03 * RATE;
  assert.ok(Math.abs(heard(block * 128 + late) - block * 128) < 10, 'it does not leap by 30 ms');
  for (; block < 900; block++) heard(block * 128 + late);
  assert.ok(Math.abs(heard(block * 128 + late) - block * 128 - late) < 0.006 * RATE, 'but is there after two seconds');
  heard(block * 128 + RATE);
  assert.ok(Math.abs(heard((block + 1) * 128 + RATE) - (block + 1) * 128 - RATE) < 3, 'a second is leapt over');
});

test('the playhead of a <video> keeps close to what comes in, and further off where it ran dry', () => {
  const edge = new Edge();
  assert.equal(edge.rate(0.35, 0.1), 1);
  assert.ok(edge.rate(0.8, 0.1) > 1.05 && edge.rate(0.1, 0.1) < 1);
  assert.ok(edge.leaps(5) && !edge.leaps(1));
  edge.waited();
  assert.equal(edge.distance, 0.5);
  for (let i = 0; i < 1000; i++) edge.rate(0.5, 0.1);
  assert.equal(edge.distance, 0.35);
});

test('the decode time of a chunk is found in its moof', () => {
  const box = (name, ...content) => {
    const body = Buffer.concat(content);
    const header = Buffer.alloc(8);
    header.writeUInt32BE(8 + body.length);
    header.write(name, 4, 'latin1');
    return Buffer.concat([header, body]);
  };
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(54_000_000_000_000n);
  const tfdt = box('tfdt', Buffer.from([1, 0, 0, 0]), time);
  const chunk = Buffer.concat([box('moof', box('mfhd', Buffer.alloc(8)), box('traf', box('tfhd', Buffer.alloc(8)), tfdt)), box('mdat')]);
  assert.equal(decodeTime(new Uint8Array(chunk)), 54_000_000_000_000);
  assert.equal(decodeTime(new Uint8Array(box('mdat'))), null);
});
