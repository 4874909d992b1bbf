-- Under which key a response is kept: the path without the token that may stand in front of it (/t/{token}/...), and on
-- playlists and MPDs the delivery directives and the stretch (docs/dvr.md), in this order. The origin is asked with the URL as it came, token included.
--
-- Traffic Server does not verify tokens with this file: what it has, it gives to whoever asks. Where the origin wants
-- tokens, verify them in front of this cache (its uri_signing plugin knows JWT), or keep it where only a CDN that does so
-- can reach it.

-- What is being fetched is read from the cache in fragments, so a segment that is being made cannot be had there before it
-- is whole. So who asks for a segment that is being fetched looks a few times, as long as it takes to fetch one that is
-- whole (0.3 s in all), and then has a stream of their own from the origin. Playlists and parts are waited for.
local SEGMENT_LOOKS = 3

local directives = { "_HLS_msn", "_HLS_part", "_HLS_skip", "start", "end" }

local function directive(query, name)
    return string.match("&" .. query, "&" .. name .. "=([^&]*)") or ""
end

function do_remap()
    local path = string.gsub(ts.client_request.get_uri(), "^/t/[^/]+/", "/")
    -- Behind a "?", which no path has, so that no path can pretend to be another one with directives.
    local key = path .. "?"
    if string.match(path, "%.m3u8$") or string.match(path, "%.mpd$") then
        local query = ts.client_request.get_uri_args() or ""
        for _, name in ipairs(directives) do
            key = key .. "&" .. name .. "=" .. directive(query, name)
        end
    end
    if string.match(path, "/[^/.]+%.m4s$") then
        ts.http.config_int_set(TS_LUA_CONFIG_HTTP_CACHE_MAX_OPEN_READ_RETRIES, SEGMENT_LOOKS)
    end
    -- No host: this cache has one origin.
    ts.http.set_cache_lookup_url("http://headwater" .. key)
    ts.hook(TS_LUA_HOOK_READ_RESPONSE_HDR, response)
    ts.hook(TS_LUA_HOOK_SEND_RESPONSE_HDR, to_player)
    return 0
end

-- RFC 9213: what is said to CDNs counts more than what is said to all. Players are told the latter.
function response()
    local said = ts.server_response.header["CDN-Cache-Control"]
    if said then
        ts.server_response.header["X-To-All"] = ts.server_response.header["Cache-Control"]
        ts.server_response.header["Cache-Control"] = said
    end
end

function to_player()
    local to_all = ts.client_response.header["X-To-All"]
    if to_all then
        ts.client_response.header["Cache-Control"] = to_all
        ts.client_response.header["X-To-All"] = nil
    end
    local hit = ts.http.get_cache_lookup_status() == TS_LUA_CACHE_LOOKUP_HIT_FRESH
    ts.client_response.header["X-Cache-Status"] = hit and "HIT" or "MISS"
end
