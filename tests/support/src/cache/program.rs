//! What has to be said to each program to run its example.

use std::{
    fmt, fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Error, failed,
    place::{copy, examples, find, is_root},
};

/// A program that there is an example for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// nginx with its Lua module.
    Nginx,
    /// Varnish Cache.
    Varnish,
    /// Apache Traffic Server.
    TrafficServer,
    /// HAProxy.
    Haproxy,
}

/// From whom players get a segment that is still being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Streams {
    /// All from one stream of the origin.
    Shared,
    /// Each from a stream of its own.
    Each,
}

const NGINX_LUA: &str = "/usr/lib/nginx/modules/ngx_http_lua_module.so";
const TRAFFIC_SERVER_LUA: &str = "/usr/lib/trafficserver/modules/tslua.so";

impl Program {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Nginx, Self::Varnish, Self::TrafficServer, Self::Haproxy];

    /// Its directory in cdn-config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Varnish => "varnish",
            Self::TrafficServer => "trafficserver",
            Self::Haproxy => "haproxy",
        }
    }

    /// Whether the origin is asked once for what many wait for.
    pub fn collapses(self) -> bool {
        self != Self::Haproxy
    }

    /// How segments are passed on that are still being made.
    pub fn streams(self) -> Streams {
        match self {
            Self::Varnish => Streams::Shared,
            Self::Nginx | Self::TrafficServer | Self::Haproxy => Streams::Each,
        }
    }

    /// Whether it can be told to forget an object.
    pub fn purges(self) -> bool {
        self != Self::Haproxy
    }

    /// Whether it keeps refusals for as long as they say, to spare the origin a storm.
    pub fn keeps_refusals(self) -> bool {
        self != Self::Haproxy
    }

    /// Whether CDN-Cache-Control counts more than Cache-Control (RFC 9213).
    pub fn is_told_apart(self) -> bool {
        matches!(self, Self::Varnish | Self::TrafficServer)
    }

    /// Whether a range of what it has is answered with that range, and not with the whole.
    pub fn cuts(self) -> bool {
        self != Self::Haproxy
    }

    /// What is not installed of what it needs.
    pub fn missing(self) -> Option<&'static str> {
        let needs: &[(&str, &str)] = match self {
            Self::Nginx => &[("nginx", "nginx"), (NGINX_LUA, "nginx's Lua module")],
            Self::Varnish => &[("varnishd", "Varnish"), ("cc", "a C compiler, which Varnish calls")],
            Self::TrafficServer => {
                &[("traffic_server", "Traffic Server"), (TRAFFIC_SERVER_LUA, "Traffic Server's Lua plugin")]
            }
            Self::Haproxy => &[("haproxy", "HAProxy")],
        };
        needs.iter().find(|(file, _)| find(file).is_none()).map(|(_, what)| *what)
    }

    /// The command that runs the example in `directory`, for players at `address`.
    pub(super) fn command(
        self,
        directory: &Path,
        origin: SocketAddr,
        address: SocketAddr,
    ) -> Result<Command, Error> {
        match self {
            Self::Nginx => nginx(directory, origin, address),
            Self::Varnish => varnish(directory, origin, address),
            Self::TrafficServer => traffic_server(directory, origin, address),
            Self::Haproxy => haproxy(directory, origin, address),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn path(program: &str) -> PathBuf {
    find(program).unwrap_or_else(|| program.into())
}

/// The origin of the examples.
const ORIGIN: &str = "127.0.0.1:8080";
/// Who may purge there. Tests let one address do it, so that there are others on this machine.
const PURGERS: &str = "127.0.0.0/8";

fn nginx(directory: &Path, origin: SocketAddr, address: SocketAddr) -> Result<Command, Error> {
    let settings = [
        ("server 127.0.0.1:8080;", format!("server {origin};")),
        ("listen 8000;", format!("listen {address};")),
        (PURGERS, format!("{}/32", address.ip())),
    ];
    run_nginx("nginx.conf", directory, settings.to_vec())
}

/// The command that runs nginx over the files in `store`.
pub(super) fn over(store: &Path, directory: &Path, address: SocketAddr) -> Result<Command, Error> {
    let settings = [
        ("root /var/lib/headwater;", format!("root {};", store.display())),
        ("listen 8000;", format!("listen {address};")),
    ];
    run_nginx("directory.conf", directory, settings.to_vec())
}

fn run_nginx(
    example: &str,
    directory: &Path,
    mut settings: Vec<(&'static str, String)>,
) -> Result<Command, Error> {
    let file = directory.join("nginx.conf");
    if is_root() {
        settings.push(("worker_processes 1;", "worker_processes 1;\nuser root;".into()));
    }
    copy(&examples().join("nginx").join(example), &file, &settings)?;
    let mut command = Command::new(path("nginx"));
    command.args(["-e", "stderr", "-g", "daemon off;", "-p"]).arg(directory).arg("-c").arg(file);
    Ok(command)
}

fn varnish(directory: &Path, origin: SocketAddr, address: SocketAddr) -> Result<Command, Error> {
    let file = directory.join("default.vcl");
    let settings = [
        (".host = \"127.0.0.1\";", format!(".host = \"{}\";", origin.ip())),
        (".port = \"8080\";", format!(".port = \"{}\";", origin.port())),
        ("\"127.0.0.0\"/8", format!("\"{}\"/32", address.ip())),
    ];
    copy(&examples().join("varnish/default.vcl"), &file, &settings)?;
    let mut command = Command::new(path("varnishd"));
    command.arg("-F").arg("-f").arg(file).arg("-n").arg(directory.join("work"));
    command.args(["-a", &address.to_string(), "-s", "default,256m", "-p", "timeout_idle=60"]);
    // Another user may not enter the directory. Without a jail, the two processes are ours.
    command.args(["-j", "none", "-T", "none"]);
    Ok(command)
}

fn haproxy(directory: &Path, origin: SocketAddr, address: SocketAddr) -> Result<Command, Error> {
    let file = directory.join("haproxy.cfg");
    let settings = [
        (ORIGIN, origin.to_string()),
        ("bind :8000", format!("bind {address}")),
        ("total-max-size 1024", "total-max-size 256".into()),
    ];
    copy(&examples().join("haproxy/haproxy.cfg"), &file, &settings)?;
    let mut command = Command::new(path("haproxy"));
    command.args(["-db", "-f"]).arg(file);
    Ok(command)
}

/// Where Traffic Server finds what is its own, and where it may write.
const RUN_ROOT: &str = "prefix: /usr
exec_prefix: /usr
bindir: /usr/bin
sbindir: /usr/bin
libdir: /usr/lib/trafficserver
libexecdir: /usr/lib/trafficserver/modules
includedir: /usr/include
datadir: DIRECTORY
sysconfdir: DIRECTORY/etc
localstatedir: DIRECTORY
runtimedir: DIRECTORY/run
logdir: DIRECTORY/log
cachedir: DIRECTORY/cache
";

fn traffic_server(directory: &Path, origin: SocketAddr, address: SocketAddr) -> Result<Command, Error> {
    let etc = directory.join("etc");
    for name in ["etc", "run", "log", "cache"] {
        fs::create_dir(directory.join(name)).map_err(failed(name))?;
    }
    let example = examples().join("trafficserver");
    copy(&example.join("remap.config"), &etc.join("remap.config"), &[(ORIGIN, origin.to_string())])?;
    copy(&example.join("headwater.lua"), &etc.join("headwater.lua"), &[])?;
    let purgers = [(PURGERS, format!("{}/32", address.ip()))];
    copy(&example.join("ip_allow.yaml"), &etc.join("ip_allow.yaml"), &purgers)?;
    let ports = format!("server_ports STRING {}:ip-in={}", address.port(), address.ip());
    let mut records = vec![("server_ports STRING 8000", ports)];
    if is_root() {
        records.push(("user_id STRING trafficserver", "user_id STRING #-1".into()));
    }
    copy(&example.join("records.config"), &etc.join("records.config"), &records)?;
    let cache = format!("{} 256M", directory.join("cache").display());
    copy(
        &example.join("storage.config"),
        &etc.join("storage.config"),
        &[("/var/cache/trafficserver 20G", cache)],
    )?;
    let run_root = directory.join("runroot.yaml");
    let text = RUN_ROOT.replace("DIRECTORY", &directory.display().to_string());
    fs::write(&run_root, text).map_err(failed("runroot.yaml"))?;
    let mut command = Command::new(path("traffic_server"));
    command.arg(format!("--run-root={}", run_root.display()));
    Ok(command)
}
