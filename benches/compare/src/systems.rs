//! Who is compared: how each is found, configured in its favour, started and spoken to.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::plans::Plan;
use crate::servers::{Running, free_address, program, version};

/// A system that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct System {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is, for people.
    pub words: &'static str,
    /// The plans in which it is measured when nobody asks for it by name; nothing: all that it can.
    pub usually: &'static [&'static str],
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// With 0 shards, one for each core.
    Tickwire {
        shards: u32,
        codec: &'static str,
    },
    Floor {
        coalesce: bool,
    },
    Nats,
    Mosquitto,
    Nchan,
    TokioBroadcast,
    Node(&'static str, &'static str),
}

const fn system(name: &'static str, words: &'static str, kind: Kind) -> System {
    System { name, words, usually: &[], kind }
}

const fn tickwire(
    name: &'static str,
    words: &'static str,
    (shards, codec): (u32, &'static str),
    usually: &'static [&'static str],
) -> System {
    System { name, words, usually, kind: Kind::Tickwire { shards, codec } }
}

/// Plans that are not made in pairs: there ten runs of every variant would only take time.
const SINGLE: &[&str] = &["steady", "burst", "wide", "bigfan", "memory"];

/// All of them; the first is what the others are compared with.
pub const ALL: [System; 12] = [
    tickwire("tickwire", "one shard, JSON", (1, "json"), &[]),
    tickwire("tickwire-msgpack", "one shard, MessagePack", (1, "msgpack"), SINGLE),
    tickwire("tickwire-2", "two shards, JSON", (2, "json"), SINGLE),
    tickwire(
        "tickwire-n",
        "a shard for each core, at most four, JSON",
        (0, "json"),
        &["bigfan", "quiet", "storm"],
    ),
    system("floor", "the bare send loop", Kind::Floor { coalesce: false }),
    System {
        usually: &["steady", "burst", "wide", "bigfan", "memory", "brisk", "slow"],
        ..system(
            "floor-coalesce",
            "the same, one write for a burst",
            Kind::Floor { coalesce: true },
        )
    },
    system("nats", "nats-server, its WebSocket", Kind::Nats),
    system("mosquitto", "mosquitto, MQTT over WebSocket", Kind::Mosquitto),
    system("nchan", "nginx with nchan, one worker", Kind::Nchan),
    system("tokio-broadcast", "tokio-tungstenite, tokio broadcast", Kind::TokioBroadcast),
    system("ws", "ws on Node.js, a naive loop", Kind::Node("ws.js", "ws")),
    system("socketio", "Socket.IO on Node.js, rooms", Kind::Node("socketio.js", "socket.io")),
];

/// The servers of others that tickwire is to be below in every plan: systems 3 to 7.
pub const OTHERS: [&str; 5] = ["nats", "mosquitto", "nchan", "tokio-broadcast", "ws"];

/// Where our own programs are, and a folder for what the others need.
#[derive(Debug, Clone)]
pub struct Places {
    /// The broker.
    pub tickwire: PathBuf,
    /// The load generator, which is the floor too.
    pub loadgen: PathBuf,
    /// Our tokio-tungstenite server.
    pub broadcast: PathBuf,
    /// The folder of the servers for Node.js.
    pub node: PathBuf,
    /// For generated files.
    pub scratch: PathBuf,
}

/// A system that is there.
#[derive(Debug, Clone)]
pub struct Found {
    /// Which.
    pub system: System,
    /// Its version.
    pub version: String,
    program: PathBuf,
    /// It was asked for by name.
    pub named: bool,
}

/// A system that runs.
#[derive(Debug)]
pub struct Started {
    /// Its process.
    pub running: Running,
    /// The URL for loadgen.
    pub url: String,
    /// More for loadgen.
    pub arguments: Vec<String>,
}

