//! Tells open pages that there is something new: one poller for the process, however many pages are open.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::watch;

use crate::Shared;

/// How often the database is asked whether something has changed.
const INTERVAL: Duration = Duration::from_millis(250);

/// A proxy may close a connection on which nothing comes for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The newest news, while at least one page is open.
#[derive(Debug, Default)]
pub(crate) struct Live {
    news: Mutex<Option<watch::Sender<News>>>,
}

/// What open pages are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct News {
    /// How often something has changed since the poller began.
    tick: u64,
    is_away: bool,
}

impl Live {
    /// The news from now on. Begins the poller if no page is open yet.
    fn follow(&self, shared: &Arc<Shared>) -> watch::Receiver<News> {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(news) = &*news {
            return news.subscribe();
        }
        let (sender, receiver) = watch::channel(News::default());
        *news = Some(sender);
        tokio::spawn(poll(shared.clone()));
        receiver
    }

    /// Passes on the news; false, and the end of the poller, if no page is open.
    fn tell(&self, change: impl FnOnce(&mut News) -> bool) -> bool {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        match &*news {
            Some(sender) if sender.receiver_count() > 0 => {
                sender.send_if_modified(change);
                true
            }
            _ => {
                *news = None;
                false
            }
        }
    }
}

async fn poll(shared: Arc<Shared>) {
    let mut known = None;
    loop {
        let mark = tokio::time::timeout(shared.patience, shared.durable.change_mark()).await;
        let (mark, is_away) = match mark {
            Ok(Ok(mark)) => (Some(mark), false),
            Ok(Err(_)) | Err(_) => (None, true),
        };
        // The first mark is what the pages show already.
        let is_new = mark.is_some() && known.is_some() && mark != known;
        known = mark.or(known);
        let told = shared.live.tell(|news| {
            let before = *news;
            news.tick += u64::from(is_new);
            news.is_away = is_away;
            *news != before
        });
        if !told {
            return;
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

/// The news as server-sent events: `tick` after changes, `away` while the database does not answer.
pub(crate) async fn ticks(State(shared): State<Arc<Shared>>) -> Response {
    let receiver = shared.live.follow(&shared);
    let events = stream::unfold(receiver, |mut receiver| async {
        receiver.changed().await.ok()?;
        let News { tick, is_away } = *receiver.borrow_and_update();
        let event = if is_away { Event::default().event("away") } else { Event::default().event("tick") };
        Some((Ok::<_, Infallible>(event.data(tick.to_string())), receiver))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}
