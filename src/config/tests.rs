use super::*;

const SOCKET: &str = "encoder_socket = \"/run/headwater/a.sock\"\n";

fn refusal(text: &str) -> String {
    Config::parse(Path::new("h.toml"), text).unwrap_err().to_string()
}

#[test]
fn five_lines_make_a_channel() {
    let text = "[channel.a]\nsource = \"test:\"\n[[channel.a.video]]\nheight = 360\nbitrate = \"700k\"\n";
    let config = Config::parse(Path::new("h.toml"), text).unwrap();
    assert_eq!(config.channels["a"].ladder.video[0].bitrate, 700_000);
    assert_eq!(config.channels["a"].grid, Config::default().channels["demo"].grid);
}

#[test]
fn a_server_that_packages_nothing_takes_the_file_of_one_that_does_and_needs_no_source() {
    let role = |text: &str, role| Config::parse_as(Path::new("h.toml"), text, role).map(|it| it.server.role);
    let full = "[channel.a]\nsource = \"test:\"\n";
    assert_eq!(role(full, None).unwrap(), Role::All);
    assert_eq!(role(full, Some(Role::Origin)).unwrap(), Role::Origin);
    let bare = "[server]\nrole = \"origin\"\n[channel.a]\n";
    assert_eq!(role(bare, None).unwrap(), Role::Origin);
    assert!(role(bare, Some(Role::All)).unwrap_err().to_string().contains("channel.a.source"));
}

