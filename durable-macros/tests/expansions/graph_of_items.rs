#[workflow]
impl Reading {
    #[input]
    fn documents(&self) -> Vec<Document>;

    #[input(optional)]
    fn language(&self) -> String;

    #[step(delay = "1m30s", each(document in documents), concurrency = 8, retry(max_attempts = 2))]
    async fn read(&self, language: Option<&str>, document: &Document, count: usize) -> Result<Facts> {
        Ok(Facts)
    }

    #[step(each(facts in read))]
    async fn summary(&self, facts: Facts) -> Result<String> {
        Ok(String::new())
    }

    #[step]
    async fn count(&self, documents: &[Document]) -> Result<usize> {
        Ok(documents.len())
    }

    #[step]
    async fn report(&self, read: Option<&[Facts]>, summary: Vec<String>) -> Result<Report> {
        Ok(Report)
    }
}
