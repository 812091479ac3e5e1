//! A PgBouncer of the test's own, before the server of the test run.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use sqlx::postgres::PgConnectOptions;

use super::process::Folder;
use super::programs::{is_root, program, skipped};
use super::{Database, eventually};

/// Ends with its input: not even a killed test run leaves a pooler behind.
const GUARD: &str = r#""$@" & read -r _; kill -KILL $!"#;

/// The pooler; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct PgBouncer {
    guard: Child,
    url: String,
    _folder: Folder,
}

impl PgBouncer {
    /// A pooler with these settings, one a line; `None`, and a line that says so, where the program is missing.
    pub(crate) async fn before(database: &Database, settings: &str) -> Option<Self> {
        let Some(program) = program("pgbouncer") else {
            skipped("pgbouncer", "apt-get install pgbouncer");
            return None;
        };
        let folder = Folder::new();
        let config = folder.path().join("pgbouncer.ini");
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        std::fs::write(&config, configuration(database, port, settings)).unwrap();
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", GUARD, "pgbouncer-guard"]).arg(program).arg("--quiet");
        if is_root() {
            guard.args(["--user", "nobody"]);
        }
        let guard = guard.arg(&config).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("a pooler that answers", async || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        let (server, name) = database.url.rsplit_once('/').unwrap();
        let (login, _) = server.rsplit_once('@').unwrap();
        let url = format!("{login}@127.0.0.1:{port}/{name}?sslmode=disable");
        Some(Self { guard, url, _folder: folder })
    }

    /// The database's url, through the pooler.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        // Nothing else can be done about one that does not end.
        let _ = self.guard.wait();
    }
}

/// Whoever comes is let in, as the role that the url of the database names.
fn configuration(database: &Database, port: u16, settings: &str) -> String {
    let options: PgConnectOptions = database.url.parse().unwrap();
    let (login, _) = database.url.rsplit_once('@').unwrap();
    let (_, password) = login.rsplit_once(':').unwrap();
    format!(
        "[databases]\n* = host={} port={} user={} password={password}\n\
         [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n{settings}\n",
        options.get_host(),
        options.get_port(),
        options.get_username(),
    )
}
