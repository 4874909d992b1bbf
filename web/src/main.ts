import './style.css';
import { type Catalog, clockOffset, fetchCatalog, hasToken } from './api';
import { Controls } from './controls';
import { byId, make, setText } from './dom';
import { Figures } from './figures';
import { Links } from './links';
import { List } from './list';
import { VideoMedium } from './medium';
import { Overlay } from './overlay';
import { PLAYER_NAMES, playerKinds } from './players/player';
import { parseRoute, type Route, routeHash, routeTo } from './route';
import { Session } from './session';
import { publishStatus } from './status';
import { explain, stateWords } from './words';

const DRAW_MS = 250;
const POLL_MS = { well: 4000, ill: 1500 };

const video = new VideoMedium(byId('stage').querySelector('video') as HTMLVideoElement);
const [controls, figures, links, list, overlay] = [new Controls(video), new Figures(), new Links(), new List(), new Overlay()];
let catalog: Catalog | null = null;
let reachable: boolean | null = null;
let session: Session | null = null;
let offset = 0;

/** Plays what the hash says. */
function navigate(): void {
  const route = parseRoute(location.hash);
  session?.stop();
  session = route && new Session(route, video, () => Date.now() + offset);
  figures.reset();
  links.show(session?.presentation ?? null);
  setText(byId('name'), route?.name ?? 'Nothing is playing');
  document.title = route ? `${route.name} · Headwater` : 'Headwater';
  offerPlayers(route);
  draw();
}

function offerPlayers(route: Route | null): void {
  const choices = route ? playerKinds(route.kind).map((kind) => {
    const radio = make('input', { type: 'radio', name: 'player', value: kind, ...(kind === route.player ? { checked: '' } : {}) });
    radio.addEventListener('change', () => location.replace(routeHash({ ...route, player: kind })));
    return make('label', {}, radio, PLAYER_NAMES[kind]);
  }) : [];
  const focused = byId('players').contains(document.activeElement);
  byId('players').replaceChildren(make('legend', { class: 'hidden' }, 'Player'), ...choices);
  if (focused) byId('players').querySelector<HTMLInputElement>('input:checked')?.focus();
}

function draw(): void {
  session?.sample();
  controls.show(session);
  figures.show(session);
  overlay.show(session);
  list.show(catalog, session?.route ?? null);
  drawState();
  drawVeil();
}

function drawState(): void {
  const connection = byId('connection');
  setText(connection, reachable === null ? 'Connecting' : reachable ? 'Connected' : 'Reconnecting');
  connection.dataset.tone = reachable === false ? 'bad' : reachable ? 'good' : 'quiet';
  const channel = currentChannel();
  const { label, tone } = session?.route.kind === 'vod' ? { label: 'File', tone: 'quiet' } : stateWords(channel?.state ?? 'starting');
  const pill = byId('state');
  pill.hidden = !session;
  setText(pill, label);
  pill.dataset.tone = tone;
  // While the veil says it, it is not said twice.
  const why = channel && veilMessage() === null ? explain(channel) : '';
  setText(byId('why'), why);
  byId('why').hidden = why === '';
}

/** What lies over the picture while there is none. */
function drawVeil(): void {
  const message = veilMessage();
  byId('veil').hidden = message === null;
  byId('veil').classList.toggle('still', session?.phase === 'ended' || !session);
  setText(byId('message'), message ?? '');
}

function veilMessage(): string | null {
  if (!session) return catalog && catalog.channels.length + catalog.assets.length === 0 ? 'No channel is configured yet.' : 'Choose something to watch.';
  if (session.phase === 'playing' || session.phase === 'paused') return null;
  // The preview keeps its picture, and says in a note what it waits for.
  if (session.phase === 'stalled' && session.player?.insight?.().note) return null;
  if (session.phase === 'ended') return 'This is the end.';
  if (reachable === false) return 'The server does not answer. It is asked again until it does.';
  if (catalog && !known(session.route, catalog)) return `There is no ${session.route.kind === 'live' ? 'channel' : 'file'} named ${session.route.name}.`;
  const channel = currentChannel();
  if (channel?.signed && !hasToken()) return 'This channel is for those who have a link with a token.';
  if (channel && channel.state !== 'live') return explain(channel);
  if (channel?.signed && session.phase === 'reconnecting') return 'Reconnecting. The link may have expired.';
  return session.phase === 'loading' ? 'Loading' : session.phase === 'stalled' ? 'Waiting for more of the stream' : 'Reconnecting';
}

const known = ({ kind, name }: Route, { channels, assets }: Catalog): boolean =>
  (kind === 'live' ? channels.some((channel) => channel.name === name) : assets.includes(name));

const currentChannel = () => (session?.route.kind === 'live' ? catalog?.channels.find(({ name }) => name === session?.route.name) : undefined);

/** Asks again and again what there is to watch. */
async function poll(): Promise<void> {
  try {
    catalog = await fetchCatalog();
    if (!reachable) offset = await clockOffset();
    reachable = true;
  } catch {
    reachable = false;
  }
  chooseFirst();
  setTimeout(() => void poll(), reachable ? POLL_MS.well : POLL_MS.ill);
}

/** Who opens the bare page sees the first channel at once. */
function chooseFirst(): void {
  if (session || location.hash || !catalog) return;
  const [channel, asset] = [catalog.channels[0]?.name, catalog.assets[0]];
  if (channel) location.replace(routeHash(routeTo('live', channel)));
  else if (asset) location.replace(routeHash(routeTo('vod', asset)));
}

publishStatus(() => session);
addEventListener('hashchange', navigate);
navigate();
setInterval(draw, DRAW_MS);
void poll();
