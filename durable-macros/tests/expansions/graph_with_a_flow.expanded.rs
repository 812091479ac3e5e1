impl Loan {
    #[doc(hidden)]
    const __STEP_RESEARCH: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "loan",
        name: "research",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::Some(::durable::__macro::Retry {
            max_attempts: 2,
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
    fn __step_key_of_research() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step Context,
            &'step str,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<u32>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("loan", "research")
    }
    fn research<'step, 'l0, 'l1, 'l2>(
        &'l0 self,
        cx: &'l1 Context,
        applicant: &'l2 str,
    ) -> ::durable::__macro::Step<'step, Result<u32>>
    where
        'l0: 'step,
        'l1: 'step,
        'l2: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&cx)).add_to(digest);
            (&::durable::__macro::Argument(&applicant)).add_to(digest);
        });
        ::durable::__macro::flow_retried::<
            Result<u32>,
            _,
        >(
            &Self::__STEP_RESEARCH,
            digest,
            move || {
                let cx = ::durable::__macro::RetryArgument::again(&cx);
                let applicant = ::durable::__macro::RetryArgument::again(&applicant);
                match ::durable::__macro::stand_in(&Self::__step_key_of_research()) {
                    ::core::option::Option::Some(stand_in) => stand_in(cx, applicant),
                    ::core::option::Option::None => {
                        ::std::boxed::Box::pin(self.__step_research(cx, applicant))
                    }
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_research(&self, cx: &Context, applicant: &str) -> Result<u32> {
        cx.sleep(days(1)).await?;
        self.lookup(applicant, 7).await
    }
    #[doc(hidden)]
    const __STEP_LOOKUP: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "loan",
        name: "lookup",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_lookup() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step str,
            u32,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<u32>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("loan", "lookup")
    }
    fn lookup<'step, 'l0, 'l1>(
        &'l0 self,
        name: &'l1 str,
        depth: u32,
    ) -> ::durable::__macro::Step<'step, Result<u32>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&name)).add_to(digest);
            (&::durable::__macro::Argument(&depth)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<u32>,
            _,
        >(
            &Self::__STEP_LOOKUP,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_lookup()) {
                ::core::option::Option::Some(stand_in) => stand_in(name, depth),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_lookup(name, depth))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_lookup(&self, name: &str, depth: u32) -> Result<u32> {
        Ok(name.len() as u32 + depth)
    }
    #[doc(hidden)]
    const __STEP_LETTER: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "loan",
        name: "letter",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_letter() -> ::durable::__macro::StepKey<
        Self,
        dyn ::core::ops::Fn(
            u32,
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<String>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("loan", "letter")
    }
    fn letter<'step, 'l0>(
        &'l0 self,
        research: u32,
    ) -> ::durable::__macro::Step<'step, Result<String>>
    where
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&research)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<String>,
            _,
        >(
            &Self::__STEP_LETTER,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_letter()) {
                ::core::option::Option::Some(stand_in) => stand_in(research),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_letter(research))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_letter(&self, research: u32) -> Result<String> {
        Ok(format!("{research}"))
    }
    #[doc(hidden)]
    fn __node_research<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let value_0 = taken.needed::<String>(0, "applicant")?;
            let argument_0: &str = &value_0;
            let cx = ::durable::__macro::graph::context()?;
            ::durable::__macro::graph::computed::<
                Result<u32>,
            >(Self::research(self, &cx, argument_0).await)
        })
    }
    #[doc(hidden)]
    fn __node_letter<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let value_0 = taken
                .needed::<
                    <Result<u32> as ::durable::__macro::StepResult>::Output,
                >(0, "research")?;
            let argument_0: u32 = value_0;
            ::durable::__macro::graph::computed::<
                Result<String>,
            >(Self::letter(self, argument_0).await)
        })
    }
    #[doc(hidden)]
    const __GRAPH: &'static ::durable::__macro::graph::Graph<Self> = &::durable::__macro::graph::Graph {
        nodes: &[
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "applicant",
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
                    name: "research",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 0,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    kind: ::durable::__macro::graph::NodeKind::Flow,
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_research),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "letter",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 1,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    is_output: true,
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_letter),
                ..::durable::__macro::graph::Node::PLAIN
            },
        ],
        open: false,
    };
}
impl ::durable::__macro::Workflow for Loan {
    type Input = LoanInputs;
    type Output = <Result<String> as ::durable::__macro::StepResult>::Output;
    const NAME: &'static str = "loan";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[
        Self::__STEP_RESEARCH,
        Self::__STEP_LOOKUP,
        Self::__STEP_LETTER,
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
///What `loan` is started with. An input that is `None` can be set later.
#[derive(::core::default::Default)]
#[allow(private_interfaces, unreachable_pub)]
pub struct LoanInputs {
    ///The input `applicant`.
    pub applicant: ::core::option::Option<String>,
}
impl ::durable::__macro::graph::Inputs for LoanInputs {
    const NAME: &'static str = "LoanInputs";
    fn write<M: ::durable::__macro::graph::serde::ser::SerializeMap>(
        &self,
        inputs: &mut M,
    ) -> ::core::result::Result<(), M::Error> {
        ::durable::__macro::graph::add::<
            _,
            String,
        >(inputs, "applicant", self.applicant.as_ref())?;
        ::core::result::Result::Ok(())
    }
    fn read(
        inputs: &mut ::durable::__macro::graph::GivenInputs,
    ) -> ::durable::__macro::Result<Self> {
        ::core::result::Result::Ok(Self {
            applicant: inputs.take::<String>("applicant", &[])?,
        })
    }
}
impl ::durable::__macro::graph::serde::Serialize for LoanInputs {
    fn serialize<S: ::durable::__macro::graph::serde::Serializer>(
        &self,
        serializer: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        ::durable::__macro::graph::serialize(self, serializer)
    }
}
impl<'de> ::durable::__macro::graph::serde::Deserialize<'de> for LoanInputs {
    fn deserialize<D: ::durable::__macro::graph::serde::Deserializer<'de>>(
        deserializer: D,
    ) -> ::core::result::Result<Self, D::Error> {
        ::durable::__macro::graph::deserialize(deserializer)
    }
}
impl ::core::fmt::Debug for LoanInputs {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::durable::__macro::graph::show(self, f)
    }
}
#[input(__consumed)]
const _: () = ();
#[output(__consumed)]
const _: () = ();
#[step(__consumed)]
const _: () = ();
