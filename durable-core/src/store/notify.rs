//! Tells other processes what changed, and hears it from them; nothing depends on it arriving.

use std::time::Duration;

use sqlx::PgExecutor;
use sqlx::postgres::{PgListener, PgPoolOptions};
use uuid::Uuid;

use super::settings::{self, Settings};
use super::{LOCK_TIMEOUT, Store, statement};
use crate::ids::ExecutionId;

/// Longest message in bytes; Postgres refuses 8000 (documentation of NOTIFY).
const LONGEST_MESSAGE: usize = 7900;

/// How long the self-test waits for its own message before the process counts as deaf.
const SELF_TEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What happened; ids only, the receiver reads the rest from the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Something can be claimed from this queue.
    Queued(String),
    /// These executions have ended.
    Finished(Vec<ExecutionId>),
    /// Waits of these executions are over, which may be running.
    Resolved(Vec<ExecutionId>),
    /// Executions were taken back from their workers, to be rolled back.
    RolledBack,
    /// Schedules were made or changed.
    SchedulesChanged,
    /// Executions were paused, which may be running.
    Paused,
    /// A test turned the clock.
    ClockTurned,
    /// The process with this id watches these executions.
    Watching(Uuid, Vec<ExecutionId>),
    /// A process asks which executions the others watch.
    WhoWatches,
    /// These executions, which another process watches, have changed.
    Changed(Vec<ExecutionId>),
    /// A process tells itself that notifications arrive.
    SelfTest(Uuid),
}

impl Notice {
    /// As text, cut into messages that Postgres accepts.
    fn messages(&self) -> Vec<String> {
        match self {
            Self::Queued(queue) => vec![format!("queued {queue}")],
            Self::Finished(ids) => in_messages("finished", ids),
            Self::Resolved(ids) => in_messages("resolved", ids),
            Self::RolledBack => vec!["rolled_back".to_owned()],
            Self::SchedulesChanged => vec!["schedules".to_owned()],
            Self::Paused => vec!["paused".to_owned()],
            Self::ClockTurned => vec!["clock".to_owned()],
            Self::Watching(process, ids) => in_messages(&format!("watching {process}"), ids),
            Self::WhoWatches => vec!["who_watches".to_owned()],
            Self::Changed(ids) => in_messages("changed", ids),
            Self::SelfTest(id) => vec![format!("self_test {id}")],
        }
    }

    /// The notice in a message; `None` for one of a later release.
    fn parse(message: &str) -> Option<Self> {
        let (word, rest) = message.split_once(' ').unwrap_or((message, ""));
        match word {
            "queued" => Some(Self::Queued(rest.to_owned())),
            "finished" => ids(rest).map(Self::Finished),
            "resolved" => ids(rest).map(Self::Resolved),
            "rolled_back" => Some(Self::RolledBack),
            "schedules" => Some(Self::SchedulesChanged),
            "paused" => Some(Self::Paused),
            "clock" => Some(Self::ClockTurned),
            "watching" => {
                let (process, executions) = rest.split_once(' ')?;
                Some(Self::Watching(process.parse().ok()?, ids(executions)?))
            }
            "who_watches" => Some(Self::WhoWatches),
            "changed" => ids(rest).map(Self::Changed),
            "self_test" => rest.parse().ok().map(Self::SelfTest),
            _ => None,
        }
    }
}

/// The word and the ids, as many in each message as fit.
fn in_messages(word: &str, ids: &[ExecutionId]) -> Vec<String> {
    let chunks = ids.chunks((LONGEST_MESSAGE - word.len()) / " 0123456789abcdef0123456789abcdef".len());
    let message = |ids: &[ExecutionId]| {
        let mut message = word.to_owned();
        for id in ids {
            message.push(' ');
            message.push_str(id.as_uuid().simple().encode_lower(&mut Uuid::encode_buffer()));
        }
        message
    };
    chunks.map(message).collect()
}

fn ids(text: &str) -> Option<Vec<ExecutionId>> {
    text.split(' ').map(|id| id.parse().ok()).collect()
}

/// Sends notices in a transaction of their own; a queue name too long for a message is left to polling.
pub(crate) async fn send(store: &Store, executor: impl PgExecutor<'_>, notices: &[Notice]) -> Result<(), sqlx::Error> {
    let messages: Vec<String> =
        notices.iter().flat_map(Notice::messages).filter(|message| message.len() <= LONGEST_MESSAGE).collect();
    store.query(statement!("notifications/send")).bind(store.schema.as_str()).bind(messages).execute(executor).await?;
    Ok(())
}

/// A connection that hears the notices of one schema.
#[derive(Debug)]
pub(crate) struct Listener(PgListener);

impl Listener {
    /// Listens on a connection of its own: it must be drained at all times, and must not use up the pool.
    pub(crate) async fn connect(store: &Store) -> Result<Self, sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .after_connect(|connection, _| Box::pin(settings::take(connection, Settings::Engine { lock_timeout: LOCK_TIMEOUT })));
        let pool = pool.connect_with(store.address.options().clone()).await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.ignore_pool_close_event(true);
        listener.listen(store.schema.as_str()).await?;
        Ok(Self(listener))
    }

    /// The next notice; an error when the connection was lost, and with it what was sent since.
    pub(crate) async fn hear(&mut self) -> Result<Notice, sqlx::Error> {
        loop {
            match self.0.try_recv().await? {
                Some(heard) => {
                    if let Some(notice) = Notice::parse(heard.payload()) {
                        return Ok(notice);
                    }
                }
                None => return Err(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())),
            }
        }
    }

    /// Whether a message sent over the pool arrives here: behind some poolers none ever does.
    pub(crate) async fn hears(&mut self, store: &Store) -> Result<bool, sqlx::Error> {
        let mine = Notice::SelfTest(Uuid::now_v7());
        send(store, &store.pool, std::slice::from_ref(&mine)).await?;
        let heard = async {
            loop {
                if self.hear().await? == mine {
                    return Ok(());
                }
            }
        };
        match tokio::time::timeout(SELF_TEST_TIMEOUT, heard).await {
            Ok(heard) => heard.map(|()| true),
            Err(_) => Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_read_back_from_their_messages() {
        let ids: Vec<ExecutionId> = (0..600).map(|_| ExecutionId::new()).collect();
        let messages = Notice::Finished(ids.clone()).messages();
        assert!(messages.len() > 1);
        let mut heard = Vec::new();
        for message in &messages {
            assert!(message.len() <= LONGEST_MESSAGE);
            let Some(Notice::Finished(ids)) = Notice::parse(message) else { panic!("{message}") };
            heard.extend(ids);
        }
        assert_eq!(heard, ids);
        let queued = Notice::Queued("night shift".to_owned());
        let resolved = Notice::Resolved(ids[..2].to_vec());
        let (watching, changed) = (Notice::Watching(Uuid::now_v7(), ids[..2].to_vec()), Notice::Changed(ids[..2].to_vec()));
        for notice in [
            queued,
            resolved,
            watching,
            changed,
            Notice::WhoWatches,
            Notice::RolledBack,
            Notice::SchedulesChanged,
            Notice::Paused,
        ] {
            assert_eq!(Notice::parse(&notice.messages()[0]), Some(notice));
        }
        assert_eq!(Notice::parse("from the future"), None);
    }
}
