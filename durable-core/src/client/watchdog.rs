//! Receives the signals that end a process, on a separate thread, and ends the process when the time for an orderly shutdown is
//! over.

use std::time::Duration;

use tokio::sync::{oneshot, watch};

use crate::error::{Error, ErrorKind, Result};

/// The exit code of a process that could not shut down in order: `EX_SOFTWARE` of `sysexits.h`.
const EXIT_CODE: i32 = 70;

/// How long a shutdown may take after the limit for running steps: releasing executions, retiring the worker, notifying
/// observers and other processes.
const FAREWELLS: Duration = Duration::from_secs(15);

/// How long the application may still run after a shutdown that left blocked threads behind.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How far the orderly shutdown has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Works,
    ShutsDown,
    /// Every task has ended, or will at its next await.
    Ended,
    /// Code that does not return keeps threads of the runtime busy, so the runtime never ends by itself.
    EndedWithBlockedThreads,
}

/// The application's side. Dropping it early ends the watch.
#[derive(Debug)]
pub(super) struct Watchdog {
    signalled: oneshot::Receiver<std::io::Result<()>>,
    stage: watch::Sender<Stage>,
}

impl Watchdog {
    /// Listens for signals from now on. Running steps have `limit` to end.
    pub(super) fn start(limit: Duration) -> Result<Self> {
        let (sender, signalled) = oneshot::channel();
        let (stage, seen) = watch::channel(Stage::Works);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name("durable-signals".to_owned())
            .spawn(move || runtime.block_on(guard(sender, seen, limit)))?;
        Ok(Self { signalled, stage })
    }

    /// Returns when the process has received a signal to end.
    pub(super) async fn signalled(&mut self) -> Result<()> {
        let gone = |_| Error::of_kind(ErrorKind::Unavailable, "the thread that receives signals has ended");
        (&mut self.signalled).await.map_err(gone)??;
        self.stage.send_replace(Stage::ShutsDown);
        Ok(())
    }

    /// Notes that the shutdown is over, and how many threads it left behind.
    pub(super) fn shut_down(self, blocked: usize) {
        self.stage.send_replace(if blocked == 0 { Stage::Ended } else { Stage::EndedWithBlockedThreads });
    }
}

async fn guard(signalled: oneshot::Sender<std::io::Result<()>>, mut stage: watch::Receiver<Stage>, limit: Duration) {
    let received = tokio::select! {
        received = signal() => received,
        // The application no longer waits for a signal.
        _ = stage.changed() => return,
    };
    let failed = received.is_err();
    if signalled.send(received).is_err() || failed {
        return;
    }
    // However little time steps have, the runtime has some to begin the shutdown.
    match tokio::time::timeout(limit.max(FAREWELLS), stage.wait_for(|stage| *stage != Stage::Works)).await {
        Err(_) => end_process("the application's runtime does not answer"),
        Ok(Err(_)) => return,
        Ok(Ok(_)) => {}
    }
    let ended = |stage: &Stage| matches!(stage, Stage::Ended | Stage::EndedWithBlockedThreads);
    match tokio::time::timeout(limit.saturating_add(FAREWELLS), stage.wait_for(ended)).await {
        Err(_) => end_process("the shutdown does not come to its end"),
        Ok(Ok(stage)) if *stage == Stage::EndedWithBlockedThreads => {}
        Ok(_) => return,
    }
    tokio::time::sleep(LAST_WORDS).await;
    end_process("code that does not return keeps threads of the runtime");
}

/// Returns when the process gets SIGTERM or Ctrl-C.
async fn signal() -> std::io::Result<()> {
    #[cfg(unix)]
    {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            _ = terminate.recv() => Ok(()),
            interrupted = tokio::signal::ctrl_c() => interrupted,
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await
}

fn end_process(why: &str) -> ! {
    tracing::error!(exit_code = EXIT_CODE, "the time for the shutdown is over: {why}; ending the process");
    std::process::exit(EXIT_CODE)
}
