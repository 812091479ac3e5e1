//! Options of an `each` that make no sense.
use durable::prelude::*;

struct Library;

#[workflow]
impl Library {
    #[input]
    fn documents(&self) -> Vec<String>;

    #[step(each(document of documents))]
    async fn malformed(&self, document: &str) -> Result<u32> {
        let _ = document;
        Ok(0)
    }

    #[step(each = documents)]
    async fn assigned(&self, documents: &[String]) -> Result<u32> {
        let _ = documents;
        Ok(0)
    }

    #[step(each(document in documents), concurrency = 0)]
    async fn stuck(&self, document: &str) -> Result<u32> {
        let _ = document;
        Ok(0)
    }

    #[step(concurrency = 8)]
    async fn lonely(&self, documents: &[String]) -> Result<u32> {
        let _ = documents;
        Ok(0)
    }

    #[step(each(document in documents))]
    async fn unused(&self, documents: &[String]) -> Result<u32> {
        let _ = documents;
        Ok(0)
    }

    #[step(each(lonely in documents))]
    async fn ambiguous(&self, lonely: &str) -> Result<u32> {
        let _ = lonely;
        Ok(0)
    }

    #[step(each(document in documnts))]
    async fn mistyped(&self, document: &str) -> Result<u32> {
        let _ = document;
        Ok(0)
    }

    #[step(each(item in own))]
    async fn own(&self, item: &u32) -> Result<u32> {
        let _ = item;
        Ok(0)
    }

    #[step(delay = "soon")]
    async fn late(&self, documents: &[String]) -> Result<u32> {
        let _ = documents;
        Ok(0)
    }

    #[step(delay = 10)]
    async fn later(&self, documents: &[String]) -> Result<u32> {
        let _ = documents;
        Ok(0)
    }
}

fn main() {}
