import type { Channel } from './api';
import type { Rung } from './players/player';

/** How a thing is going, for the colour of its mark. */
export type Tone = 'good' | 'warn' | 'bad' | 'quiet';

const STATES: Record<string, { label: string; tone: Tone }> = {
  starting: { label: 'Starting', tone: 'quiet' },
  live: { label: 'Live', tone: 'good' },
  stalled: { label: 'Standby', tone: 'warn' },
  restarting: { label: 'Standby', tone: 'warn' },
  standby: { label: 'On another server', tone: 'quiet' },
  ended: { label: 'Ended', tone: 'quiet' },
  failed: { label: 'Off air', tone: 'bad' },
};

/** A channel's state as a viewer reads it. A state that this page does not know is shown as it is. */
export const stateWords = (state: string) => STATES[state] ?? { label: state, tone: 'quiet' as Tone };

/** What a viewer should know about a channel that is not simply live. */
export function explain({ state, why }: Pick<Channel, 'state' | 'why'>): string {
  const because = why ? `: ${why}` : '';
  switch (state) {
    case 'starting': return `The channel is starting${because}.`;
    case 'stalled': return `The source gives nothing, a standby picture is on air${because}.`;
    case 'restarting': return `The encoder comes back, a standby picture is on air${because}.`;
    case 'standby': return 'Another server publishes this channel. This one takes over if that one stops.';
    case 'ended': return 'The channel has come to its end.';
    case 'failed': return `The channel is off air${because}. The server keeps trying.`;
    default: return why ?? '';
  }
}

/** `2.5 Mbit/s`, `700 kbit/s`. */
export function bitrateWords(bitrate: number): string {
  return bitrate >= 1e6 ? `${(bitrate / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bitrate / 1000)} kbit/s`;
}

/** `720p · 2.5 Mbit/s`. */
export const rungWords = ({ height, bitrate }: Rung): string => [`${height}p`, ...(bitrate ? [bitrateWords(bitrate)] : [])].join(' · ');

/** `4.2 s`, or a dash. */
export const secondsWords = (seconds: number | null): string => (seconds === null ? '–' : `${seconds.toFixed(1)} s`);

/** `4.2 s`, `95 ms`, or a dash. */
export const latencyWords = (seconds: number | null): string =>
  (seconds !== null && seconds < 1 ? `${Math.round(seconds * 1000)} ms` : secondsWords(seconds));

/** `1.05×` while a player catches up or falls back; nothing if nobody could tell. */
export const rateWords = (rate: number): string => (Math.abs(rate - 1) < 0.015 ? '' : `${rate.toFixed(2)}×`);

/** `1:02:03`, `2:03`. */
export function clockWords(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, '0'));
  const hours = Math.floor(whole / 3600);
  return hours ? `${hours}:${parts.join(':')}` : `${Number(parts[0])}:${parts[1]}`;
}
