impl Loan {
    #[doc(hidden)]
    fn __node_exception<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            {
                let value_0 = taken.needed::<u32>(0, "score")?;
                let argument_0: &u32 = &value_0;
                let _ = (argument_0,);
            }
            let question = ::durable::__macro::graph::Question {
                name: "exception",
                prompt: ::core::option::Option::Some("Grant it below 700?"),
                assignee: ::core::option::Option::Some("credit"),
                timeout: ::core::option::Option::Some(
                    ::core::time::Duration::from_secs(259200),
                ),
                takes: &["score"],
            };
            ::durable::__macro::graph::ask::<Approval>(question, taken).await
        })
    }
    #[doc(hidden)]
    fn __when_exception(
        taken: &::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::Result<bool> {
        let value_0 = taken.needed::<u32>(0, "score")?;
        let argument_0: &u32 = &value_0;
        let decision: bool = Self::__condition_of_exception(argument_0);
        ::core::result::Result::Ok(decision)
    }
    #[doc(hidden)]
    fn __condition_of_exception(score: &u32) -> bool {
        *score < 700
    }
    #[doc(hidden)]
    fn __node_signature<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            {
                let value_0 = taken.settled::<Approval>(0, "exception")?;
                let argument_0: Option<&Approval> = value_0
                    .as_ref()
                    .map(|value| -> &Approval { value });
                let _ = (argument_0,);
            }
            let question = ::durable::__macro::graph::Question {
                name: "signature",
                prompt: ::core::option::Option::None,
                assignee: ::core::option::Option::None,
                timeout: ::core::option::Option::None,
                takes: &["exception"],
            };
            ::durable::__macro::graph::ask::<String>(question, taken).await
        })
    }
    #[doc(hidden)]
    const __GRAPH: &'static ::durable::__macro::graph::Graph<Self> = &::durable::__macro::graph::Graph {
        nodes: &[
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "score",
                    kind: ::durable::__macro::graph::NodeKind::Input {
                        optional: false,
                    },
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                schema: {
                    use ::durable::__macro::graph::WithoutSchema as _;
                    ::durable::__macro::graph::Schema::<u32>::MAKE
                },
                check: ::core::option::Option::Some(
                    ::durable::__macro::graph::check::<u32>,
                ),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "exception",
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
                    kind: ::durable::__macro::graph::NodeKind::Question,
                    on_failure: ::durable::__macro::graph::OnFailure::Skip,
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_exception),
                when: ::core::option::Option::Some(Self::__when_exception),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "signature",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 1,
                            policy: ::durable::__macro::graph::Policy::Settled,
                        },
                    ],
                    kind: ::durable::__macro::graph::NodeKind::Question,
                    is_output: true,
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_signature),
                ..::durable::__macro::graph::Node::PLAIN
            },
        ],
        open: false,
    };
}
impl ::durable::__macro::Workflow for Loan {
    type Input = LoanInputs;
    type Output = String;
    const NAME: &'static str = "loan";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[];
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
    ///The input `score`.
    pub score: ::core::option::Option<u32>,
}
impl ::durable::__macro::graph::Inputs for LoanInputs {
    const NAME: &'static str = "LoanInputs";
    fn write<M: ::durable::__macro::graph::serde::ser::SerializeMap>(
        &self,
        inputs: &mut M,
    ) -> ::core::result::Result<(), M::Error> {
        ::durable::__macro::graph::add::<_, u32>(inputs, "score", self.score.as_ref())?;
        ::core::result::Result::Ok(())
    }
    fn read(
        inputs: &mut ::durable::__macro::graph::GivenInputs,
    ) -> ::durable::__macro::Result<Self> {
        ::core::result::Result::Ok(Self {
            score: inputs.take::<u32>("score", &[])?,
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
#[question(__consumed)]
const _: () = ();
