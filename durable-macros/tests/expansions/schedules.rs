#[workflow(
    schedule = "0 9 * * MON-FRI",
    timezone = "Europe/Berlin",
    missed = window("2h"),
    overlap = skip,
    jitter = "30s",
    max_failures = 5
)]
impl Report {
    async fn run(&self, cx: &Context, team: Option<String>) -> Result<()> {
        Ok(())
    }
}
