impl Nothing {
    async fn run(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}
impl ::durable::__macro::Workflow for Nothing {
    type Input = ();
    type Output = <Result<()> as ::durable::__macro::RunResult>::Output;
    const NAME: &'static str = "nothing";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[];
    const COMPENSATIONS: &'static [::durable::__macro::Compensation<Self>] = &[];
    const FLOW: ::durable::__macro::Flow = ::durable::__macro::Flow {
        nodes: &[["start", "start", "", ""], ["end", "end", "", ""]],
        edges: &[(0, 1, "")],
    };
    fn execute<'run>(
        &'run self,
        cx: &'run ::durable::__macro::Context,
        _: Self::Input,
    ) -> ::durable::__macro::BoxFuture<'run, ::durable::__macro::Result<Self::Output>> {
        ::std::boxed::Box::pin(async move {
            <Result<
                (),
            > as ::durable::__macro::RunResult>::into_result(Self::run(self, cx).await)
        })
    }
}
