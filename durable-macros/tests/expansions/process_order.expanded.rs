impl ProcessOrder {
    async fn run(&self, cx: &Context, order: Order) -> Result<Receipt> {
        let payment = self.charge(&order, 1).await?;
        Ok(Receipt { payment })
    }
    #[doc(hidden)]
    const __STEP_CHARGE: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "order",
        name: "charge",
        is_compensation: false,
        was: &["old_charge"],
        retry: ::core::option::Option::Some(::durable::__macro::Retry {
            max_attempts: 3,
            backoff: ::durable::__macro::Backoff::Linear,
            base: ::core::time::Duration::new(0, 250000000),
            max: ::core::time::Duration::from_secs(60),
            jitter: 0.5,
        }),
        timeout: ::core::option::Option::Some(::core::time::Duration::from_secs(30)),
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[allow(clippy::unused_async, reason = "a stand-in")]
    #[doc(hidden)]
    pub fn __step_key_of_charge() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step Order,
            u32,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<Payment>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("order", "charge")
    }
    /// Takes the money.
    #[allow(clippy::unused_async, reason = "a stand-in")]
    pub fn charge<'step, 'l0, 'l1>(
        &'l0 self,
        order: &'l1 Order,
        n: u32,
    ) -> ::durable::__macro::Step<'step, Result<Payment>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&order)).add_to(digest);
            (&::durable::__macro::Argument(&n)).add_to(digest);
        });
        ::durable::__macro::step_retried::<
            Result<Payment>,
            _,
        >(
            &Self::__STEP_CHARGE,
            digest,
            move || {
                let order = ::durable::__macro::RetryArgument::again(&order);
                let n = ::durable::__macro::RetryArgument::again(&n);
                match ::durable::__macro::stand_in(&Self::__step_key_of_charge()) {
                    ::core::option::Option::Some(stand_in) => stand_in(order, n),
                    ::core::option::Option::None => {
                        ::std::boxed::Box::pin(self.__step_charge(order, n))
                    }
                }
            },
        )
    }
    #[doc(hidden)]
    #[expect(clippy::unused_async, reason = "a stand-in")]
    async fn __step_charge(&self, order: &Order, n: u32) -> Result<Payment> {
        Ok(Payment)
    }
    fn helper(&self) -> u32 {
        7
    }
}
impl ::durable::__macro::Workflow for ProcessOrder {
    type Input = Order;
    type Output = <Result<Receipt> as ::durable::__macro::RunResult>::Output;
    const NAME: &'static str = "order";
    const VERSION: u32 = 2;
    const QUEUE: &'static str = "orders";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
        ::core::time::Duration::from_secs(7200),
    );
    const STEPS: &'static [::durable::__macro::StepSpec] = &[Self::__STEP_CHARGE];
    const COMPENSATIONS: &'static [::durable::__macro::Compensation<Self>] = &[];
    const FLOW: ::durable::__macro::Flow = ::durable::__macro::Flow {
        nodes: &[
            ["start", "start", "", ""],
            ["step", "charge", "charge", ""],
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
                Receipt,
            > as ::durable::__macro::RunResult>::into_result(
                Self::run(self, cx, input).await,
            )
        })
    }
}
#[step(__consumed)]
const _: () = ();
