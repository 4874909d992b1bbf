import { byId, make, setText } from './dom';
import type { Insight } from './players/player';
import type { Session } from './session';
import { Sparkline } from './sparkline';
import { bitrateWords, latencyWords, rateWords, secondsWords } from './words';

/** The figures of a viewing: rung, buffer, latency, frames, stalls. */
export class Figures {
  readonly #rung = tile('Rung');
  readonly #buffer = tile('Buffer', new Sparkline());
  readonly #latency = tile('Live latency', new Sparkline());
  readonly #dropped = tile('Dropped frames');
  readonly #stalls = tile('Stalls');
  readonly #player = tile('Player');

  constructor() {
    byId('figures').append(...[this.#rung, this.#buffer, this.#latency, this.#dropped, this.#stalls, this.#player].map(({ root }) => root));
  }

  /** Forgets the curves of the viewing before. */
  reset(): void {
    this.#buffer.curve?.reset();
    this.#latency.curve?.reset();
  }

  show(session: Session | null): void {
    byId('figures').hidden = session === null;
    if (!session) return;
    const { player, medium, stalls } = session;
    const rung = player?.shown() ?? null;
    const latency = player?.latency() ?? null;
    const insight = player?.insight?.() ?? null;
    const bitrate = rung?.bitrate ? bitrateWords(rung.bitrate) : '';
    fill(this.#rung, rung ? `${rung.width} × ${rung.height}` : '–', [bitrate, player?.chosen() ? 'fixed' : 'auto'].filter(Boolean).join(' · '));
    fill(this.#buffer, insight ? latencyWords(medium.buffer) : secondsWords(medium.buffer), jitterWords(insight));
    fill(this.#latency, latencyWords(latency));
    fill(this.#dropped, String(medium.frames.dropped), `of ${medium.frames.total.toLocaleString('en')}`);
    fill(this.#stalls, String(stalls.count), stalls.count ? '' : 'since the start');
    const [name = '', version = ''] = player?.name.split(' ') ?? [];
    fill(this.#player, name || '–', [version, rateWords(medium.rate)].filter(Boolean).join(' · '));
    this.#latency.root.hidden = !session.presentation.live;
    this.#buffer.curve?.add(medium.buffer);
    if (latency !== null) this.#latency.curve?.add(latency);
  }
}

const jitterWords = (insight: Insight | null): string => (insight?.jitter == null ? '' : `waits ${Math.round(insight.jitter)} ms`);

interface Tile {
  readonly root: HTMLElement;
  readonly value: HTMLElement;
  readonly detail: HTMLElement;
  readonly curve: Sparkline | undefined;
}

function tile(label: string, curve?: Sparkline): Tile {
  const value = make('span', { class: 'value' });
  const detail = make('span', { class: 'detail' });
  const root = make('div', {}, make('dt', {}, label), make('dd', {}, value, detail, ...(curve ? [curve.root] : [])));
  return { root, value, detail, curve };
}

function fill({ value, detail }: Tile, text: string, more = ''): void {
  setText(value, text);
  setText(detail, more);
}
