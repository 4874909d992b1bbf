import { type PlayerKind, playerKinds } from './players/player';

/** What to play, and with which player: `#/live/demo?player=hls`, `#/vod/clip?player=dash`. */
export interface Route {
  readonly kind: 'live' | 'vod';
  readonly name: string;
  readonly player: PlayerKind;
  /** `decode=mse` has the preview decode as if the browser had no WebCodecs. */
  readonly decode: 'mse' | null;
}

/** Reads the hash of a URL; `null` when it names nothing to play. */
export function parseRoute(hash: string): Route | null {
  const match = /^#\/(live|vod)\/([^/?]+)(?:\?(.*))?$/.exec(hash);
  if (!match) return null;
  const [, kind, name = '', query] = match;
  const asked = new URLSearchParams(query);
  return routeTo(kind === 'vod' ? 'vod' : 'live', decodeName(name), asked);
}

/** The route to a presentation, with the player chosen last if that can play it, else the first that works here. */
export function routeTo(kind: Route['kind'], name: string, asked = new URLSearchParams(location.hash.split('?')[1])): Route {
  const kinds = playerKinds(kind);
  const player = kinds.find((known) => known === asked.get('player')) ?? kinds[0] ?? 'native';
  return { kind, name, player, decode: asked.get('decode') === 'mse' ? 'mse' : null };
}

/** The hash that leads to `route`. */
export const routeHash = ({ kind, name, player, decode }: Route): string =>
  `#/${kind}/${encodeURIComponent(name)}?player=${player}${decode ? `&decode=${decode}` : ''}`;

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
