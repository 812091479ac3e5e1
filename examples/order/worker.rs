//! The worker process: this same program, started with a hidden argument; and the handle by which the main process ends it.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use durable::prelude::*;
use tokio::sync::oneshot;

use crate::effects::Effects;
use crate::workflow::{Gateway, ProcessOrder};

/// The first argument of a worker process; those after it are its name, its queue and the effects file.
pub(crate) const ARGUMENT: &str = "worker";

/// A worker process. Dropped, it is killed, so that no way out of the example leaves one behind.
#[derive(Debug)]
pub(crate) struct WorkerProcess {
    pub(crate) name: &'static str,
    child: Child,
}

/// What a worker process does until it is told to end.
pub(crate) async fn work(url: &str, name: &str, queue: &str, effects: &Path) -> Result<()> {
    let durable = Durable::builder()
        .database_url(url)
        .queue(queue, 10)
        .lease(seconds(3)) // so that the example need not wait long for the take-over; 15 s by default
        .register(ProcessOrder { gateway: Gateway::new(), effects: Effects::of_worker(name, effects) })
        .start()
        .await?;
    tokio::select! {
        ended = durable.run_until_signal() => ended,
        _ = main_process_is_gone() => durable.shutdown().await,
    }
}

impl WorkerProcess {
    pub(crate) fn start(url: &str, name: &'static str, queue: &str, effects: &Path) -> Result<Self> {
        let child = Command::new(std::env::current_exe()?)
            .args([ARGUMENT, name, queue])
            .arg(effects)
            .env("DATABASE_URL", url)
            .stdin(Stdio::piped()) // never written to: it closes when the main process ends, however it ends
            .spawn()?;
        Ok(Self { name, child })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL: the process gets no chance to say goodbye.
    pub(crate) fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, as a deployment would send it, and the wait for the orderly end.
    pub(crate) async fn terminate(mut self) -> Result<ExitStatus> {
        // The shell has `kill` built in; the standard library only has SIGKILL.
        Command::new("sh").args(["-c", "kill -TERM \"$1\"", "sh"]).arg(self.id().to_string()).status()?;
        Ok(tokio::task::spawn_blocking(move || self.child.wait()).await??)
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.kill().ok();
    }
}

/// Returns when the pipe from the main process closes. A thread of its own reads it: a task could not be stopped while it does.
async fn main_process_is_gone() {
    let (gone, told) = oneshot::channel();
    std::thread::spawn(move || {
        std::io::stdin().read_to_end(&mut Vec::new()).ok();
        gone.send(()).ok();
    });
    told.await.ok();
}
