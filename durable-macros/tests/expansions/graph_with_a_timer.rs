#[workflow(open)]
impl Trial {
    #[input]
    fn email(&self) -> String;

    #[timer(retry(max_attempts = 3), when = |email: &String| !email.is_empty())]
    async fn reminder(&self, email: &str) -> Result<Due> {
        Ok(Due::every(days(1)))
    }

    #[step]
    async fn remind(&self, email: &str, reminder: &DateTime<Utc>) -> Result<()> {
        self.mail(email, reminder).await
    }
}
