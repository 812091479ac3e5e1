impl Trial {
    #[doc(hidden)]
    const __STEP_REMINDER: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "trial",
        name: "reminder",
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
    fn __step_key_of_reminder() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step str,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<Due>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("trial", "reminder")
    }
    fn reminder<'step, 'l0, 'l1>(
        &'l0 self,
        email: &'l1 str,
    ) -> ::durable::__macro::Step<'step, Result<Due>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&email)).add_to(digest);
        });
        ::durable::__macro::step_retried::<
            Result<Due>,
            _,
        >(
            &Self::__STEP_REMINDER,
            digest,
            move || {
                let email = ::durable::__macro::RetryArgument::again(&email);
                match ::durable::__macro::stand_in(&Self::__step_key_of_reminder()) {
                    ::core::option::Option::Some(stand_in) => stand_in(email),
                    ::core::option::Option::None => {
                        ::std::boxed::Box::pin(self.__step_reminder(email))
                    }
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_reminder(&self, email: &str) -> Result<Due> {
        Ok(Due::every(days(1)))
    }
    #[doc(hidden)]
    const __STEP_REMIND: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "trial",
        name: "remind",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_remind() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step str,
            &'step DateTime<Utc>,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<()>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("trial", "remind")
    }
    fn remind<'step, 'l0, 'l1, 'l2>(
        &'l0 self,
        email: &'l1 str,
        reminder: &'l2 DateTime<Utc>,
    ) -> ::durable::__macro::Step<'step, Result<()>>
    where
        'l0: 'step,
        'l1: 'step,
        'l2: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&email)).add_to(digest);
            (&::durable::__macro::Argument(&reminder)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<()>,
            _,
        >(
            &Self::__STEP_REMIND,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_remind()) {
                ::core::option::Option::Some(stand_in) => stand_in(email, reminder),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_remind(email, reminder))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_remind(&self, email: &str, reminder: &DateTime<Utc>) -> Result<()> {
        self.mail(email, reminder).await
    }
    #[doc(hidden)]
    fn __node_reminder<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let value_0 = taken.needed::<String>(0, "email")?;
            let argument_0: &str = &value_0;
            ::durable::__macro::graph::due::<
                Result<Due>,
            >(Self::reminder(self, argument_0).await)
        })
    }
    #[doc(hidden)]
    fn __when_reminder(
        taken: &::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::Result<bool> {
        let value_0 = taken.needed::<String>(0, "email")?;
        let argument_0: &String = &value_0;
        let decision: bool = Self::__condition_of_reminder(argument_0);
        ::core::result::Result::Ok(decision)
    }
    #[doc(hidden)]
    fn __condition_of_reminder(email: &String) -> bool {
        !email.is_empty()
    }
    #[doc(hidden)]
    fn __node_remind<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let value_0 = taken.needed::<String>(0, "email")?;
            let argument_0: &str = &value_0;
            let value_1 = taken
                .needed::<::durable::__macro::graph::Time>(1, "reminder")?;
            let argument_1: &DateTime<Utc> = &value_1;
            ::durable::__macro::graph::computed::<
                Result<()>,
            >(Self::remind(self, argument_0, argument_1).await)
        })
    }
    #[doc(hidden)]
    const __GRAPH: &'static ::durable::__macro::graph::Graph<Self> = &::durable::__macro::graph::Graph {
        nodes: &[
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "email",
                    kind: ::durable::__macro::graph::NodeKind::Input {
                        optional: false,
                    },
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                schema: {
                    use ::durable::__macro::graph::WithoutSchema as _;
                    ::durable::__macro::graph::Schema::<String>::MAKE
                },
                check: ::core::option::Option::Some(
                    ::durable::__macro::graph::check::<String>,
                ),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "reminder",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 0,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    when: &[
                        ::durable::__macro::graph::Edge {
                            node: 0,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    kind: ::durable::__macro::graph::NodeKind::Timer,
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_reminder),
                when: ::core::option::Option::Some(Self::__when_reminder),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "remind",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 0,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                        ::durable::__macro::graph::Edge {
                            node: 1,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_remind),
                ..::durable::__macro::graph::Node::PLAIN
            },
        ],
        open: true,
    };
}
impl ::durable::__macro::Workflow for Trial {
    type Input = TrialInputs;
    type Output = ::durable::__macro::Json;
    const NAME: &'static str = "trial";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[
        Self::__STEP_REMINDER,
        Self::__STEP_REMIND,
    ];
    const COMPENSATIONS: &'static [::durable::__macro::Compensation<Self>] = &[];
    const GRAPH: ::core::option::Option<
        &'static ::durable::__macro::graph::Graph<Self>,
    > = ::core::option::Option::Some(Self::__GRAPH);
    fn execute<'run>(
        &'run self,
        cx: &'run ::durable::__macro::Context,
        inputs: Self::Input,
    ) -> ::durable::__macro::BoxFuture<'run, ::durable::__macro::Result<Self::Output>> {
        ::std::boxed::Box::pin(
            ::durable::__macro::graph::drive(self, cx, inputs, Self::__GRAPH),
        )
    }
}
///What `trial` is started with. An input that is `None` can be set later.
#[derive(::core::default::Default)]
#[allow(private_interfaces, unreachable_pub)]
pub struct TrialInputs {
    ///The input `email`.
    pub email: ::core::option::Option<String>,
}
impl ::durable::__macro::graph::Inputs for TrialInputs {
    const NAME: &'static str = "TrialInputs";
    fn write<M: ::durable::__macro::graph::serde::ser::SerializeMap>(
        &self,
        inputs: &mut M,
    ) -> ::core::result::Result<(), M::Error> {
        ::durable::__macro::graph::add::<
            _,
            String,
        >(inputs, "email", self.email.as_ref())?;
        ::core::result::Result::Ok(())
    }
    fn read(
        inputs: &mut ::durable::__macro::graph::GivenInputs,
    ) -> ::durable::__macro::Result<Self> {
        ::core::result::Result::Ok(Self {
            email: inputs.take::<String>("email", &[])?,
        })
    }
}
impl ::durable::__macro::graph::serde::Serialize for TrialInputs {
    fn serialize<S: ::durable::__macro::graph::serde::Serializer>(
        &self,
        serializer: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        ::durable::__macro::graph::serialize(self, serializer)
    }
}
impl<'de> ::durable::__macro::graph::serde::Deserialize<'de> for TrialInputs {
    fn deserialize<D: ::durable::__macro::graph::serde::Deserializer<'de>>(
        deserializer: D,
    ) -> ::core::result::Result<Self, D::Error> {
        ::durable::__macro::graph::deserialize(deserializer)
    }
}
impl ::core::fmt::Debug for TrialInputs {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::durable::__macro::graph::show(self, f)
    }
}
#[input(__consumed)]
const _: () = ();
#[step(__consumed)]
const _: () = ();
#[timer(__consumed)]
const _: () = ();
