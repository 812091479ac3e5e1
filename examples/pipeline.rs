//! A graph that fetches a page and looks at it in parallel, with a branch that is skipped and one that fails.
//!
//! `cargo run --example pipeline`
//!
//! `words` and `spelling` run at once after `fetch`. `spelling` fails, which does not end the execution: `report` sees the
//! failure. `translation` is skipped, because the page is in English already.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Page {
    language: String,
    text: String,
}

struct Pipeline;

#[workflow(queue = "pages")]
impl Pipeline {
    #[input]
    fn address(&self) -> String;

    #[step(retry(max_attempts = 3), timeout = "30s")]
    async fn fetch(&self, address: &str) -> Result<Page> {
        println!("  fetched {address}");
        Ok(Page { language: "en".into(), text: "Durable makes async Rust survive crashes".into() })
    }

    #[step]
    async fn words(&self, fetch: &Page) -> Result<usize> {
        println!("  counted the words");
        Ok(fetch.text.split_whitespace().count())
    }

    #[step(on_failure = skip)]
    async fn spelling(&self, fetch: &Page) -> Result<usize> {
        Err(Error::permanent(format!("no dictionary for `{}`", fetch.language)))
    }

    #[step(when = |fetch: &Page| fetch.language != "en")]
    async fn translation(&self, fetch: &Page) -> Result<String> {
        Ok(fetch.text.clone())
    }

    #[output]
    #[step]
    async fn report(&self, words: usize, spelling: Settled<usize>, translation: Option<&str>) -> Result<String> {
        let spelling = match spelling {
            Settled::Ready(mistakes) => format!("{mistakes} mistakes"),
            Settled::Skipped => "not checked".to_owned(),
            Settled::Failed(failure) => format!("not checked: {}", failure.message),
        };
        Ok(format!("{words} words; {spelling}; {}", translation.unwrap_or("no translation needed")))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let durable = Durable::builder().database_url(database::ready().await?).register(Pipeline).start().await?;
    let inputs = PipelineInputs { address: Some("https://example.org".into()) };
    println!("{}", durable.start::<Pipeline>(inputs).await?.result().await?);
    durable.shutdown().await
}
