//! A graph that fetches a site and looks at its pages in parallel, with a branch that is skipped and one that fails.
//!
//! `cargo run --example pipeline`
//!
//! `fetch` gives a list of pages, and `words` runs for each of them, two at a time. `spelling` fails, which does not end the execution:
//! `report` sees the failure. `translation` is skipped, because all pages are in English already, so `review`, which runs for each
//! translation, has nothing to do. `report` joins them all.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Page {
    path: String,
    language: String,
    text: String,
}

struct Pipeline;

#[workflow(queue = "pages")]
impl Pipeline {
    #[input]
    fn address(&self) -> String;

    #[step(retry(max_attempts = 3), timeout = "30s")]
    async fn fetch(&self, address: &str) -> Result<Vec<Page>> {
        println!("  fetched {address}");
        let pages =
            [("/", "Durable makes async Rust survive crashes"), ("/graphs", "A parameter is an edge"), ("/sagas", "Undo it")];
        let page = |(path, text): (&str, &str)| Page { path: path.into(), language: "en".into(), text: text.into() };
        Ok(pages.map(page).into())
    }

    #[step(each(page in fetch), concurrency = 2)]
    async fn words(&self, page: &Page) -> Result<usize> {
        let words = page.text.split_whitespace().count();
        println!("  counted {words} words of {}", page.path);
        Ok(words)
    }

    #[step(on_failure = skip)]
    async fn spelling(&self, fetch: &[Page]) -> Result<usize> {
        println!("  there is no dictionary for {} pages", fetch.len());
        Err(Error::permanent("no dictionary"))
    }

    #[step(when = |fetch: &[Page]| fetch.iter().any(|page| page.language != "en"))]
    async fn translation(&self, fetch: Vec<Page>) -> Result<Vec<Page>> {
        Ok(fetch)
    }

    #[step(each(translated in translation))]
    async fn review(&self, translated: &Page) -> Result<bool> {
        Ok(!translated.text.is_empty())
    }

    #[output]
    #[step]
    async fn report(
        &self,
        words: &[usize],
        spelling: Settled<usize>,
        translation: Option<&[Page]>,
        review: &[bool],
    ) -> Result<String> {
        let spelling = match spelling {
            Settled::Ready(mistakes) => format!("{mistakes} mistakes"),
            Settled::Skipped => "not checked".to_owned(),
            Settled::Failed(failure) => format!("not checked: {}", failure.message),
        };
        let translation = translation.map_or("no translation needed", |_| "translated");
        let sum: usize = words.iter().sum();
        Ok(format!("{sum} words on {} pages; {spelling}; {translation}; {} reviewed", words.len(), review.len()))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let durable = Durable::builder().database_url(database::ready().await?).register(Pipeline).start().await?;
    let inputs = PipelineInputs { address: Some("https://example.org".into()) };
    println!("{}", durable.start::<Pipeline>(inputs).await?.result().await?);
    durable.shutdown().await
}
