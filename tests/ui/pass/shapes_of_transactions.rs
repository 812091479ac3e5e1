//! Every shape that a transactional step may have; outside an execution each says that it cannot run there.

use durable::prelude::*;
use serde::{Deserialize, Serialize};
use std::fmt::Display;
use std::pin::pin;
use std::task::{Context as Task, Poll, Waker};

/// Not `Serialize`.
#[derive(Clone)]
struct Token(u32);

#[derive(Debug, Serialize, Deserialize)]
struct Refused;

impl Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

impl From<Error> for Refused {
    fn from(_: Error) -> Self {
        Self
    }
}

struct Shapes;

#[workflow]
impl Shapes {
    async fn run(&self, _cx: &durable::Context, n: i64) -> Result<i64> {
        let text = String::from("text");
        self.none().await?;
        self.query(&text, n).await
    }

    #[step(transaction)]
    async fn none(&self, _: &mut Transaction) -> Result<()> {
        Ok(())
    }

    #[step(transaction, retry(max_attempts = 3), timeout = "30s", compensate = undo)]
    async fn query(&self, tx: &mut durable::Transaction, text: &str, n: i64) -> Result<i64> {
        Ok(durable::sqlx::query_scalar("select length($1) + $2").bind(text).bind(n).fetch_one(&mut **tx).await?)
    }

    #[compensation]
    async fn undo(&self, n: i64) -> Result<i64> {
        Ok(n)
    }

    #[step(transaction)]
    async fn names<'t>(self: &Self, mut tx: &'t mut Transaction, transaction: u32, result: Token, digest: u32) -> Result<u32> {
        let connection: &mut durable::sqlx::PgConnection = &mut tx;
        drop(durable::sqlx::raw_sql("select 1").execute(connection));
        Ok(transaction + result.0 + digest)
    }

    #[step(transaction = true, retry)]
    async fn generic<T: Serialize + serde::de::DeserializeOwned + Clone + Send + 'static, const N: usize>(
        &self,
        _tx: &mut Transaction,
        transaction: T,
        show: impl Display + Clone + Send,
        (a, b): (u32, u32),
    ) -> Result<(T, String), Refused> {
        Ok((transaction, format!("{show}{a}{b}{N}")))
    }
}

fn now<T>(future: impl Future<Output = T> + Send) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("nothing here waits"),
    }
}

fn main() {
    let error = now(Shapes.query("four", 4)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("step `query` is transactional"), "{error}");
    assert!(now(Shapes.none()).is_err());
    assert!(now(Shapes.names(1, Token(2), 3)).is_err());
    assert!(now(Shapes.generic::<_, 7>("x".to_owned(), 1, (2, 3))).is_err());
}
