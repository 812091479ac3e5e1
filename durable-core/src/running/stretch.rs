//! Polls the code of an execution until it rests.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use super::ambient::{self, Ambient};
use super::rest::Rest;
use super::run::Run;
use super::scope::Scope;
use crate::error::Result;
use crate::panics;
use crate::payload::Payload;

/// The workflow's future, with its output encoded.
pub(crate) type Body = Pin<Box<dyn Future<Output = Result<Payload>> + Send>>;

impl Run {
    /// Polls the workflow until it rests.
    pub(crate) async fn until_rest(&self, root: &Arc<Scope>, body: &mut Body) -> Rest {
        std::future::poll_fn(|cx| self.poll_rest(root, body, cx)).await
    }

    fn poll_rest(&self, root: &Arc<Scope>, body: &mut Body, cx: &task::Context<'_>) -> Poll<Rest> {
        root.wakers.begin_poll(cx.waker());
        if let Some(verdict) = self.verdict() {
            return Poll::Ready(Rest::Ended(verdict));
        }
        let mut inner = task::Context::from_waker(root.wakers.counted());
        let poll = || panics::catch(|| body.as_mut().poll(&mut inner));
        let polled = self.polling.count(|| ambient::enter(Ambient::Flow(root.clone()), poll));
        self.rest_after(polled, root.wakers.goes_on())
    }
}
