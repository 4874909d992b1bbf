// What is set in the players, by the first word of the player's name. docs/latency.md prints it.

/**
 * What a site should set to play with low latency. Everything else is as the player comes: all three play with low
 * latency if there is any.
 *
 * hls.js begins to count when it chooses where to start, and what then passes until it plays stays as latency: up to a
 * second, unless it may play a little faster.
 *
 * shaka-player counts from 0.4 s behind the source in DASH, and is content with half a second more or less than the
 * target: what it loses on a busy machine may stay, up to 2.3 s.
 */
export const LOW_LATENCY = {
  hls: { maxLiveSyncPlaybackRate: 1.1 },
  dash: {},
  shaka: { streaming: { liveSync: { targetLatencyTolerance: 0.1 } } },
  native: {},
};

/** No rung larger than the element that shows it, which is 640 x 360: two cores do not decode more beside an encoder. */
export const AS_LARGE_AS_SHOWN = {
  hls: { capLevelToPlayerSize: true },
  dash: { streaming: { abr: { limitBitrateByPortal: true } } },
  shaka: { abr: { restrictToElementSize: true } },
  native: {},
};

/** A minute of asking again, twice a second, and with low latency ten times a second. */
const DASH_ATTEMPTS = { MPD: 120, MediaSegment: 120, InitializationSegment: 120, other: 120, lowLatencyMultiplyFactor: 5 };
const DASH_INTERVALS_MS = { MPD: 500, MediaSegment: 500, InitializationSegment: 500, other: 500, lowLatencyReductionFactor: 5 };

/** A minute of asking again, twice a second, and as often for the sound: both are counted together. */
const HLS_POLICY = {
  default: {
    maxTimeToFirstByteMs: 10_000,
    maxLoadTimeMs: 20_000,
    timeoutRetry: { maxNumRetry: 2, retryDelayMs: 0, maxRetryDelayMs: 0 },
    errorRetry: { maxNumRetry: 240, retryDelayMs: 500, maxRetryDelayMs: 500 },
  },
};

/**
 * By default hls.js gives up for good after three refused playlists, audio counted too: within a second. With low latency
 * dash.js does so after about two seconds of refusals, playlist or segment: it then shows nothing more, or leaps ten
 * seconds later. shaka goes without a rendition for half a minute after a refusal; while all are refused that is of no use,
 * and if it leaps to the front of the window at the same moment, it asks for no more pictures until it leaps again. All
 * manuals tell a site to set what suits it; this is such a site.
 */
export const PATIENT = {
  hls: { playlistLoadPolicy: HLS_POLICY, fragLoadPolicy: HLS_POLICY },
  dash: { streaming: { retryAttempts: DASH_ATTEMPTS, retryIntervals: DASH_INTERVALS_MS } },
  shaka: { streaming: { maxDisabledTime: 0 } },
};

/** Settings of `player` out of several sets of settings; later ones win. */
export const settingsOf = (player, ...sets) => sets.reduce((all, set) => merge(all, set[kindOf(player)] ?? {}), {});

/** `shaka-hls` is shaka, on HLS. */
export const kindOf = (player) => player.split('-')[0];

function merge(into, from) {
  const both = { ...into };
  for (const [key, value] of Object.entries(from)) {
    both[key] = isObject(value) && isObject(both[key]) ? merge(both[key], value) : value;
  }
  return both;
}

const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
