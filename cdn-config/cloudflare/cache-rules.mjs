// @ts-check
// Cloudflare in front of one Headwater origin, as the rules of a zone. Prints what its API takes:
//
//   node cache-rules.mjs key | curl -X PUT -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' --data @- \
//     https://api.cloudflare.com/client/v4/zones/$ZONE/rulesets/phases/http_request_cache_settings/entrypoint
//
// and likewise `tokens` for the phase http_request_transform, and `refusals` for http_response_headers_transform. An
// entrypoint is replaced as a whole: merge with the rules that the zone has.
//
// All lifetimes come from the origin (../README.md); nothing here sets one. Checked against the types of Cloudflare's own
// API client, which are made from its schema (cargo test --test it described). Not tried with Cloudflare itself.
//
// Custom keys by query string belong to some plans only. Without, leave `cache_key` out: then session ids and the like in a
// query make copies of what is cached. WebSockets go through where the zone allows them (Network -> WebSockets).
// Purge: POST /zones/$ZONE/purge_cache {"files": ["https://live.example.com/live/demo/720p/index.m3u8"]}.

/** @typedef {import('cloudflare/resources/rulesets/phases').PhaseUpdateParams} Phase */

// SETTING: the name under which players ask.
const HOST = 'live.example.com';

const ours = `http.host eq "${HOST}"`;
const media = `${ours} and (ends_with(http.request.uri.path, ".m4s") or ends_with(http.request.uri.path, ".mp4"))`;
const playlists = `${ours} and not (ends_with(http.request.uri.path, ".m4s") or ends_with(http.request.uri.path, ".mp4"))`;

/** What all rules have in common. */
const asTheOriginSays = /** @type {const} */ ({
  cache: true,
  // Cloudflare would cache by file extension, for hours, and refusals for minutes.
  edge_ttl: { mode: 'respect_origin' },
  browser_ttl: { mode: 'respect_origin' },
  // Cloudflare-CDN-Cache-Control and CDN-Cache-Control count more than Cache-Control by themselves.
  origin_cache_control: true,
  // ETags are those of the origin, one for each form.
  respect_strong_etags: true,
  // Stale while the next one is fetched is good enough; it is off for an origin that fails (Always Online has to be off too).
  serve_stale: { disable_stale_while_updating: false },
  // What the origin says of a refusal is for players.
  origin_error_page_passthru: true,
  // Seconds; the origin holds a request for up to three target durations, of at most 10 s.
  read_timeout: 40,
});

/** @type {Record<string, Partial<Phase>>} */
const phases = {
  key: {
    rules: [
      {
        ref: 'headwater_media',
        description: 'Media: one form, whatever the query is',
        expression: media,
        action: 'set_cache_settings',
        action_parameters: {
          ...asTheOriginSays,
          cache_key: { custom_key: { query_string: { exclude: { all: true } } } },
        },
      },
      {
        ref: 'headwater_playlists',
        description: 'All else: by the delivery directives',
        expression: playlists,
        action: 'set_cache_settings',
        action_parameters: {
          ...asTheOriginSays,
          cache_key: {
            ignore_query_strings_order: true,
            custom_key: { query_string: { include: { list: ['_HLS_msn', '_HLS_part', '_HLS_skip', 'start', 'end'] } } },
          },
        },
      },
    ],
  },

  // Tokens in front of the path are taken out, so that they are not in the key: then the origin does not see them either.
  // Nothing is verified here. Where the origin wants tokens, verify them with a Worker, or with a WAF rule on
  // is_timed_hmac_valid_v0, before this rule; else whoever asks gets what is cached. Tokens in ?token= and Authorization are
  // not in the key as it is, and are passed on.
  tokens: {
    rules: [
      {
        ref: 'headwater_tokens',
        description: 'The path without /t/{token}',
        expression: `${ours} and starts_with(http.request.uri.path, "/t/")`,
        action: 'rewrite',
        action_parameters: {
          uri: { path: { expression: 'regex_replace(http.request.uri.path, "^/t/[^/]+/", "/")' } },
        },
      },
    ],
  },

  // Errors that are Cloudflare's own say nothing of how long they are good.
  refusals: {
    rules: [
      {
        ref: 'headwater_refusals',
        description: 'Errors of Cloudflare are not kept by anybody behind it',
        expression: `${ours} and http.response.code ge 520`,
        action: 'rewrite',
        action_parameters: { headers: { 'Cache-Control': { operation: 'set', value: 'no-store' } } },
      },
    ],
  },
};

export default phases;

const [phase] = process.argv.slice(2);
if (phase !== undefined) {
  if (!phases[phase]) throw new Error(`there is no ${phase}; there are ${Object.keys(phases).join(', ')}`);
  console.log(JSON.stringify(phases[phase], null, 2));
}
