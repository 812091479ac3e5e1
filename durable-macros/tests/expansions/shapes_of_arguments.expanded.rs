impl<C: Client> Shapes<C>
where
    C: Clone,
{
    async fn run(&self, cx: &Context, input: (u32, String)) -> Result<u32, ShapeError> {
        Ok(1)
    }
    #[doc(hidden)]
    const __STEP_NO_ARGUMENTS: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "shapes",
        name: "no_arguments",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_no_arguments() -> ::durable::__macro::StepKey<
        Self,
        dyn ::core::ops::Fn(
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<()>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("shapes", "no_arguments")
    }
    fn no_arguments<'step, 'l0>(&'l0 self) -> ::durable::__macro::Step<'step, Result<()>>
    where
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|_| {});
        ::durable::__macro::step_once::<
            Result<()>,
            _,
        >(
            &Self::__STEP_NO_ARGUMENTS,
            digest,
            move || match ::durable::__macro::stand_in(
                &Self::__step_key_of_no_arguments(),
            ) {
                ::core::option::Option::Some(stand_in) => stand_in(),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_no_arguments())
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_no_arguments(&self) -> Result<()> {
        Ok(())
    }
    #[cfg(unix)]
    #[doc(hidden)]
    const __STEP_CONDITIONAL: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "shapes",
        name: "conditional",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[cfg(unix)]
    #[doc(hidden)]
    fn __step_key_of_conditional() -> ::durable::__macro::StepKey<
        Self,
        ::durable::__macro::GenericStepsCannotBeReplaced,
    > {
        ::durable::__macro::StepKey::step("shapes", "conditional")
    }
    #[cfg(unix)]
    fn conditional<'step, 'l0, 'l1, 'a>(
        self: &'l0 Self,
        text: &'a str,
        cow: Cow<'l1, str>,
    ) -> ::durable::__macro::Step<'step, Result<Self::Out>>
    where
        'l0: 'step,
        'l1: 'step,
        'a: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&text)).add_to(digest);
            (&::durable::__macro::Argument(&cow)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<Self::Out>,
            _,
        >(
            &Self::__STEP_CONDITIONAL,
            digest,
            move || ::std::boxed::Box::pin(self.__step_conditional(text, cow)),
        )
    }
    #[doc(hidden)]
    #[cfg(unix)]
    async fn __step_conditional<'a>(
        self: &Self,
        text: &'a str,
        cow: Cow<'_, str>,
    ) -> Result<Self::Out> {
        Ok(())
    }
    #[doc(hidden)]
    const __STEP_GENERIC: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "shapes",
        name: "generic",
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
    fn __step_key_of_generic() -> ::durable::__macro::StepKey<
        Self,
        ::durable::__macro::GenericStepsCannotBeReplaced,
    > {
        ::durable::__macro::StepKey::step("shapes", "generic")
    }
    fn generic<'step, 'l0, T: Serialize + Send + 'step, const N: usize>(
        &'l0 self,
        value: T,
        list: [u8; N],
    ) -> ::durable::__macro::Step<'step, Result<T>>
    where
        T: Clone,
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&value)).add_to(digest);
            (&::durable::__macro::Argument(&list)).add_to(digest);
        });
        ::durable::__macro::step_retried::<
            Result<T>,
            _,
        >(
            &Self::__STEP_GENERIC,
            digest,
            move || {
                let value = ::durable::__macro::RetryArgument::again(&value);
                let list = ::durable::__macro::RetryArgument::again(&list);
                ::std::boxed::Box::pin(self.__step_generic::<T, N>(value, list))
            },
        )
    }
    #[doc(hidden)]
    async fn __step_generic<T: Serialize + Send, const N: usize>(
        &self,
        value: T,
        list: [u8; N],
    ) -> Result<T>
    where
        T: Clone,
    {
        Ok(value)
    }
    #[doc(hidden)]
    const __STEP_OPAQUE: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "shapes",
        name: "opaque",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_opaque() -> ::durable::__macro::StepKey<
        Self,
        ::durable::__macro::GenericStepsCannotBeReplaced,
    > {
        ::durable::__macro::StepKey::step("shapes", "opaque")
    }
    fn opaque<'step, 'l0, 'l1>(
        &'l0 self,
        show: impl Display + Send + 'step,
        borrowed: &'l1 (impl Display + 'step),
        callback: impl Fn(&str) -> u32 + 'step,
    ) -> ::durable::__macro::Step<'step, Result<()>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&show)).add_to(digest);
            (&::durable::__macro::Argument(&borrowed)).add_to(digest);
            (&::durable::__macro::Argument(&callback)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<()>,
            _,
        >(
            &Self::__STEP_OPAQUE,
            digest,
            move || ::std::boxed::Box::pin(self.__step_opaque(show, borrowed, callback)),
        )
    }
    #[doc(hidden)]
    async fn __step_opaque(
        &self,
        show: impl Display + Send,
        borrowed: &impl Display,
        callback: impl Fn(&str) -> u32,
    ) -> Result<()> {
        Ok(())
    }
    #[doc(hidden)]
    const __STEP_MATCH: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "shapes",
        name: "patterns",
        is_compensation: false,
        was: &["a", "b"],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_match() -> ::durable::__macro::StepKey<
        Self,
        dyn ::core::ops::Fn(
            (u32, u32),
            Vec<u8>,
            u32,
            u32,
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<()>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("shapes", "patterns")
    }
    fn r#match<'step, 'l0>(
        &'l0 self,
        argument_0: (u32, u32),
        x: Vec<u8>,
        argument_2: u32,
        digest: u32,
    ) -> ::durable::__macro::Step<'step, Result<()>>
    where
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&argument_0)).add_to(digest);
            (&::durable::__macro::Argument(&x)).add_to(digest);
            (&::durable::__macro::Argument(&argument_2)).add_to(digest);
            (&::durable::__macro::Argument(&digest)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<()>,
            _,
        >(
            &Self::__STEP_MATCH,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_match()) {
                ::core::option::Option::Some(stand_in) => {
                    stand_in(argument_0, x, argument_2, digest)
                }
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(
                        self.__step_match(argument_0, x, argument_2, digest),
                    )
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_match(
        &self,
        (a, b): (u32, u32),
        mut x: Vec<u8>,
        _: u32,
        digest: u32,
    ) -> Result<()> {
        Ok(())
    }
}
impl<C: Client> ::durable::__macro::Workflow for Shapes<C>
where
    C: Clone,
{
    type Input = (u32, String);
    type Output = <Result<u32, ShapeError> as ::durable::__macro::RunResult>::Output;
    const NAME: &'static str = "shapes";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[
        Self::__STEP_NO_ARGUMENTS,
        #[cfg(unix)]
        Self::__STEP_CONDITIONAL,
        Self::__STEP_GENERIC,
        Self::__STEP_OPAQUE,
        Self::__STEP_MATCH,
    ];
    const COMPENSATIONS: &'static [::durable::__macro::Compensation<Self>] = &[];
    const FLOW: ::durable::__macro::Flow = ::durable::__macro::Flow {
        nodes: &[["start", "start", "", ""], ["end", "end", "", ""]],
        edges: &[(0, 1, "")],
    };
    fn execute<'run>(
        &'run self,
        cx: &'run ::durable::__macro::Context,
        input: Self::Input,
    ) -> ::durable::__macro::BoxFuture<'run, ::durable::__macro::Result<Self::Output>> {
        ::std::boxed::Box::pin(async move {
            <Result<
                u32,
                ShapeError,
            > as ::durable::__macro::RunResult>::into_result(
                Self::run(self, cx, input).await,
            )
        })
    }
}
#[step(__consumed)]
const _: () = ();
