impl BookTrip {
    async fn run(&self, cx: &Context, trip: Trip) -> Result<Booking> {
        self.charge(&trip).await
    }
    #[doc(hidden)]
    const __STEP_CHARGE: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "book_trip",
        name: "charge",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::Some("give-back"),
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_charge() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step Trip,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<Booking>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("book_trip", "charge")
    }
    fn charge<'step, 'l0, 'l1>(
        &'l0 self,
        trip: &'l1 Trip,
    ) -> ::durable::__macro::Step<'step, Result<Booking>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&trip)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<Booking>,
            _,
        >(
            &Self::__STEP_CHARGE,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_charge()) {
                ::core::option::Option::Some(stand_in) => stand_in(trip),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_charge(trip))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_charge(&self, trip: &Trip) -> Result<Booking> {
        Ok(Booking)
    }
    #[cfg(unix)]
    #[doc(hidden)]
    fn __undo_charge<'run>(
        &'run self,
        _: &'run ::durable::__macro::Context,
        recorded: ::durable::__macro::Recorded,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::Undone>,
    > {
        ::std::boxed::Box::pin(async move {
            let argument = <Booking as ::durable::__macro::CompensationArgument<
                <Result<Booking> as ::durable::__macro::StepResult>::Output,
            >>::read(&recorded)?;
            ::durable::__macro::undone::<
                Result<()>,
            >(
                match ::durable::__macro::stand_in(&Self::__step_key_of_refund()) {
                    ::core::option::Option::Some(stand_in) => stand_in(&argument).await,
                    ::core::option::Option::None => Self::refund(self, &argument).await,
                },
            )
        })
    }
    #[doc(hidden)]
    const __STEP_BOOK: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "book_trip",
        name: "book-flight",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::Some("cancel"),
        undo_on_failure: true,
    };
    #[doc(hidden)]
    fn __step_key_of_book() -> ::durable::__macro::StepKey<
        Self,
        dyn ::core::ops::Fn(
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<Booking, BookingError>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("book_trip", "book-flight")
    }
    fn book<'step, 'l0>(
        &'l0 self,
    ) -> ::durable::__macro::Step<'step, Result<Booking, BookingError>>
    where
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|_| {});
        ::durable::__macro::step_once::<
            Result<Booking, BookingError>,
            _,
        >(
            &Self::__STEP_BOOK,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_book()) {
                ::core::option::Option::Some(stand_in) => stand_in(),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_book())
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_book(&self) -> Result<Booking, BookingError> {
        Ok(Booking)
    }
    #[doc(hidden)]
    fn __undo_book<'run>(
        &'run self,
        cx: &'run ::durable::__macro::Context,
        recorded: ::durable::__macro::Recorded,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::Undone>,
    > {
        ::std::boxed::Box::pin(async move {
            let argument = <Option<
                Booking,
            > as ::durable::__macro::OptionalCompensationArgument<
                <Result<Booking, BookingError> as ::durable::__macro::StepResult>::Output,
            >>::read_if_there(&recorded)?;
            ::durable::__macro::undone::<
                Result<()>,
            >(
                match ::durable::__macro::stand_in(&Self::__step_key_of_cancel()) {
                    ::core::option::Option::Some(stand_in) => {
                        stand_in(cx, argument).await
                    }
                    ::core::option::Option::None => {
                        Self::cancel(self, cx, argument).await
                    }
                },
            )
        })
    }
    #[cfg(unix)]
    #[doc(hidden)]
    const __COMPENSATION_REFUND: ::durable::__macro::CompensationSpec = ::durable::__macro::CompensationSpec {
        name: "give-back",
        retry: ::core::option::Option::Some(::durable::__macro::Retry {
            max_attempts: 5,
            backoff: ::durable::__macro::Backoff::Exponential,
            base: ::core::time::Duration::from_secs(1),
            max: ::core::time::Duration::from_secs(3600),
            jitter: 0.25,
        }),
        timeout: ::core::option::Option::Some(::core::time::Duration::from_secs(30)),
    };
    #[cfg(unix)]
    #[doc(hidden)]
    fn __step_key_of_refund() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step Booking,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<()>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::compensation("book_trip", "give-back")
    }
    /// Gives the money back.
    #[cfg(unix)]
    async fn refund(&self, booking: &Booking) -> Result<()> {
        Ok(())
    }
    #[doc(hidden)]
    const __COMPENSATION_CANCEL: ::durable::__macro::CompensationSpec = ::durable::__macro::CompensationSpec {
        name: "cancel",
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
    };
    #[doc(hidden)]
    fn __step_key_of_cancel() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step Context,
            Option<Booking>,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<()>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::compensation("book_trip", "cancel")
    }
    async fn cancel(&self, cx: &Context, booking: Option<Booking>) -> Result<()> {
        cx.sleep(hours(1)).await
    }
}
impl ::durable::__macro::Workflow for BookTrip {
    type Input = Trip;
    type Output = <Result<Booking> as ::durable::__macro::RunResult>::Output;
    const NAME: &'static str = "book_trip";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[
        Self::__STEP_CHARGE,
        Self::__STEP_BOOK,
    ];
    const COMPENSATIONS: &'static [::durable::__macro::Compensation<Self>] = &[
        #[cfg(unix)]
        ::durable::__macro::Compensation {
            step: "charge",
            spec: &Self::__COMPENSATION_REFUND,
            undo_on_failure: false,
            call: Self::__undo_charge,
        },
        ::durable::__macro::Compensation {
            step: "book-flight",
            spec: &Self::__COMPENSATION_CANCEL,
            undo_on_failure: true,
            call: Self::__undo_book,
        },
    ];
    const FLOW: ::durable::__macro::Flow = ::durable::__macro::Flow {
        nodes: &[
            ["start", "start", "", ""],
            ["step", "charge", "charge", ""],
            ["end", "end", "", ""],
            ["compensation", "give-back", "give-back", ""],
        ],
        edges: &[(0, 1, ""), (1, 2, ""), (1, 3, "undo")],
    };
    fn execute<'run>(
        &'run self,
        cx: &'run ::durable::__macro::Context,
        input: Self::Input,
    ) -> ::durable::__macro::BoxFuture<'run, ::durable::__macro::Result<Self::Output>> {
        ::std::boxed::Box::pin(async move {
            <Result<
                Booking,
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
