//! A worker in a process of its own: this program, started once more.

use std::env;
use std::io;
use std::process::{Child, Command, Stdio};

use durable::{Durable, Result};

use crate::workflows::OneStep;

/// The variable that makes the program a worker of this database. It is not an argument, because the URL holds a password.
const ROLE: &str = "DURABLE_BENCH_WORKER";

/// The database to work on, if this process is a worker.
pub(crate) fn database_url() -> Option<String> {
    env::var(ROLE).ok()
}

/// Works until the parent process closes this process's input, or ends.
pub(crate) async fn serve(url: &str) -> Result<()> {
    let durable = Durable::builder().database_url(url).register(OneStep::default()).start().await?;
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    durable.shutdown().await
}

/// A running worker process. It ends when this is dropped.
pub(crate) struct WorkerProcess {
    child: Child,
}

impl WorkerProcess {
    pub(crate) fn start(url: &str) -> Result<Self> {
        let child = Command::new(env::current_exe()?).env(ROLE, url).stdin(Stdio::piped()).spawn()?;
        Ok(Self { child })
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        // Waiting closes its input, and so ends it.
        let _ = self.child.wait();
    }
}
