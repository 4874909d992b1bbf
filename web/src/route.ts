import { type PlayerKind, playerKinds } from './players/player';

/** What to play, and with which player: `#/live/demo?player=hls`, `#/vod/clip?player=dash`. */
export interface Route {
  readonly kind: 'live' | 'vod';
  readonly name: string;
  readonly player: PlayerKind;
}

/** Reads the hash of a URL; `null` when it names nothing to play. */
export function parseRoute(hash: string): Route | null {
  const match = /^#\/(live|vod)\/([^/?]+)(?:\?(.*))?$/.exec(hash);
  if (!match) return null;
  const [, kind, name = '', query] = match;
  const asked = new URLSearchParams(query).get('player');
  const player = playerKinds().find((known) => known === asked) ?? preferredPlayer();
  return { kind: kind === 'vod' ? 'vod' : 'live', name: decode(name), player };
}

/** The hash that leads to `route`. */
export const routeHash = ({ kind, name, player }: Route): string => `#/${kind}/${encodeURIComponent(name)}?player=${player}`;

/** The player chosen last, else the first that works here. */
export function preferredPlayer(): PlayerKind {
  const current = new URLSearchParams(location.hash.split('?')[1]).get('player');
  const kinds = playerKinds();
  return kinds.find((kind) => kind === current) ?? kinds[0] ?? 'native';
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
