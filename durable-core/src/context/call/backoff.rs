//! The time between two attempts: sat out in memory if it is short, and parked if it is long.

use std::task::Poll;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Call;
use crate::plan::retry::{self, AfterFailure};
use crate::running::run::Run;

impl Call {
    /// Waits before an attempt is repeated that left nothing behind.
    pub(super) async fn pause(&self, pause: Duration) {
        let busy = self.run.begin_work();
        tokio::time::sleep(pause).await;
        drop(busy);
        self.run.stop_if_draining().await;
    }

    /// Waits until an attempt may start.
    pub(super) async fn sit_out(&self, until: DateTime<Utc>) {
        while let Some(rest) = retry::rest_of_backoff(until, self.run.clock().now()) {
            match rest {
                AfterFailure::Park { until } => self.let_park(until).await,
                // A test moves the clock when nothing runs, and the database says whether anything does.
                _ if self.run.doubles.is_some() => self.let_park(until).await,
                _ => {
                    let _busy = self.run.begin_work();
                    self.run.clock().reached(until).await;
                }
            }
        }
        self.run.stop_if_draining().await;
    }

    /// Has the run know of the back-off, so that the execution may be parked; returns when the run wakes it.
    async fn let_park(&self, until: DateTime<Utc>) {
        let _dropped_with_us = BackOff { run: &self.run, key: &self.key };
        let mut registered = false;
        std::future::poll_fn(|cx| {
            if registered {
                return Poll::Ready(());
            }
            registered = true;
            self.run.register_backoff(&self.key, until, cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// A back-off that the run knows of while it is sat out.
struct BackOff<'call> {
    run: &'call Run,
    key: &'call str,
}

impl Drop for BackOff<'_> {
    fn drop(&mut self) {
        self.run.drop_backoff(self.key);
    }
}