impl System {
    /// The system with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|system| system.name == name)
    }

    /// Whether it can be measured with a plan: coming back with `resume` is tickwire's own, and
    /// the floor at least takes the connections.
    #[must_use]
    pub fn can(&self, plan: &Plan) -> bool {
        !plan.resumes() || matches!(self.kind, Kind::Tickwire { .. } | Kind::Floor { .. })
    }

    /// Looks for it; otherwise what is missing, and how to get it.
    ///
    /// # Errors
    /// What is missing.
    pub fn find(self, places: &Places) -> Result<Found, String> {
        let found = |program: PathBuf, version: String| Found {
            system: self,
            version,
            program,
            named: false,
        };
        let ours = |path: &Path| {
            if path.is_file() { Ok(path.to_owned()) } else { Err(format!("no {}", path.display())) }
        };
        let own_version = || env!("CARGO_PKG_VERSION").to_owned();
        let need = |name: &str, package: &str| {
            program(name).ok_or_else(|| format!("{name} is not installed (package {package})"))
        };
        match self.kind {
            Kind::Tickwire { .. } => Ok(found(ours(&places.tickwire)?, own_version())),
            Kind::Floor { .. } => Ok(found(ours(&places.loadgen)?, own_version())),
            Kind::TokioBroadcast => Ok(found(ours(&places.broadcast)?, own_version())),
            Kind::Nats => {
                let path = need("nats-server", "nats-server")?;
                Ok(found(path.clone(), version(&path, &["--version"])))
            }
            Kind::Mosquitto => {
                let path = need("mosquitto", "mosquitto")?;
                Ok(found(path.clone(), version(&path, &["-h"])))
            }
            Kind::Nchan => {
                let path = need("nginx", "nginx")?;
                nchan_module().ok_or("nchan is not installed (package libnginx-mod-nchan)")?;
                Ok(found(path.clone(), version(&path, &["-v"])))
            }
            Kind::Node(_, package) => {
                let path = need("node", "nodejs")?;
                let manifest = places.node.join("node_modules").join(package).join("package.json");
                let text = fs::read_to_string(manifest).map_err(|_| {
                    format!("{package} is not installed (npm install in {})", places.node.display())
                })?;
                let manifest: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
                let package = manifest["version"].as_str().unwrap_or("unknown").to_owned();
                Ok(found(path.clone(), format!("{package}, node {}", version(&path, &["-v"]))))
            }
        }
    }
}

/// The module that nginx loads, where distributions put it.
fn nchan_module() -> Option<PathBuf> {
    let folders =
        ["/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules"];
    folders.iter().map(|f| Path::new(f).join("ngx_nchan_module.so")).find(|path| path.is_file())
}

impl Found {
    /// Not looked for: what only its name is needed of.
    #[cfg(test)]
    pub(crate) fn pretended(system: System, named: bool) -> Self {
        Self { system, version: String::new(), program: PathBuf::new(), named }
    }

    /// Starts it, fresh, on a free port of loopback.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self, places: &Places) -> anyhow::Result<Started> {
        let address = free_address()?;
        let port = address.port().to_string();
        let mut command = Command::new(&self.program);
        command.current_dir(&places.scratch);
        let (mut scheme, mut path, mut arguments) = ("", "/", Vec::new());
        let mut in_child = false;
        match self.system.kind {
            Kind::Tickwire { shards, codec } => {
                path = "/ws";
                arguments = vec!["--codec".to_owned(), codec.to_owned()];
                command.args(["serve", "--no-feeds", "--shards", &shards.to_string()]);
                command.args(["--listen", &address.to_string()]);
            }
            Kind::Floor { coalesce } => {
                path = "/ws";
                command.args(["floor", "--listen", &address.to_string()]);
                command.args(coalesce.then_some("--coalesce"));
            }
            Kind::Nats => {
                scheme = "nats+";
                let config = write(places, "nats.conf", &nats(address)?)?;
                command.arg("-c").arg(config);
            }
            Kind::Mosquitto => {
                scheme = "mqtt+";
                let config = write(places, "mosquitto.conf", &mosquitto(address)?)?;
                command.arg("-c").arg(config);
            }
            Kind::Nchan => {
                (scheme, in_child) = ("nchan+", true);
                let config = write(places, "nginx.conf", &nginx(address, &places.scratch)?)?;
                command.arg("-c").arg(config).arg("-p").arg(&places.scratch);
            }
            Kind::TokioBroadcast => {
                scheme = "broadcast+";
                command.arg(&port);
            }
            Kind::Node(script, _) => {
                scheme = if script == "ws.js" { "broadcast+" } else { "socketio+" };
                command.arg(places.node.join(script)).arg(&port).env("NODE_ENV", "production");
            }
        }
        let log = places.scratch.join(format!("{}.log", self.system.name));
        let running = Running::start(&mut command, address, &log, in_child)
            .with_context(|| self.system.name)?;
        Ok(Started { running, url: format!("{scheme}ws://{address}{path}"), arguments })
    }
}

