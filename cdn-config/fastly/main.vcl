# Fastly in front of one Headwater origin: a service's main VCL, with the origin as its backend `F_headwater` (Origins ->
# Hosts). There: first byte timeout 40000 ms and between bytes timeout 40000 ms, as the origin holds a request for up to
# three target durations of at most 10 s; connect timeout 1000 ms; and a shield next to the origin.
#
# All lifetimes come from the origin (../README.md); nothing here sets one, but for an origin that is not there.
# Requests for the same object are collapsed, and with do_stream all who wait get the body while it comes, from one fetch
# (Fastly's "Request collapsing" and "Streaming Miss"). Only the shape of this file is checked here (cargo test --test it
# described): Fastly's compiler is in its API. Not tried with Fastly itself.
#
# Purge: curl -X POST -H "Fastly-Key: $KEY" https://api.fastly.com/purge/live.example.com/live/demo/720p/index.m3u8

sub vcl_recv {
#FASTLY recv

  # Viewers over WebSockets (/live/{channel}/ws): a product of Fastly's that has to be enabled.
  if (req.http.Upgrade ~ "(?i)^websocket$") {
    return(upgrade);
  }

  if (req.method != "GET" && req.method != "HEAD" && req.method != "FASTLYPURGE") {
    return(pass);
  }

  # What the object is called: the path without the token that may stand in front of it (/t/{token}/...), and of the query
  # only the delivery directives and the stretch (docs/dvr.md), on playlists and MPDs. The origin is asked with the URL as it came, token included.
  #
  # Nothing is verified here: what is cached is given to whoever asks. Where the origin wants tokens, verify them here, for
  # HS256 with digest.hmac_sha256_base64 as Fastly's "Decode JSON Web Tokens" shows, and error(403) if they are wrong.
  set req.http.X-Object = regsub(req.url.path, "^/t/[^/]+/", "/");
  if (req.url.path ~ "\.(m3u8|mpd)$") {
    set req.http.X-Object = req.http.X-Object
      "?msn=" subfield(req.url.qs, "_HLS_msn", "&")
      "&part=" subfield(req.url.qs, "_HLS_part", "&")
      "&skip=" subfield(req.url.qs, "_HLS_skip", "&")
      "&start=" subfield(req.url.qs, "start", "&")
      "&end=" subfield(req.url.qs, "end", "&");
  }

  # The origin has two forms of a playlist. Fastly makes of Accept-Encoding "gzip" or nothing by itself (Brotli is to be off).
  return(lookup);
}

sub vcl_hash {
  # No host: this service has one origin. req.vcl.generation lets "purge all" work.
  set req.hash += req.http.X-Object;
  set req.hash += req.vcl.generation;
#FASTLY hash
  return(hash);
}

sub vcl_miss {
#FASTLY miss
  unset bereq.http.X-Object;
  return(fetch);
}

sub vcl_pass {
#FASTLY pass
  unset bereq.http.X-Object;
  return(pass);
}

sub vcl_fetch {
#FASTLY fetch

  # Bodies are passed on while they come, to all who ask for them.
  set beresp.do_stream = true;

  # By itself, Fastly keeps only some statuses, and what says nothing for an hour. Of Surrogate-Control, CDN-Cache-Control and
  # Cache-Control it takes the lifetimes by itself.
  if (beresp.http.Cache-Control ~ "(?i)no-store|no-cache|private"
      || beresp.http.Cache-Control !~ "(?i)max-age") {
    # For a second, those who ask for the same do not wait for each other.
    set beresp.ttl = 1s;
    return(pass);
  }
  set beresp.cacheable = true;
  # Refusals too, for as long as they say: Fastly reads Cache-Control of statuses that it keeps by itself only.
  if (beresp.status >= 400) {
    set beresp.ttl = parse_time_delta(subfield(beresp.http.Cache-Control, "max-age", ","));
  }

  # A stale playlist is good enough for as long as the next one takes, but not when the origin is gone.
  set beresp.stale_while_revalidate = 1s;
  set beresp.stale_if_error = 0s;
  return(deliver);
}

sub vcl_hit {
#FASTLY hit
  return(deliver);
}

sub vcl_error {
#FASTLY error
  # The origin is not there: no cache behind this one keeps that.
  set obj.http.Access-Control-Allow-Origin = "*";
  set obj.http.Cache-Control = "no-store";
  return(deliver);
}

sub vcl_deliver {
#FASTLY deliver
  set resp.http.X-Cache-Status = fastly_info.state;
  return(deliver);
}

sub vcl_log {
#FASTLY log
}
