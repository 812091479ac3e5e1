//! A fan-out: every page of a scanned document is read, several at a time, and what follows needs all of them.
//!
//! `cargo run --example documents`
//!
//! The first page takes longest and one page fails once. Still the pages come out in their order, and only the page that failed is
//! read again. Killed half-way, the next process would read only the pages that were not done.

#![expect(clippy::print_stdout, reason = "an example speaks to the person who runs it")]

#[path = "support/database.rs"]
mod database;

use std::time::{Duration, Instant};

use durable::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Page {
    number: u32,
    /// Stands for the picture.
    scan: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Document {
    text: String,
    title: String,
    words: usize,
}

struct ReadDocument;

#[workflow(queue = "documents")]
impl ReadDocument {
    async fn run(&self, cx: &Context, name: String) -> Result<Document> {
        let pages = self.split(&name).await?;
        // At most three pages at once: the service that reads them has its limits.
        let lines = cx.map(pages).name("pages").concurrency(3).each(|page| self.read(page)).await?;

        let text = lines.join("\n");
        let (title, words) = durable::join!(self.find_title(&text), self.count_words(&text)).await?;
        Ok(Document { text, title, words })
    }

    #[step]
    async fn split(&self, name: &str) -> Result<Vec<Page>> {
        let poem = [
            "The boy stood on the burning deck",
            "Whence all but he had fled;",
            "The flame that lit the battle's wreck",
            "Shone round him o'er the dead.",
            "Yet beautiful and bright he stood,",
            "As born to rule the storm;",
        ];
        println!("{name} has {} pages", poem.len());
        Ok((1..).zip(poem).map(|(number, line)| Page { number, scan: line.to_owned() }).collect())
    }

    /// Belongs to one page: it has its own attempts, and its own place in the journal.
    #[step(retry(max_attempts = 3, base = "100ms"), timeout = "10s")]
    async fn read(&self, page: Page) -> Result<String> {
        let attempt = durable::step().attempt();
        println!("  page {} begins, attempt {attempt}", page.number);
        tokio::time::sleep(Duration::from_millis(900 / u64::from(page.number))).await;
        if page.number == 4 && attempt == 1 {
            println!("  page 4 cannot be read");
            return Err(Error::new("the page is blurred"));
        }
        println!("  page {} is read", page.number);
        Ok(page.scan)
    }

    #[step]
    async fn find_title(&self, text: &str) -> Result<String> {
        Ok(text.lines().next().unwrap_or_default().to_owned())
    }

    #[step]
    async fn count_words(&self, text: &str) -> Result<usize> {
        Ok(text.split_whitespace().count())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let url = database::ready().await?;
    let durable = Durable::builder().database_url(&url).register(ReadDocument).start().await?;

    let began = Instant::now();
    let reading = durable.start::<ReadDocument>("casabianca.pdf".to_owned()).await?;
    let document = reading.result().await?;
    println!("\n{}\n", document.text);
    println!("{:?}, {} words, in {:.1} s", document.title, document.words, began.elapsed().as_secs_f32());

    println!("\nThe journal, in the order in which things ended:");
    for step in durable.get_execution(reading.id()).await?.steps {
        println!("  {:<24}attempts: {}", step.key, step.attempts.len());
    }
    durable.shutdown().await
}
