#[workflow]
impl Transfer {
    async fn run(&self, cx: &Context, account: Account) -> Result<Balance> {
        self.debit(&account, 7).await
    }

    #[step(transaction)]
    async fn open(&self, tx: &mut Transaction) -> Result<Balance> {
        Ok(Balance)
    }

    #[step(transaction, retry(max_attempts = 3))]
    async fn debit(&self, tx: &mut durable::Transaction, account: &Account, transaction: u32) -> Result<Balance> {
        Ok(Balance)
    }
}