fn write(places: &Places, name: &str, text: &str) -> anyhow::Result<PathBuf> {
    let path = places.scratch.join(name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// No limit in the way, and none of the checks that cost.
fn nats(address: SocketAddr) -> anyhow::Result<String> {
    Ok(format!(
        "listen: \"{}\"\nmax_connections: 70000\nwrite_deadline: \"30s\"\nmax_pending: 256MB\n\
         ping_interval: \"10m\"\nlogtime: false\n\
         websocket {{ listen: \"{address}\", no_tls: true, compression: false }}\n",
        free_address()?
    ))
}

/// Nothing is stored, nothing logged, no queue cut short. The first listener is never used, but
/// 2.0.11 does not start with a WebSocket alone.
fn mosquitto(address: SocketAddr) -> anyhow::Result<String> {
    let (host, port, unused) = (address.ip(), address.port(), free_address()?.port());
    Ok(format!(
        "per_listener_settings false\nallow_anonymous true\npersistence false\n\
         max_queued_messages 0\nset_tcp_nodelay true\nlog_dest stderr\nlog_type error\n\
         listener {unused} {host}\nlistener {port} {host}\nprotocol websockets\n\
         max_connections -1\n"
    ))
}

/// One worker, as nchan is fastest without messages between workers; no log, room for many.
fn nginx(address: SocketAddr, scratch: &Path) -> anyhow::Result<String> {
    let module = nchan_module().context("nchan is not installed")?;
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("  {kind}_temp_path {}/{kind};\n", scratch.display()))
        .collect();
    Ok(format!(
        "load_module {};\ndaemon off;\nworker_processes 1;\nworker_rlimit_nofile 20000;\n\
         pid {}/nginx.pid;\nerror_log stderr error;\nevents {{ worker_connections 19000; }}\n\
         http {{\n{temporary}  access_log off;\n  tcp_nodelay on;\n  keepalive_requests 1000000000;\n  \
         nchan_shared_memory_size 512M;\n  server {{\n    listen {address} backlog=4096;\n    \
         location ~ ^/pub/(.+)$ {{ nchan_publisher http; nchan_channel_id $1; \
         nchan_message_timeout 5s; nchan_message_buffer_length 1000; }}\n    \
         location ~ ^/sub/(.+)$ {{ nchan_subscriber websocket; nchan_channel_id $1; \
         nchan_channel_id_split_delimiter \",\"; nchan_subscriber_first_message newest; }}\n  }}\n}}\n",
        module.display(),
        scratch.display(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_the_first_is_ours() {
        let mut names: Vec<&str> = ALL.iter().map(|system| system.name).collect();
        assert_eq!(names[0], "tickwire");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        assert!(System::named("nobody").is_none());
        assert!(OTHERS.iter().all(|name| System::named(name).is_some()));
        let plans = ALL.iter().flat_map(|system| system.usually);
        assert!(plans.into_iter().all(|name| Plan::named(name).is_some()));
    }
}
