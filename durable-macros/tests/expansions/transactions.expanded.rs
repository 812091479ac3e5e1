impl Transfer {
    async fn run(&self, cx: &Context, account: Account) -> Result<Balance> {
        self.debit(&account, 7).await
    }
    #[doc(hidden)]
    const __STEP_OPEN: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "transfer",
        name: "open",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_open() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step mut ::durable::Transaction,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<Balance>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("transfer", "open")
    }
    fn open<'step, 'l0>(&'l0 self) -> ::durable::__macro::Step<'step, Result<Balance>>
    where
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|_| {});
        ::durable::__macro::step_retried_in_transaction::<
            Result<Balance>,
            _,
        >(
            &Self::__STEP_OPEN,
            digest,
            move |transaction| {
                match ::durable::__macro::stand_in(&Self::__step_key_of_open()) {
                    ::core::option::Option::Some(stand_in) => {
                        ::std::boxed::Box::pin(async move {
                            let mut transaction = transaction;
                            let result = stand_in(&mut transaction).await;
                            (transaction, result)
                        })
                    }
                    ::core::option::Option::None => {
                        ::std::boxed::Box::pin(async move {
                            let mut transaction = transaction;
                            let result = self.__step_open(&mut transaction).await;
                            (transaction, result)
                        })
                    }
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_open(&self, tx: &mut Transaction) -> Result<Balance> {
        Ok(Balance)
    }
    #[doc(hidden)]
    const __STEP_DEBIT: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "transfer",
        name: "debit",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::Some(::durable::__macro::Retry {
            max_attempts: 3,
            backoff: ::durable::__macro::Backoff::Exponential,
            base: ::core::time::Duration::from_secs(1),
            max: ::core::time::Duration::from_secs(3600),
            jitter: 0.25,
        }),
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_debit() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step mut ::durable::Transaction,
            &'step Account,
            u32,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<Balance>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("transfer", "debit")
    }
    fn debit<'step, 'l0, 'l1>(
        &'l0 self,
        account: &'l1 Account,
        transaction: u32,
    ) -> ::durable::__macro::Step<'step, Result<Balance>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&account)).add_to(digest);
            (&::durable::__macro::Argument(&transaction)).add_to(digest);
        });
        ::durable::__macro::step_retried_in_transaction::<
            Result<Balance>,
            _,
        >(
            &Self::__STEP_DEBIT,
            digest,
            move |transaction| {
                let account = ::durable::__macro::RetryArgument::again(&account);
                let transaction = ::durable::__macro::RetryArgument::again(&transaction);
                match ::durable::__macro::stand_in(&Self::__step_key_of_debit()) {
                    ::core::option::Option::Some(stand_in) => {
                        ::std::boxed::Box::pin(async move {
                            let mut transaction = transaction;
                            let result = stand_in(&mut transaction, account, transaction)
                                .await;
                            (transaction, result)
                        })
                    }
                    ::core::option::Option::None => {
                        ::std::boxed::Box::pin(async move {
                            let mut transaction = transaction;
                            let result = self
                                .__step_debit(&mut transaction, account, transaction)
                                .await;
                            (transaction, result)
                        })
                    }
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_debit(
        &self,
        tx: &mut durable::Transaction,
        account: &Account,
        transaction: u32,
    ) -> Result<Balance> {
        Ok(Balance)
    }
}
impl ::durable::__macro::Workflow for Transfer {
    type Input = Account;
    type Output = <Result<Balance> as ::durable::__macro::RunResult>::Output;
    const NAME: &'static str = "transfer";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[
        Self::__STEP_OPEN,
        Self::__STEP_DEBIT,
    ];
    const COMPENSATIONS: &'static [::durable::__macro::Compensation<Self>] = &[];
    const FLOW: ::durable::__macro::Flow = ::durable::__macro::Flow {
        nodes: &[
            ["start", "start", "", ""],
            ["step", "debit", "debit", ""],
            ["end", "end", "", ""],
        ],
        edges: &[(0, 1, ""), (1, 2, "")],
    };
    fn execute<'run>(
        &'run self,
        cx: &'run ::durable::__macro::Context,
        input: Self::Input,
    ) -> ::durable::__macro::BoxFuture<'run, ::durable::__macro::Result<Self::Output>> {
        ::std::boxed::Box::pin(async move {
            <Result<
                Balance,
            > as ::durable::__macro::RunResult>::into_result(
                Self::run(self, cx, input).await,
            )
        })
    }
}
#[step(__consumed)]
const _: () = ();
