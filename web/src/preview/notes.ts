import { explain } from '../words';
import type { Track } from './catalog';
import type { ServerEvent } from './wire';

/** Something for the viewer to read for a while. */
export interface Note {
  readonly text: string;
  /** Milliseconds; `null` until something else is to be said. */
  readonly lasts: number | null;
}

const SHORT_MS = 5000;

/** What a viewer should know of what the server says; `null` where the page says it already, or there is nothing. */
export function noteOf(event: ServerEvent, tracks: readonly Track[]): Note | null {
  switch (event.event) {
    case 'selected': return selection(event.why, tracks[event.video ?? -1]);
    case 'skipped': return { text: 'Your line is slow: a moment was left out', lasts: SHORT_MS };
    case 'state': return state(event.state, event.why ?? null);
    case 'refused': return { text: `The server refuses: ${event.why}`, lasts: SHORT_MS };
    default: return null;
  }
}

/** What to say while there is no connection. */
export const LOST: Note = { text: 'The connection is lost. Trying again …', lasts: null };
export const TOO_SLOW: Note = { text: 'Your line is too slow for the smallest picture. Trying again …', lasts: null };
export const OVERLOADED: Note = { text: 'This device cannot follow: a smaller picture is shown', lasts: SHORT_MS };

function selection(why: string, track: Track | undefined): Note | null {
  const height = track?.media.video?.height;
  if (height === undefined) return null;
  if (why === 'slow') return { text: `Your line is slow: ${height}p`, lasts: SHORT_MS };
  return why === 'recovered' ? { text: `Your line is better again: ${height}p`, lasts: SHORT_MS } : null;
}

function state(name: string, why: string | null): Note | null {
  const text = name === 'live' ? '' : explain({ state: name, why });
  return text ? { text, lasts: SHORT_MS } : null;
}
