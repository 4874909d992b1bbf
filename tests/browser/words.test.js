import assert from 'node:assert/strict';
import { test } from 'node:test';
import { load } from './lib/typescript.js';

const { explain, stateWords } = await load('words.ts');

test('the page says in words what a channel does that waits behind another server', () => {
  assert.notEqual(stateWords('standby').label, 'standby', 'it is not the raw word');
  // `Standby` is what the page calls the picture that is on air when the source gives nothing.
  assert.notEqual(stateWords('standby').label, stateWords('stalled').label);
  assert.match(explain({ state: 'standby', why: null }), /another server/i);
});

test('a state that the page does not know is shown as it is', () => {
  assert.deepEqual(stateWords('resting'), { label: 'resting', tone: 'quiet' });
  assert.equal(explain({ state: 'resting', why: 'it is late' }), 'it is late');
});
