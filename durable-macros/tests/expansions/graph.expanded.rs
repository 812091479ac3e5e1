impl Loan {
    #[doc(hidden)]
    const __STEP_SCORE: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "loan",
        name: "score",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_score() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step, 'l0> ::core::ops::Fn(
            &'step Applicant,
            Option<&'l0 str>,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<u32>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("loan", "score")
    }
    fn score<'step, 'l0, 'l1, 'l2>(
        &'l0 self,
        applicant: &'l1 Applicant,
        lender: Option<&'l2 str>,
    ) -> ::durable::__macro::Step<'step, Result<u32>>
    where
        'l0: 'step,
        'l1: 'step,
        'l2: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&applicant)).add_to(digest);
            (&::durable::__macro::Argument(&lender)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<u32>,
            _,
        >(
            &Self::__STEP_SCORE,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_score()) {
                ::core::option::Option::Some(stand_in) => stand_in(applicant, lender),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_score(applicant, lender))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_score(
        &self,
        applicant: &Applicant,
        lender: Option<&str>,
    ) -> Result<u32> {
        Ok(700)
    }
    #[doc(hidden)]
    const __STEP_OFFER: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "loan",
        name: "offer",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_offer() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'l0> ::core::ops::Fn(
            u32,
            Given<&'l0 Applicant>,
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<Offer>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("loan", "offer")
    }
    fn offer<'step, 'l0, 'l1>(
        &'l0 self,
        score: u32,
        applicant: Given<&'l1 Applicant>,
    ) -> ::durable::__macro::Step<'step, Result<Offer>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&score)).add_to(digest);
            (&::durable::__macro::Argument(&applicant)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<Offer>,
            _,
        >(
            &Self::__STEP_OFFER,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_offer()) {
                ::core::option::Option::Some(stand_in) => stand_in(score, applicant),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_offer(score, applicant))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_offer(
        &self,
        score: u32,
        applicant: Given<&Applicant>,
    ) -> Result<Offer> {
        Ok(Offer)
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
        dyn for<'l0> ::core::ops::Fn(
            Settled<&'l0 Offer>,
            Latest<u32>,
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<Letter>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("loan", "letter")
    }
    fn letter<'step, 'l0, 'l1>(
        &'l0 self,
        offer: Settled<&'l1 Offer>,
        score: Latest<u32>,
    ) -> ::durable::__macro::Step<'step, Result<Letter>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&offer)).add_to(digest);
            (&::durable::__macro::Argument(&score)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<Letter>,
            _,
        >(
            &Self::__STEP_LETTER,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_letter()) {
                ::core::option::Option::Some(stand_in) => stand_in(offer, score),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_letter(offer, score))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_letter(
        &self,
        offer: Settled<&Offer>,
        score: Latest<u32>,
    ) -> Result<Letter> {
        Ok(Letter)
    }
    fn helper(&self) -> u32 {
        7
    }
    #[doc(hidden)]
    fn __node_score<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let value_0 = taken.needed::<Applicant>(0, "applicant")?;
            let argument_0: &Applicant = &value_0;
            let value_1 = taken.settled::<String>(1, "bank")?;
            let argument_1: Option<&str> = value_1
                .as_ref()
                .map(|value| -> &str { value });
            ::durable::__macro::graph::computed::<
                Result<u32>,
            >(Self::score(self, argument_0, argument_1).await)
        })
    }
    #[doc(hidden)]
    fn __node_offer<'run>(
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
                >(0, "score")?;
            let argument_0: u32 = value_0;
            let value_1 = taken.given::<Applicant>(1, "applicant")?;
            let argument_1: Given<&Applicant> = value_1
                .as_ref()
                .map(|value| -> &Applicant { value });
            ::durable::__macro::graph::computed::<
                Result<Offer>,
            >(Self::offer(self, argument_0, argument_1).await)
        })
    }
    #[doc(hidden)]
    fn __when_offer(
        taken: &::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::Result<bool> {
        let value_0 = taken
            .needed::<
                <Result<u32> as ::durable::__macro::StepResult>::Output,
            >(0, "score")?;
        let argument_0: &u32 = &value_0;
        let value_1 = taken.latest::<String>(1, "bank")?;
        let argument_1: Latest<&String> = value_1
            .as_ref()
            .map(|value| -> &String { value });
        let decision: bool = Self::__condition_of_offer(argument_0, argument_1);
        ::core::result::Result::Ok(decision)
    }
    #[doc(hidden)]
    fn __condition_of_offer(score: &u32, lender: Latest<&String>) -> bool {
        *score >= 700 || lender.is_some()
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
                .outcome::<
                    <Result<Offer> as ::durable::__macro::StepResult>::Output,
                >(0, "offer")?;
            let argument_0: Settled<&Offer> = value_0
                .as_ref()
                .map(|value| -> &Offer { value });
            let value_1 = taken
                .latest::<
                    <Result<u32> as ::durable::__macro::StepResult>::Output,
                >(1, "score")?;
            let argument_1: Latest<u32> = value_1;
            ::durable::__macro::graph::computed::<
                Result<Letter>,
            >(Self::letter(self, argument_0, argument_1).await)
        })
    }
    #[doc(hidden)]
    fn __when_letter(
        taken: &::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::Result<bool> {
        let value_0 = taken
            .needed::<
                <Result<Offer> as ::durable::__macro::StepResult>::Output,
            >(0, "offer")?;
        let argument_0: &Offer = &value_0;
        let decision: bool = Self::__condition_of_letter(argument_0);
        ::core::result::Result::Ok(decision)
    }
    #[doc(hidden)]
    fn __condition_of_letter(offer: &Offer) -> bool {
        offer.stands()
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
                    ::durable::__macro::graph::Schema::<Applicant>::MAKE
                },
                check: ::core::option::Option::Some(
                    ::durable::__macro::graph::check::<Applicant>,
                ),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "bank",
                    was: &["lender"],
                    kind: ::durable::__macro::graph::NodeKind::Input {
                        optional: true,
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
                    name: "score",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 0,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                        ::durable::__macro::graph::Edge {
                            node: 1,
                            policy: ::durable::__macro::graph::Policy::Settled,
                        },
                    ],
                    on_failure: ::durable::__macro::graph::OnFailure::Skip,
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_score),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "offer",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 2,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                        ::durable::__macro::graph::Edge {
                            node: 0,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    when: &[
                        ::durable::__macro::graph::Edge {
                            node: 2,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                        ::durable::__macro::graph::Edge {
                            node: 1,
                            policy: ::durable::__macro::graph::Policy::Latest,
                        },
                    ],
                    ends: true,
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_offer),
                when: ::core::option::Option::Some(Self::__when_offer),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "letter",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 3,
                            policy: ::durable::__macro::graph::Policy::SeesFailure,
                        },
                        ::durable::__macro::graph::Edge {
                            node: 2,
                            policy: ::durable::__macro::graph::Policy::Latest,
                        },
                    ],
                    when: &[
                        ::durable::__macro::graph::Edge {
                            node: 3,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    is_output: true,
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_letter),
                when: ::core::option::Option::Some(Self::__when_letter),
                ..::durable::__macro::graph::Node::PLAIN
            },
        ],
        open: true,
    };
}
impl ::durable::__macro::Workflow for Loan {
    type Input = LoanInputs;
    type Output = <Result<Letter> as ::durable::__macro::StepResult>::Output;
    const NAME: &'static str = "loan";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[
        Self::__STEP_SCORE,
        Self::__STEP_OFFER,
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
    /// Who wants the money.
    pub applicant: ::core::option::Option<Applicant>,
    ///The input `bank`.
    pub lender: ::core::option::Option<String>,
}
impl ::durable::__macro::graph::Inputs for LoanInputs {
    const NAME: &'static str = "LoanInputs";
    fn write<M: ::durable::__macro::graph::serde::ser::SerializeMap>(
        &self,
        inputs: &mut M,
    ) -> ::core::result::Result<(), M::Error> {
        ::durable::__macro::graph::add::<
            _,
            Applicant,
        >(inputs, "applicant", self.applicant.as_ref())?;
        ::durable::__macro::graph::add::<
            _,
            String,
        >(inputs, "bank", self.lender.as_ref())?;
        ::core::result::Result::Ok(())
    }
    fn read(
        inputs: &mut ::durable::__macro::graph::GivenInputs,
    ) -> ::durable::__macro::Result<Self> {
        ::core::result::Result::Ok(Self {
            applicant: inputs.take::<Applicant>("applicant", &[])?,
            lender: inputs.take::<String>("bank", &["lender"])?,
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