#[test]
fn the_edge_comes_from_one_packager_or_from_several_and_only_to_who_has_the_secret() {
    let edge = |lines: &str, role| {
        let text = format!("[server]\n{lines}[channel.a]\nsource = \"test:\"\n");
        Config::parse_as(Path::new("h.toml"), &text, Some(role))
            .map(|config| config.server.edge)
            .map_err(|error| error.to_string())
    };
    let one = "edge_from = \"http://a:8080\"\nedge_secret_file = \"s\"\n";
    let two = "edge_from = [\"http://a:8080/\", \"https://b\"]\nedge_secret_file = \"s\"\n";
    let from = |lines: &str, role| edge(lines, role).unwrap().unwrap().from;
    assert_eq!(from(one, Role::Origin), ["http://a:8080"]);
    assert_eq!(from(two, Role::Origin), ["http://a:8080/", "https://b"]);
    assert!(from(two, Role::All).is_empty(), "a packager may have the file of its nodes");
    assert_eq!(edge("", Role::All), Ok(None));
    for (lines, role, expected) in [
        ("edge_from = \"http://a:8080\"\n", Role::Origin, "server.edge_secret_file: is missing"),
        ("edge_secret_file = \"s\"\n", Role::Origin, "server.edge_from: is missing"),
        (&one.replace("http://", ""), Role::Origin, "no URL of a media listener"),
        (&one.replace("8080", "8080/live"), Role::Origin, "no URL of a media listener"),
        (&one.replace("\"http://a:8080\"", "7"), Role::Origin, "has to be a URL"),
        (&one.replace("a:8080", "me:hunter2@a:8080"), Role::Origin, "\"http://***@a:8080\" is no URL"),
        (&one.replace("http://a:8080", "me:hunter2@a:8080"), Role::Origin, "\"***@a:8080\" is no URL"),
        (&one.replace("a:8080", "hunter2@a b:80800"), Role::Origin, "\"http://***@a b:80800\" is no URL"),
        (&one.replace("a:8080", "a:80/?token=hunter2"), Role::Origin, "\"http://a:80/?***\" is no URL"),
        ("edge_ca_file = \"c\"\n", Role::Origin, "server.edge_ca_file: comes with edge_from"),
        (
            "edge_certificate_file = \"c\"\nedge_key_file = \"k\"\n",
            Role::All,
            "server.edge_certificate_file: comes with edge_from",
        ),
        (&format!("{one}edge_key_file = \"k\"\n"), Role::Origin, "server.edge_certificate_file: is missing"),
        (&format!("{one}edge_certificate_file = \"c\"\n"), Role::All, "server.edge_key_file: is missing"),
    ] {
        let error = edge(lines, role).unwrap_err();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_stretch_is_as_long_as_is_configured_and_neither_nothing_nor_a_year() {
    let stretch = |lines: &str| {
        let text = format!("[channel.a]\nsource = \"test:\"\n[server.limits]\n{lines}");
        Config::parse(Path::new("h.toml"), &text)
            .map(|config| config.server.limits.stretch)
            .map_err(|error| error.to_string())
    };
    assert_eq!(stretch(""), Ok(Duration::from_secs(86_400)));
    assert_eq!(stretch("stretch = \"3h\"\n"), Ok(Duration::from_secs(10_800)));
    for wrong in ["0s", "9s", "800h"] {
        let error = stretch(&format!("stretch = {wrong:?}\n")).unwrap_err();
        let told = error.contains("server.limits.stretch") && error.contains("10s to 2678400s are possible");
        assert!(told, "{error}");
    }
}

#[test]
fn a_store_may_be_a_bucket_anywhere() {
    let text = "[channel.a]\nsource = \"test:\"\n[store]\nurl = \"s3://bucket/a/b\"\n\
                endpoint = \"http://127.0.0.1:9000\"\naddressing = \"virtual-host\"\nencryption = \"kms\"\n\
                access_key_id_file = \"id\"\nsecret_access_key_file = \"secret\"\nstorage_class = \"STANDARD_IA\"\n\
                tags = { keep = \"week\" }\nspool_memory = \"16M\"\nspool_directory = \"spool\"\nspool_disk = \"2G\"\nmanifests = false\nfence = \"required\"\n";
    let store = Config::parse(Path::new("h.toml"), text).unwrap().store;
    let Store { bucket, spool, .. } = &store;
    assert_eq!(bucket.key_files, Some(("id".into(), "secret".into())));
    assert!(bucket.virtual_host && bucket.allow_http, "this machine needs no TLS to itself");
    assert_eq!(bucket.encryption, Some(Encryption::Kms { key: None }));
    assert_eq!((spool.memory, &spool.disk), (16_000_000, &Some(("spool".into(), 2_000_000_000))));
    assert!(!store.manifests && Store::at("data").manifests);
    assert_eq!((store.fence, Store::at("data").fence), (Fence::Required, Fence::Auto));
}

#[test]
fn a_channel_may_leave_its_encoder_to_others() {
    let text = format!("[channel.a]\nsource = \"test:\"\n{SOCKET}");
    let config = Config::parse(Path::new("h.toml"), &text).unwrap();
    assert_eq!(config.channels["a"].encoder_socket.as_deref(), Some(Path::new("/run/headwater/a.sock")));
}

#[test]
fn the_archive_is_the_window_unless_more_is_to_be_kept() {
    let archive = |lines: &str| {
        let text = format!("[channel.a]\nsource = \"test:\"\nwindow = \"4h\"\n{lines}");
        let channel = Config::parse(Path::new("h.toml"), &text).unwrap().channels["a"].clone();
        (channel.archive.as_secs() / 3600, channel.archive_bytes)
    };
    assert_eq!(archive(""), (4, None));
    assert_eq!(archive("archive = \"7d\"\narchive_bytes = \"500G\"\n"), (168, Some(500_000_000_000)));
    let refused = refusal("[channel.a]\nsource = \"test:\"\narchive = \"30s\"\n");
    assert!(
        refused.starts_with("h.toml: channel.a.archive: 30s is shorter than the window of 60s"),
        "{refused}"
    );
}

#[test]
fn media_is_placed_by_the_clock_unless_it_is_to_be_by_the_source() {
    let timing = |lines: &str| {
        let text = format!("[channel.a]\nsource = \"udp://127.0.0.1:5000\"\n{lines}");
        Config::parse(Path::new("h.toml"), &text).unwrap().channels["a"].timing
    };
    assert_eq!(timing(""), Timing::Clock);
    assert_eq!(timing("timing = \"clock\"\n"), Timing::Clock);
    assert_eq!(timing("timing = \"source\"\n"), Timing::Source);
}

#[test]
fn a_channel_may_be_an_error_earlier_or_later_or_never() {
    let unfit = |lines: &str| {
        let text = format!("[channel.a]\nsource = \"test:\"\n{lines}");
        Config::parse(Path::new("h.toml"), &text).unwrap().channels["a"].unfit
    };
    assert_eq!(unfit(""), Unfit::default());
    let seconds = Duration::from_secs;
    let written = "stale_after = 0\nincomplete_after = 4\nslate_after = \"30s\"\ngone_after = \"2h\"\nready_after = \"1m\"\n";
    let (stale_after, incomplete_after, slate_after) = (0, 4, Some(seconds(30)));
    let gone_after = Some(seconds(7200));
    assert_eq!(
        unfit(written),
        Unfit { stale_after, incomplete_after, slate_after, gone_after, ready_after: seconds(60) }
    );
}

#[test]
fn every_refusal_names_file_key_and_what_would_be_right() {
    let channel = |lines: &str| format!("[channel.a]\nsource = \"test:\"\n{lines}");
    let rung = |lines: &str| channel(&format!("[[channel.a.video]]\n{lines}"));
    insta::assert_snapshot!(
        [
            refusal("[server]\nmedai = \"0.0.0.0:80\"\n"),
            refusal("[server]\nrole = \"edge\"\n"),
            refusal("[channel.a]\nsegment = \"2s\"\n"),
            refusal("[server]\nmedia = \"80\"\n"),
            refusal("[server\n"),
            refusal("[server]\norigins = [\"example.com\"]\n"),
            refusal("[server.tls]\ncertificate = \"a.pem\"\n"),
            refusal("[server.cdn]\naddresses = [\"10.0.0.0/33\"]\n"),
            refusal("[server.cdn]\nsecret_header = \"x-secret\"\n"),
            refusal("[server.cdn]\nsecret_header = \"x secret\"\nsecret_file = \"secret\"\n"),
            refusal("[server.limits]\nconnections = 0\n"),
            refusal("[server.limits]\nheader_bytes = 100\n"),
            refusal("[server.limits]\nhead_timeout = \"10ms\"\n"),
            refusal(&channel("colour = \"red\"\n")),
            refusal("[server]\ncontrol = \"0.0.0.0:8080\"\n[channel.a]\nsource = \"test:\"\n"),
            refusal(""),
            refusal("[channel.\"a/b\"]\nsource = \"test:\"\n"),
            refusal(&channel("segment = \"2 parsecs\"\n")),
            refusal(&channel("segment = \"30s\"\n")),
            refusal(&channel("part = \"3s\"\n")),
            refusal(&channel("part = \"200ms\"\nframe_rate = 1\n")),
            refusal(&channel("segment = \"0s\"\n")),
            refusal(&channel("part = \"100ms\"\nframe_rate = 30\n")),
            refusal(&channel("part = \"120ms\"\nframe_rate = 24\n")),
            refusal(&channel("window = \"4s\"\n")),
            refusal(&channel("low_latency = \"yes\"\n")),
            refusal(&rung("height = 360\nbitrate = \"1M\"\nb_frames = 2\n")),
            refusal(&channel("frame_rate = \"1000\"\n")),
            refusal(&rung("height = 0\nbitrate = \"700k\"\n")),
            refusal(&rung("height = 361\nbitrate = \"700k\"\n")),
            refusal(&rung("height = 360\nbitrate = 0\n")),
            refusal(&rung("height = 360\n")),
            refusal(&rung("height = 360\nbitrate = 1\n")),
            refusal(&rung("height = 360\nbitrate = \"1M\"\npreset = \"quick\"\n")),
            refusal(&channel("[[channel.a.audio]]\nbitrate = \"5M\"\n")),
            refusal(&rung("height = 360\nbitrate = 1\ncodec = \"vp9\"\n")),
            refusal(&channel("ladder = \"auto\"\n[[channel.a.video]]\nheight = 360\nbitrate = 1\n")),
            refusal(&channel("encoder_socket = \"run/a.sock\"\n")),
            refusal(&channel("encoder_socket = \"/run/headwater/\"\n")),
            refusal(&channel(&format!("encoder_socket = \"/run/{}\"\n", "a".repeat(103)))),
            refusal(&channel("stale_after = 1\n")),
            refusal(&channel("incomplete_after = 1\n")),
            refusal(&channel("stale_after = \"3s\"\n")),
            refusal(&channel("slate_after = \"0s\"\n")),
            refusal(&channel("gone_after = \"0s\"\n")),
            refusal(&channel("window = \"1h\"\nready_after = \"2h\"\n")),
            refusal(&channel("timing = \"ntp\"\n")),
            refusal(&channel("timing = \"source\"\n")),
            refusal(&(channel(SOCKET) + "[channel.b]\nsource = \"test:\"\n" + SOCKET)),
            refusal(&channel("access = \"secret\"\n")),
        ]
        .join("\n")
    );
}

#[test]
fn every_refusal_of_a_store_or_of_access_names_file_key_and_what_would_be_right() {
    let channel = |lines: &str| format!("[channel.a]\nsource = \"test:\"\n{lines}");
    let store = |lines: &str| channel("") + &format!("[store]\n{lines}\n");
    let bucket = |lines: &str| store(&format!("url = \"s3://bucket/prefix\"\n{lines}"));
    insta::assert_snapshot!(
        [
            refusal(&store("url = \"s3:///live\"")),
            refusal(&store("region = \"eu-central-1\"")),
            refusal(&store("tags = { expire = \"soon\" }")),
            refusal(&store("url = \"gs://bucket\"\ntags = { expire = \"soon\" }")),
            refusal(&store("url = \"gs://bucket\"\naccount = \"a\"")),
            refusal(&bucket("bucket = \"b\"")),
            refusal(&bucket("credentials_file = \"key.json\"")),
            refusal(&bucket("endpoint = \"http://s3.example.com\"")),
            refusal(&bucket("endpoint = \"s3.example.com\"")),
            refusal(&bucket("access_key_id_file = \"id\"")),
            refusal(&bucket("secret_access_key_file = \"secret\"")),
            refusal(&bucket("addressing = \"host\"")),
            refusal(&bucket("kms_key = \"arn:aws:kms:x\"")),
            refusal(&bucket("encryption = \"aes\"")),
            refusal(&bucket("tags = { \"\" = \"soon\" }")),
            refusal(&bucket("spool_memory = \"64 pages\"")),
            refusal(&bucket("spool_disk = \"1G\"")),
            refusal(&bucket("cache_disk = \"20G\"")),
            refusal(&bucket("cache_memory = \"much\"")),
            refusal(&channel("access = \"signed\"\n")),
            refusal(&(channel("") + "[access]\nvod = \"signed\"\n")),
            refusal(&(channel("") + "[access]\nsecret = \"hunter2\"\n")),
            refusal(&(channel("") + "[access]\njwks = \"http://example.com/jwks.json\"\n")),
            refusal(&(channel("") + "[access]\njwks = \"ftp://example.com/jwks.json\"\n")),
            refusal(&(channel("") + "[access.key.\"a b\"]\nsecret_file = \"a\"\n")),
            refusal(&(channel("") + "[access.key.a]\n")),
            refusal(&(channel("") + "[access.key.a]\nsecret_file = \"a\"\npublic_key_file = \"a.pem\"\n")),
        ]
        .join("\n")
    );
}
