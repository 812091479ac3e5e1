impl Reading {
    #[doc(hidden)]
    const __STEP_READ: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "reading",
        name: "read",
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
    fn __step_key_of_read() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step, 'l0> ::core::ops::Fn(
            Option<&'l0 str>,
            &'step Document,
            usize,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<Facts>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("reading", "read")
    }
    fn read<'step, 'l0, 'l1, 'l2>(
        &'l0 self,
        language: Option<&'l1 str>,
        document: &'l2 Document,
        count: usize,
    ) -> ::durable::__macro::Step<'step, Result<Facts>>
    where
        'l0: 'step,
        'l1: 'step,
        'l2: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&language)).add_to(digest);
            (&::durable::__macro::Argument(&document)).add_to(digest);
            (&::durable::__macro::Argument(&count)).add_to(digest);
        });
        ::durable::__macro::step_retried::<
            Result<Facts>,
            _,
        >(
            &Self::__STEP_READ,
            digest,
            move || {
                let language = ::durable::__macro::RetryArgument::again(&language);
                let document = ::durable::__macro::RetryArgument::again(&document);
                let count = ::durable::__macro::RetryArgument::again(&count);
                match ::durable::__macro::stand_in(&Self::__step_key_of_read()) {
                    ::core::option::Option::Some(stand_in) => {
                        stand_in(language, document, count)
                    }
                    ::core::option::Option::None => {
                        ::std::boxed::Box::pin(
                            self.__step_read(language, document, count),
                        )
                    }
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_read(
        &self,
        language: Option<&str>,
        document: &Document,
        count: usize,
    ) -> Result<Facts> {
        Ok(Facts)
    }
    #[doc(hidden)]
    const __STEP_SUMMARY: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "reading",
        name: "summary",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_summary() -> ::durable::__macro::StepKey<
        Self,
        dyn ::core::ops::Fn(
            Facts,
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<String>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("reading", "summary")
    }
    fn summary<'step, 'l0>(
        &'l0 self,
        facts: Facts,
    ) -> ::durable::__macro::Step<'step, Result<String>>
    where
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&facts)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<String>,
            _,
        >(
            &Self::__STEP_SUMMARY,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_summary()) {
                ::core::option::Option::Some(stand_in) => stand_in(facts),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_summary(facts))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_summary(&self, facts: Facts) -> Result<String> {
        Ok(String::new())
    }
    #[doc(hidden)]
    const __STEP_COUNT: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "reading",
        name: "count",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_count() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step [Document],
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<usize>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("reading", "count")
    }
    fn count<'step, 'l0, 'l1>(
        &'l0 self,
        documents: &'l1 [Document],
    ) -> ::durable::__macro::Step<'step, Result<usize>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&documents)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<usize>,
            _,
        >(
            &Self::__STEP_COUNT,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_count()) {
                ::core::option::Option::Some(stand_in) => stand_in(documents),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_count(documents))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_count(&self, documents: &[Document]) -> Result<usize> {
        Ok(documents.len())
    }
    #[doc(hidden)]
    const __STEP_REPORT: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "reading",
        name: "report",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_report() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'l0> ::core::ops::Fn(
            Option<&'l0 [Facts]>,
            Vec<String>,
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<Report>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("reading", "report")
    }
    fn report<'step, 'l0, 'l1>(
        &'l0 self,
        read: Option<&'l1 [Facts]>,
        summary: Vec<String>,
    ) -> ::durable::__macro::Step<'step, Result<Report>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&read)).add_to(digest);
            (&::durable::__macro::Argument(&summary)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<Report>,
            _,
        >(
            &Self::__STEP_REPORT,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_report()) {
                ::core::option::Option::Some(stand_in) => stand_in(read, summary),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_report(read, summary))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_report(
        &self,
        read: Option<&[Facts]>,
        summary: Vec<String>,
    ) -> Result<Report> {
        Ok(Report)
    }
    #[doc(hidden)]
    fn __node_read<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let value_0 = &taken.settled::<String>(0, "language")?;
            let items = ::durable::__macro::graph::items::<
                Vec<Document>,
            >(taken, 1, "documents")?;
            let value_2 = &taken
                .needed::<
                    <Result<usize> as ::durable::__macro::StepResult>::Output,
                >(2, "count")?;
            ::durable::__macro::graph::each(
                    items,
                    8,
                    move |item| async move {
                        let argument_0: Option<&str> = value_0
                            .as_ref()
                            .map(|value| -> &str { value });
                        let argument_1: &Document = &item;
                        let argument_2: usize = ::durable::__macro::graph::SharedArgument::for_item(
                            value_2,
                        );
                        ::durable::__macro::graph::computed::<
                            Result<Facts>,
                        >(Self::read(self, argument_0, argument_1, argument_2).await)
                    },
                )
                .await
        })
    }
    #[doc(hidden)]
    fn __node_summary<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let items = ::durable::__macro::graph::items::<
                ::std::vec::Vec<
                    <Result<Facts> as ::durable::__macro::StepResult>::Output,
                >,
            >(taken, 0, "read")?;
            ::durable::__macro::graph::each(
                    items,
                    ::durable::__macro::graph::DEFAULT_CONCURRENCY,
                    move |item| async move {
                        let argument_0: Facts = item;
                        ::durable::__macro::graph::computed::<
                            Result<String>,
                        >(Self::summary(self, argument_0).await)
                    },
                )
                .await
        })
    }
    #[doc(hidden)]
    fn __node_count<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let value_0 = taken.needed::<Vec<Document>>(0, "documents")?;
            let argument_0: &[Document] = &value_0;
            ::durable::__macro::graph::computed::<
                Result<usize>,
            >(Self::count(self, argument_0).await)
        })
    }
    #[doc(hidden)]
    fn __node_report<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let value_0 = taken
                .settled::<
                    ::std::vec::Vec<
                        <Result<Facts> as ::durable::__macro::StepResult>::Output,
                    >,
                >(0, "read")?;
            let argument_0: Option<&[Facts]> = value_0
                .as_ref()
                .map(|value| -> &[Facts] { value });
            let value_1 = taken
                .needed::<
                    ::std::vec::Vec<
                        <Result<String> as ::durable::__macro::StepResult>::Output,
                    >,
                >(1, "summary")?;
            let argument_1: Vec<String> = value_1;
            ::durable::__macro::graph::computed::<
                Result<Report>,
            >(Self::report(self, argument_0, argument_1).await)
        })
    }
    #[doc(hidden)]
    const __GRAPH: &'static ::durable::__macro::graph::Graph<Self> = &::durable::__macro::graph::Graph {
        nodes: &[
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "documents",
                    kind: ::durable::__macro::graph::NodeKind::Input {
                        optional: false,
                    },
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                schema: {
                    use ::durable::__macro::graph::WithoutSchema as _;
                    ::durable::__macro::graph::Schema::<Vec<Document>>::MAKE
                },
                check: ::core::option::Option::Some(
                    ::durable::__macro::graph::check::<Vec<Document>>,
                ),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "language",
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
                    name: "read",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 1,
                            policy: ::durable::__macro::graph::Policy::Settled,
                        },
                        ::durable::__macro::graph::Edge {
                            node: 0,
                            policy: ::durable::__macro::graph::Policy::Each,
                        },
                        ::durable::__macro::graph::Edge {
                            node: 4,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    delay: ::core::option::Option::Some(
                        ::core::time::Duration::from_secs(90),
                    ),
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_read),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "summary",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 2,
                            policy: ::durable::__macro::graph::Policy::Each,
                        },
                    ],
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_summary),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "count",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 0,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_count),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "report",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 2,
                            policy: ::durable::__macro::graph::Policy::Settled,
                        },
                        ::durable::__macro::graph::Edge {
                            node: 3,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_report),
                ..::durable::__macro::graph::Node::PLAIN
            },
        ],
        open: false,
    };
}
impl ::durable::__macro::Workflow for Reading {
    type Input = ReadingInputs;
    type Output = ::durable::__macro::Json;
    const NAME: &'static str = "reading";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[
        Self::__STEP_READ,
        Self::__STEP_SUMMARY,
        Self::__STEP_COUNT,
        Self::__STEP_REPORT,
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
///What `reading` is started with. An input that is `None` can be set later.
#[derive(::core::default::Default)]
#[allow(private_interfaces, unreachable_pub)]
pub struct ReadingInputs {
    ///The input `documents`.
    pub documents: ::core::option::Option<Vec<Document>>,
    ///The input `language`.
    pub language: ::core::option::Option<String>,
}
impl ::durable::__macro::graph::Inputs for ReadingInputs {
    const NAME: &'static str = "ReadingInputs";
    fn write<M: ::durable::__macro::graph::serde::ser::SerializeMap>(
        &self,
        inputs: &mut M,
    ) -> ::core::result::Result<(), M::Error> {
        ::durable::__macro::graph::add::<
            _,
            Vec<Document>,
        >(inputs, "documents", self.documents.as_ref())?;
        ::durable::__macro::graph::add::<
            _,
            String,
        >(inputs, "language", self.language.as_ref())?;
        ::core::result::Result::Ok(())
    }
    fn read(
        inputs: &mut ::durable::__macro::graph::GivenInputs,
    ) -> ::durable::__macro::Result<Self> {
        ::core::result::Result::Ok(Self {
            documents: inputs.take::<Vec<Document>>("documents", &[])?,
            language: inputs.take::<String>("language", &[])?,
        })
    }
}
impl ::durable::__macro::graph::serde::Serialize for ReadingInputs {
    fn serialize<S: ::durable::__macro::graph::serde::Serializer>(
        &self,
        serializer: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        ::durable::__macro::graph::serialize(self, serializer)
    }
}
impl<'de> ::durable::__macro::graph::serde::Deserialize<'de> for ReadingInputs {
    fn deserialize<D: ::durable::__macro::graph::serde::Deserializer<'de>>(
        deserializer: D,
    ) -> ::core::result::Result<Self, D::Error> {
        ::durable::__macro::graph::deserialize(deserializer)
    }
}
impl ::core::fmt::Debug for ReadingInputs {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::durable::__macro::graph::show(self, f)
    }
}
#[input(__consumed)]
const _: () = ();
#[step(__consumed)]
const _: () = ();
