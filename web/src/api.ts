/** A live channel, as the server tells it. */
export interface Channel {
  readonly name: string;
  /** `starting`, `live`, `stalled`, `restarting`, `standby`, `ended`, `failed`; later servers may know more. */
  readonly state: string;
  /** Why it is in that state, if there is something to say. */
  readonly why: string | null;
  /** True if it is for those who have a token. */
  readonly signed: boolean;
}

/** A channel as it is written. */
type Told = Partial<Omit<Channel, 'signed'>> & { access?: string };

/** What there is to watch. */
export interface Catalog {
  readonly channels: readonly Channel[];
  /** Names of packaged files. */
  readonly assets: readonly string[];
}

/** Resolves a path of the server, also when the page is served below a path of a reverse proxy. */
export const serverUrl = (path: string): string => new URL(path, document.baseURI).href;

/** True if the page was opened with a token, which stands in its path then and so in that of all it asks for. */
export const hasToken = (): boolean => /\/t\/[^/]+\/[^/]*$/.test(new URL(document.baseURI).pathname);

/** Asks the server what there is to watch. Rejects when it does not answer within five seconds. */
export async function fetchCatalog(): Promise<Catalog> {
  const answer = await fetch(serverUrl('channels.json'), { cache: 'no-store', signal: AbortSignal.timeout(5000) });
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  const body = await answer.json() as { channels?: Told[]; assets?: (string | { name: string })[] };
  return {
    channels: (body.channels ?? []).map(({ name = '', state = 'live', why = null, access }) => ({ name, state, why, signed: access === 'signed' })),
    assets: (body.assets ?? []).map((asset) => (typeof asset === 'string' ? asset : asset.name)),
  };
}

/** Of several answers, the one that took the shortest is the one that tells the time best. */
const CLOCK_QUESTIONS = 4;

/** Milliseconds to add to this machine's clock to have the server's; 0 when the server cannot be asked. */
export async function clockOffset(): Promise<number> {
  let best = { took: Infinity, offset: 0 };
  for (let i = 0; i < CLOCK_QUESTIONS; i++) {
    const answer = await askTime().catch(() => null);
    if (answer === null) break;
    if (answer.took < best.took) best = answer;
  }
  return best.offset;
}

async function askTime(): Promise<{ took: number; offset: number } | null> {
  const asked = Date.now();
  const answer = await fetch(serverUrl('time'), { cache: 'no-store', signal: AbortSignal.timeout(5000) });
  const there = Date.parse((await answer.text()).trim());
  const now = Date.now();
  return Number.isFinite(there) ? { took: now - asked, offset: there - (asked + now) / 2 } : null;
}
