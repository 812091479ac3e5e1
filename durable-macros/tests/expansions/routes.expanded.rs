impl Study {
    async fn run(&self, cx: &Context, name: String) -> Result<f64> {
        let model = self.train(&name, [1, 2], &[0.5]).await?;
        self.warm_up().await?;
        Ok(model)
    }
    #[doc(hidden)]
    const __STEP_TRAIN: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "study",
        name: "train",
        is_compensation: false,
        was: &["fit", "learn"],
        retry: ::core::option::Option::Some(::durable::__macro::Retry {
            max_attempts: 2,
            backoff: ::durable::__macro::Backoff::Exponential,
            base: ::core::time::Duration::from_secs(1),
            max: ::core::time::Duration::from_secs(3600),
            jitter: 0.25,
        }),
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::Some("delete"),
        undo_on_failure: false,
    };
    #[allow(clippy::unused_async)]
    #[doc(hidden)]
    pub fn __step_key_of_train() -> ::durable::__macro::StepKey<
        Self,
        ::durable::__macro::GenericStepsCannotBeReplaced,
    > {
        ::durable::__macro::StepKey::step("study", "train")
    }
    /// Trains a model.
    #[allow(clippy::unused_async)]
    pub fn train<'step, 'l0, 'l1, 'a>(
        &'l0 self,
        name: &'a str,
        argument_1: [u32; 2],
        rates: &'l1 [f64],
    ) -> ::durable::__macro::Step<'step, Result<f64>>
    where
        'l0: 'step,
        'l1: 'step,
        'a: 'step,
    {
        match ::durable::__macro::step_routed::<
            Self,
            Result<f64>,
        >(
            &Self::__ROUTE_TRAIN,
            |sent| {
                sent.add::<::std::string::String>("name", &name);
                sent.add::<[u32; 2]>("1", &argument_1);
                sent.add::<::std::vec::Vec<f64>>("rates", &rates);
            },
        ) {
            ::core::option::Option::Some(step) => step,
            ::core::option::Option::None => self.__here_train(name, argument_1, rates),
        }
    }
    #[allow(clippy::unused_async)]
    #[doc(hidden)]
    fn __here_train<'step, 'l0, 'l1, 'a>(
        &'l0 self,
        name: &'a str,
        argument_1: [u32; 2],
        rates: &'l1 [f64],
    ) -> ::durable::__macro::Step<'step, Result<f64>>
    where
        'l0: 'step,
        'l1: 'step,
        'a: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&name)).add_to(digest);
            (&::durable::__macro::Argument(&argument_1)).add_to(digest);
            (&::durable::__macro::Argument(&rates)).add_to(digest);
        });
        ::durable::__macro::step_retried::<
            Result<f64>,
            _,
        >(
            &Self::__STEP_TRAIN,
            digest,
            move || {
                let name = ::durable::__macro::RetryArgument::again(&name);
                let argument_1 = ::durable::__macro::RetryArgument::again(&argument_1);
                let rates = ::durable::__macro::RetryArgument::again(&rates);
                ::std::boxed::Box::pin(self.__step_train(name, argument_1, rates))
            },
        )
    }
    #[doc(hidden)]
    #[expect(clippy::unused_async)]
    async fn __step_train<'a>(
        &self,
        name: &'a str,
        [from,
        to,
        ]: [u32; 2],
        rates: &[f64],
    ) -> Result<f64> {
        Ok(rates[0])
    }
    #[doc(hidden)]
    const __ROUTE_TRAIN: ::durable::__macro::Route<Self> = ::durable::__macro::Route {
        workflow: "study::train",
        was: &["study::fit", "study::learn"],
        step: &Self::__STEP_TRAIN,
        queue: "gpu",
        run: Self::__routed_train,
    };
    #[doc(hidden)]
    fn __routed_train<'run>(
        &'run self,
        mut arguments: ::durable::__macro::Arguments,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::Returned>,
    > {
        ::std::boxed::Box::pin(async move {
            let name = arguments.take::<::std::string::String>("name")?;
            let argument_1 = arguments.take::<[u32; 2]>("1")?;
            let rates = arguments.take::<::std::vec::Vec<f64>>("rates")?;
            ::durable::__macro::returned::<
                Result<f64>,
            >(self.__here_train(&name, argument_1, &rates).await)
        })
    }
    #[doc(hidden)]
    fn __undo_train<'run>(
        &'run self,
        _: &'run ::durable::__macro::Context,
        _: ::durable::__macro::Recorded,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::Undone>,
    > {
        ::std::boxed::Box::pin(async move {
            ::durable::__macro::undone::<
                Result<()>,
            >(
                match ::durable::__macro::stand_in(&Self::__step_key_of_delete()) {
                    ::core::option::Option::Some(stand_in) => stand_in().await,
                    ::core::option::Option::None => Self::delete(self).await,
                },
            )
        })
    }
    #[cfg(feature = "warm")]
    #[doc(hidden)]
    const __STEP_WARM_UP: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "study",
        name: "warm_up",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[cfg(feature = "warm")]
    #[doc(hidden)]
    fn __step_key_of_warm_up() -> ::durable::__macro::StepKey<
        Self,
        dyn ::core::ops::Fn(
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<()>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("study", "warm_up")
    }
    #[cfg(feature = "warm")]
    fn warm_up<'step, 'l0>(&'l0 self) -> ::durable::__macro::Step<'step, Result<()>>
    where
        'l0: 'step,
    {
        match ::durable::__macro::step_routed::<
            Self,
            Result<()>,
        >(&Self::__ROUTE_WARM_UP, |_| {}) {
            ::core::option::Option::Some(step) => step,
            ::core::option::Option::None => self.__here_warm_up(),
        }
    }
    #[cfg(feature = "warm")]
    #[doc(hidden)]
    fn __here_warm_up<'step, 'l0>(
        &'l0 self,
    ) -> ::durable::__macro::Step<'step, Result<()>>
    where
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|_| {});
        ::durable::__macro::step_once::<
            Result<()>,
            _,
        >(
            &Self::__STEP_WARM_UP,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_warm_up()) {
                ::core::option::Option::Some(stand_in) => stand_in(),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_warm_up())
                }
            },
        )
    }
    #[doc(hidden)]
    #[cfg(feature = "warm")]
    async fn __step_warm_up(&self) -> Result<()> {
        Ok(())
    }
    #[cfg(feature = "warm")]
    #[doc(hidden)]
    const __ROUTE_WARM_UP: ::durable::__macro::Route<Self> = ::durable::__macro::Route {
        workflow: "study::warm_up",
        was: &[],
        step: &Self::__STEP_WARM_UP,
        queue: "gpu",
        run: Self::__routed_warm_up,
    };
    #[cfg(feature = "warm")]
    #[doc(hidden)]
    fn __routed_warm_up<'run>(
        &'run self,
        _: ::durable::__macro::Arguments,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::Returned>,
    > {
        ::std::boxed::Box::pin(async move {
            ::durable::__macro::returned::<Result<()>>(self.__here_warm_up().await)
        })
    }
    #[doc(hidden)]
    const __STEP_CHARGE: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "study",
        name: "charge",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_charge() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step mut ::durable::Transaction,
            u64,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<()>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("study", "charge")
    }
    fn charge<'step, 'l0>(
        &'l0 self,
        cents: u64,
    ) -> ::durable::__macro::Step<'step, Result<()>>
    where
        'l0: 'step,
    {
        match ::durable::__macro::step_routed::<
            Self,
            Result<()>,
        >(
            &Self::__ROUTE_CHARGE,
            |sent| {
                sent.add::<u64>("cents", &cents);
            },
        ) {
            ::core::option::Option::Some(step) => step,
            ::core::option::Option::None => self.__here_charge(cents),
        }
    }
    #[doc(hidden)]
    fn __here_charge<'step, 'l0>(
        &'l0 self,
        cents: u64,
    ) -> ::durable::__macro::Step<'step, Result<()>>
    where
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&cents)).add_to(digest);
        });
        ::durable::__macro::step_retried_in_transaction::<
            Result<()>,
            _,
        >(
            &Self::__STEP_CHARGE,
            digest,
            move |transaction| {
                let cents = ::durable::__macro::RetryArgument::again(&cents);
                match ::durable::__macro::stand_in(&Self::__step_key_of_charge()) {
                    ::core::option::Option::Some(stand_in) => {
                        ::std::boxed::Box::pin(async move {
                            let mut transaction = transaction;
                            let result = stand_in(&mut transaction, cents).await;
                            (transaction, result)
                        })
                    }
                    ::core::option::Option::None => {
                        ::std::boxed::Box::pin(async move {
                            let mut transaction = transaction;
                            let result = self
                                .__step_charge(&mut transaction, cents)
                                .await;
                            (transaction, result)
                        })
                    }
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_charge(&self, tx: &mut Transaction, cents: u64) -> Result<()> {
        Ok(())
    }
    #[doc(hidden)]
    const __ROUTE_CHARGE: ::durable::__macro::Route<Self> = ::durable::__macro::Route {
        workflow: "study::charge",
        was: &[],
        step: &Self::__STEP_CHARGE,
        queue: "ledger",
        run: Self::__routed_charge,
    };
    #[doc(hidden)]
    fn __routed_charge<'run>(
        &'run self,
        mut arguments: ::durable::__macro::Arguments,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::Returned>,
    > {
        ::std::boxed::Box::pin(async move {
            let cents = arguments.take::<u64>("cents")?;
            ::durable::__macro::returned::<Result<()>>(self.__here_charge(cents).await)
        })
    }
    #[doc(hidden)]
    const __COMPENSATION_DELETE: ::durable::__macro::CompensationSpec = ::durable::__macro::CompensationSpec {
        name: "delete",
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
    };
    #[doc(hidden)]
    fn __step_key_of_delete() -> ::durable::__macro::StepKey<
        Self,
        dyn ::core::ops::Fn(
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<()>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::compensation("study", "delete")
    }
    async fn delete(&self) -> Result<()> {
        Ok(())
    }
}
impl ::durable::__macro::Workflow for Study {
    type Input = String;
    type Output = <Result<f64> as ::durable::__macro::RunResult>::Output;
    const NAME: &'static str = "study";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "studies";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[
        Self::__STEP_TRAIN,
        #[cfg(feature = "warm")]
        Self::__STEP_WARM_UP,
        Self::__STEP_CHARGE,
    ];
    const ROUTES: &'static [::durable::__macro::Route<Self>] = &[
        Self::__ROUTE_TRAIN,
        #[cfg(feature = "warm")]
        Self::__ROUTE_WARM_UP,
        Self::__ROUTE_CHARGE,
    ];
    const COMPENSATIONS: &'static [::durable::__macro::Compensation<Self>] = &[
        ::durable::__macro::Compensation {
            step: "train",
            spec: &Self::__COMPENSATION_DELETE,
            undo_on_failure: false,
            call: Self::__undo_train,
        },
    ];
    const FLOW: ::durable::__macro::Flow = ::durable::__macro::Flow {
        nodes: &[
            ["start", "start", "", ""],
            ["step", "train", "train", ""],
            ["step", "warm_up", "warm_up", ""],
            ["end", "end", "", ""],
            ["compensation", "delete", "delete", ""],
        ],
        edges: &[(0, 1, ""), (1, 2, ""), (2, 3, ""), (1, 4, "undo")],
    };
    fn execute<'run>(
        &'run self,
        cx: &'run ::durable::__macro::Context,
        input: Self::Input,
    ) -> ::durable::__macro::BoxFuture<'run, ::durable::__macro::Result<Self::Output>> {
        ::std::boxed::Box::pin(async move {
            <Result<
                f64,
            > as ::durable::__macro::RunResult>::into_result(
                Self::run(self, cx, input).await,
            )
        })
    }
}
#[compensation(__consumed)]
const _: () = ();
#[step(__consumed)]
const _: () = ();
