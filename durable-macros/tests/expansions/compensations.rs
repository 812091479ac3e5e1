#[workflow]
impl BookTrip {
    async fn run(&self, cx: &Context, trip: Trip) -> Result<Booking> {
        self.charge(&trip).await
    }

    #[step(compensate = refund)]
    async fn charge(&self, trip: &Trip) -> Result<Booking> {
        Ok(Booking)
    }

    #[step(name = "book-flight", compensate = cancel, undo_on_failure)]
    async fn book(&self) -> Result<Booking, BookingError> {
        Ok(Booking)
    }

    /// Gives the money back.
    #[compensation(name = "give-back", retry(max_attempts = 5), timeout = "30s")]
    #[cfg(unix)]
    async fn refund(&self, booking: &Booking) -> Result<()> {
        Ok(())
    }

    #[compensation]
    async fn cancel(&self, cx: &Context, booking: Option<Booking>) -> Result<()> {
        cx.sleep(hours(1)).await
    }
}
