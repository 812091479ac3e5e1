impl Pipeline {
    #[doc(hidden)]
    const __STEP_FETCH: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "pipeline",
        name: "fetch",
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
    fn __step_key_of_fetch() -> ::durable::__macro::StepKey<
        Self,
        dyn ::core::ops::Fn(
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<Page>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("pipeline", "fetch")
    }
    fn fetch<'step, 'l0>(&'l0 self) -> ::durable::__macro::Step<'step, Result<Page>>
    where
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|_| {});
        ::durable::__macro::step_retried::<
            Result<Page>,
            _,
        >(
            &Self::__STEP_FETCH,
            digest,
            move || {
                match ::durable::__macro::stand_in(&Self::__step_key_of_fetch()) {
                    ::core::option::Option::Some(stand_in) => stand_in(),
                    ::core::option::Option::None => {
                        ::std::boxed::Box::pin(self.__step_fetch())
                    }
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_fetch(&self) -> Result<Page> {
        Ok(Page)
    }
    #[doc(hidden)]
    const __STEP_COUNT: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "pipeline",
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
        dyn ::core::ops::Fn(
            Page,
        ) -> ::durable::__macro::BoxFuture<
                'static,
                Result<u32>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("pipeline", "count")
    }
    fn count<'step, 'l0>(
        &'l0 self,
        fetch: Page,
    ) -> ::durable::__macro::Step<'step, Result<u32>>
    where
        'l0: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&fetch)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<u32>,
            _,
        >(
            &Self::__STEP_COUNT,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_count()) {
                ::core::option::Option::Some(stand_in) => stand_in(fetch),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_count(fetch))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_count(&self, fetch: Page) -> Result<u32> {
        Ok(1)
    }
    #[doc(hidden)]
    fn __node_fetch<'run>(
        &'run self,
        _: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            ::durable::__macro::graph::computed::<Result<Page>>(Self::fetch(self).await)
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
            let value_0 = taken
                .needed::<
                    <Result<Page> as ::durable::__macro::StepResult>::Output,
                >(0, "fetch")?;
            let argument_0: Page = value_0;
            ::durable::__macro::graph::computed::<
                Result<u32>,
            >(Self::count(self, argument_0).await)
        })
    }
    #[doc(hidden)]
    const __GRAPH: &'static ::durable::__macro::graph::Graph<Self> = &::durable::__macro::graph::Graph {
        nodes: &[
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "fetch",
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_fetch),
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
        ],
        open: false,
    };
}
impl ::durable::__macro::Workflow for Pipeline {
    type Input = PipelineInputs;
    type Output = ::durable::__macro::Json;
    const NAME: &'static str = "pipeline";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[
        Self::__STEP_FETCH,
        Self::__STEP_COUNT,
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
///What `pipeline` is started with. An input that is `None` can be set later.
#[derive(::core::default::Default)]
#[allow(private_interfaces, unreachable_pub)]
pub struct PipelineInputs {}
impl ::durable::__macro::graph::Inputs for PipelineInputs {
    const NAME: &'static str = "PipelineInputs";
    fn write<M: ::durable::__macro::graph::serde::ser::SerializeMap>(
        &self,
        _: &mut M,
    ) -> ::core::result::Result<(), M::Error> {
        ::core::result::Result::Ok(())
    }
    fn read(
        _: &mut ::durable::__macro::graph::GivenInputs,
    ) -> ::durable::__macro::Result<Self> {
        ::core::result::Result::Ok(Self {})
    }
}
impl ::durable::__macro::graph::serde::Serialize for PipelineInputs {
    fn serialize<S: ::durable::__macro::graph::serde::Serializer>(
        &self,
        serializer: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        ::durable::__macro::graph::serialize(self, serializer)
    }
}
impl<'de> ::durable::__macro::graph::serde::Deserialize<'de> for PipelineInputs {
    fn deserialize<D: ::durable::__macro::graph::serde::Deserializer<'de>>(
        deserializer: D,
    ) -> ::core::result::Result<Self, D::Error> {
        ::durable::__macro::graph::deserialize(deserializer)
    }
}
impl ::core::fmt::Debug for PipelineInputs {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::durable::__macro::graph::show(self, f)
    }
}
#[step(__consumed)]
const _: () = ();
