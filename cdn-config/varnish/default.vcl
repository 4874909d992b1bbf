vcl 4.1;

# A cache in front of one Headwater origin, for Varnish 6.0 or newer; tried with 7.1:
#
#   varnishd -f /path/to/default.vcl -a :8000 -s default,20g -p timeout_idle=60
#
# All lifetimes come from the origin (../README.md); nothing here makes one up, except for an origin that is not there.
# Varnish collapses requests by itself: who asks for what is being fetched waits for it, and gets its body while it
# comes. So LL-DASH players of an open segment share one stream from the origin.

import std;

# SETTING: the origin.
backend headwater {
    .host = "127.0.0.1";
    .port = "8080";
    .connect_timeout = 1s;
    # The origin holds a request for up to three target durations, of at most 10 s. Idle connections to it are closed by
    # Varnish after 60 s (backend_idle_timeout), by the origin after 75 s.
    .first_byte_timeout = 40s;
    .between_bytes_timeout = 40s;
}

# SETTING: who may purge.
acl purgers {
    "127.0.0.0"/8;
    "::1";
}

sub vcl_recv {
    # Viewers over WebSockets (/live/{channel}/ws): nothing to be cached, a connection each.
    if (req.http.Upgrade ~ "(?i)^websocket$") {
        return (pipe);
    }

    # What the object is called: the path without the token that may stand in front of it (/t/{token}/...), and of the
    # query only the delivery directives and the stretch that is asked for (docs/dvr.md). The origin is asked with the URL as it came, token included.
    #
    # Varnish does not verify tokens: what it has, it gives to whoever asks. Where the origin wants tokens, verify them in
    # front of this cache, or keep it where only a CDN that does so can reach it.
    set req.http.X-Object = regsub(regsub(req.url, "\?.*$", ""), "^/t/[^/]+/", "/");
    if (req.url ~ "\.(m3u8|mpd)(\?|$)") {
        set req.http.X-Object = req.http.X-Object
            + " msn=" + regsub(req.url, "^[^?]*(?:\?(?:.*&)?_HLS_msn=([^&]*).*|.*)$", "\1")
            + " part=" + regsub(req.url, "^[^?]*(?:\?(?:.*&)?_HLS_part=([^&]*).*|.*)$", "\1")
            + " skip=" + regsub(req.url, "^[^?]*(?:\?(?:.*&)?_HLS_skip=([^&]*).*|.*)$", "\1")
            + " start=" + regsub(req.url, "^[^?]*(?:\?(?:.*&)?start=([^&]*).*|.*)$", "\1")
            + " end=" + regsub(req.url, "^[^?]*(?:\?(?:.*&)?end=([^&]*).*|.*)$", "\1");
    }

    # curl -X PURGE http://127.0.0.1:8000/live/demo/720p/index.m3u8: both codings at once, as Varnish keeps gzip only and
    # unpacks it for those who cannot.
    if (req.method == "PURGE") {
        if (client.ip !~ purgers) {
            return (synth(403, "Purging is not allowed from this address."));
        }
        return (purge);
    }
    if (req.method != "GET" && req.method != "HEAD") {
        return (pass);
    }
    # The built-in rules, which are not reached, would not cache for requests with a cookie or with Authorization. No answer
    # depends on either.
    unset req.http.Cookie;
    return (hash);
}

sub vcl_hash {
    # No host: this cache has one origin. Add req.http.Host for several.
    hash_data(req.http.X-Object);
    return (lookup);
}

sub vcl_backend_fetch {
    unset bereq.http.X-Object;
}

sub vcl_backend_response {
    # RFC 9213: what is said to CDNs counts more than what is said to all.
    if (beresp.http.CDN-Cache-Control ~ "(?i)max-age=[0-9]+") {
        set beresp.ttl = std.duration(
            regsub(beresp.http.CDN-Cache-Control, "(?i)^.*max-age=([0-9]+).*$", "\1s"), beresp.ttl);
    }
    if (beresp.http.CDN-Cache-Control ~ "(?i)no-store|no-cache"
        || (!beresp.http.CDN-Cache-Control && beresp.http.Cache-Control ~ "(?i)no-store|no-cache|private")
        || (!beresp.http.CDN-Cache-Control && beresp.http.Cache-Control !~ "(?i)max-age")) {
        # Not kept, and for a second those who ask for the same do not wait for each other.
        set beresp.uncacheable = true;
        set beresp.ttl = 1s;
        set beresp.grace = 0s;
        return (deliver);
    }
    # A stale playlist is good enough for as long as the next one takes. When the origin fails, its failure is what is
    # kept next, so players and CDNs hear of it.
    if (beresp.status == 200) {
        set beresp.grace = 1s;
    } else {
        set beresp.grace = 0s;
    }
    set beresp.keep = 0s;
    # Playlists and manifests come with Vary and an ETag for each form; Varnish handles Accept-Encoding by itself. Bodies
    # are passed on while they come (do_stream is on unless it is turned off).
    return (deliver);
}

# The origin is not there. Those who wait hear of it together, and for a second the origin is not tried again.
sub vcl_backend_error {
    set beresp.http.Content-Type = "text/plain; charset=utf-8";
    set beresp.http.Cache-Control = "public, max-age=1";
    set beresp.http.Retry-After = "1";
    set beresp.http.Access-Control-Allow-Origin = "*";
    set beresp.ttl = 1s;
    set beresp.grace = 0s;
    synthetic("The origin does not answer.");
    return (deliver);
}

sub vcl_pipe {
    # The whole connection is the viewer's. Host and Origin stay as they came, because the origin compares them.
    set bereq.http.Upgrade = req.http.Upgrade;
    set bereq.http.Connection = "upgrade";
    return (pipe);
}

sub vcl_deliver {
    if (obj.hits > 0) {
        set resp.http.X-Cache-Status = "HIT";
    } else {
        set resp.http.X-Cache-Status = "MISS";
    }
    unset resp.http.Via;
    unset resp.http.X-Varnish;
    return (deliver);
}
