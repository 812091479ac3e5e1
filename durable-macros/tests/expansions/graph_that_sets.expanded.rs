impl File {
    #[doc(hidden)]
    const __STEP_SPLIT: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "file",
        name: "split",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_split() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step str,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<(String, String)>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("file", "split")
    }
    fn split<'step, 'l0, 'l1>(
        &'l0 self,
        name: &'l1 str,
    ) -> ::durable::__macro::Step<'step, Result<(String, String)>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&name)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<(String, String)>,
            _,
        >(
            &Self::__STEP_SPLIT,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_split()) {
                ::core::option::Option::Some(stand_in) => stand_in(name),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_split(name))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_split(&self, name: &str) -> Result<(String, String)> {
        Ok((name.to_owned(), "?".to_owned()))
    }
    #[doc(hidden)]
    const __STEP_FORGET: ::durable::__macro::StepSpec = ::durable::__macro::StepSpec {
        workflow: "file",
        name: "forget",
        is_compensation: false,
        was: &[],
        retry: ::core::option::Option::None,
        timeout: ::core::option::Option::None,
        compensation: ::core::option::Option::None,
        undo_on_failure: false,
    };
    #[doc(hidden)]
    fn __step_key_of_forget() -> ::durable::__macro::StepKey<
        Self,
        dyn for<'step> ::core::ops::Fn(
            &'step str,
        ) -> ::durable::__macro::BoxFuture<
                'step,
                Result<bool>,
            > + ::core::marker::Send + ::core::marker::Sync,
    > {
        ::durable::__macro::StepKey::step("file", "forget")
    }
    fn forget<'step, 'l0, 'l1>(
        &'l0 self,
        first: &'l1 str,
    ) -> ::durable::__macro::Step<'step, Result<bool>>
    where
        'l0: 'step,
        'l1: 'step,
    {
        let digest = ::durable::__macro::digest(|digest| {
            use ::durable::__macro::{DigestOpaque as _, DigestSerialized as _};
            (&::durable::__macro::Argument(&first)).add_to(digest);
        });
        ::durable::__macro::step_once::<
            Result<bool>,
            _,
        >(
            &Self::__STEP_FORGET,
            digest,
            move || match ::durable::__macro::stand_in(&Self::__step_key_of_forget()) {
                ::core::option::Option::Some(stand_in) => stand_in(first),
                ::core::option::Option::None => {
                    ::std::boxed::Box::pin(self.__step_forget(first))
                }
            },
        )
    }
    #[doc(hidden)]
    async fn __step_forget(&self, first: &str) -> Result<bool> {
        Ok(first.is_empty())
    }
    #[doc(hidden)]
    fn __node_split<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let _: fn(
                <Result<(String, String)> as ::durable::__macro::StepResult>::Output,
            ) -> (String, String) = |value| value;
            let value_0 = taken.needed::<String>(0, "name")?;
            let argument_0: &str = &value_0;
            ::durable::__macro::graph::computed::<
                Result<(String, String)>,
            >(Self::split(self, argument_0).await)
        })
    }
    #[doc(hidden)]
    fn __node_forget<'run>(
        &'run self,
        taken: &'run ::durable::__macro::graph::Taken,
    ) -> ::durable::__macro::BoxFuture<
        'run,
        ::durable::__macro::Result<::durable::__macro::graph::Computed>,
    > {
        ::std::boxed::Box::pin(async move {
            let value_0 = taken.needed::<String>(0, "first")?;
            let argument_0: &str = &value_0;
            ::durable::__macro::graph::computed::<
                Result<bool>,
            >(Self::forget(self, argument_0).await)
        })
    }
    #[doc(hidden)]
    const __GRAPH: &'static ::durable::__macro::graph::Graph<Self> = &::durable::__macro::graph::Graph {
        nodes: &[
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "name",
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
                    name: "first",
                    kind: ::durable::__macro::graph::NodeKind::Input {
                        optional: false,
                    },
                    history: 100,
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
                    name: "ssn",
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
                    name: "split",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 0,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    sets: &[
                        ::durable::__macro::graph::Target {
                            node: 1,
                            silently: false,
                        },
                        ::durable::__macro::graph::Target {
                            node: 2,
                            silently: true,
                        },
                    ],
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_split),
                ..::durable::__macro::graph::Node::PLAIN
            },
            ::durable::__macro::graph::Node {
                spec: ::durable::__macro::graph::NodeSpec {
                    name: "forget",
                    takes: &[
                        ::durable::__macro::graph::Edge {
                            node: 1,
                            policy: ::durable::__macro::graph::Policy::Needs,
                        },
                    ],
                    ends: true,
                    archives: true,
                    history: 2,
                    ..::durable::__macro::graph::NodeSpec::PLAIN
                },
                run: ::core::option::Option::Some(Self::__node_forget),
                ..::durable::__macro::graph::Node::PLAIN
            },
        ],
        open: true,
    };
}
impl ::durable::__macro::Workflow for File {
    type Input = FileInputs;
    type Output = ::durable::__macro::Json;
    const NAME: &'static str = "file";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[
        Self::__STEP_SPLIT,
        Self::__STEP_FORGET,
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
///What `file` is started with. An input that is `None` can be set later.
#[derive(::core::default::Default)]
#[allow(private_interfaces, unreachable_pub)]
pub struct FileInputs {
    ///The input `name`.
    pub name: ::core::option::Option<String>,
    ///The input `first`.
    pub first: ::core::option::Option<String>,
    ///The input `ssn`.
    pub ssn: ::core::option::Option<String>,
}
impl ::durable::__macro::graph::Inputs for FileInputs {
    const NAME: &'static str = "FileInputs";
    fn write<M: ::durable::__macro::graph::serde::ser::SerializeMap>(
        &self,
        inputs: &mut M,
    ) -> ::core::result::Result<(), M::Error> {
        ::durable::__macro::graph::add::<_, String>(inputs, "name", self.name.as_ref())?;
        ::durable::__macro::graph::add::<
            _,
            String,
        >(inputs, "first", self.first.as_ref())?;
        ::durable::__macro::graph::add::<_, String>(inputs, "ssn", self.ssn.as_ref())?;
        ::core::result::Result::Ok(())
    }
    fn read(
        inputs: &mut ::durable::__macro::graph::GivenInputs,
    ) -> ::durable::__macro::Result<Self> {
        ::core::result::Result::Ok(Self {
            name: inputs.take::<String>("name", &[])?,
            first: inputs.take::<String>("first", &[])?,
            ssn: inputs.take::<String>("ssn", &[])?,
        })
    }
}
impl ::durable::__macro::graph::serde::Serialize for FileInputs {
    fn serialize<S: ::durable::__macro::graph::serde::Serializer>(
        &self,
        serializer: S,
    ) -> ::core::result::Result<S::Ok, S::Error> {
        ::durable::__macro::graph::serialize(self, serializer)
    }
}
impl<'de> ::durable::__macro::graph::serde::Deserialize<'de> for FileInputs {
    fn deserialize<D: ::durable::__macro::graph::serde::Deserializer<'de>>(
        deserializer: D,
    ) -> ::core::result::Result<Self, D::Error> {
        ::durable::__macro::graph::deserialize(deserializer)
    }
}
impl ::core::fmt::Debug for FileInputs {
    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
        ::durable::__macro::graph::show(self, f)
    }
}
#[input(__consumed)]
const _: () = ();
#[step(__consumed)]
const _: () = ();
