impl ProcessOrder {
    async fn run(&self, cx: &Context, order: Order) -> Result<Receipt> {
        Ok(Receipt)
    }
}
impl ::durable::__macro::Workflow for ProcessOrder {
    type Input = Order;
    type Output = <Result<Receipt> as ::durable::__macro::RunResult>::Output;
    const NAME: &'static str = "process_order";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
        ::core::time::Duration::from_secs(7200),
    );
    const TIME_TO_LIVE: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
        ::core::time::Duration::from_secs(5400),
    );
    const RETENTION: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(
        ::core::time::Duration::from_secs(2592000),
    );
    const STEPS: &'static [::durable::__macro::StepSpec] = &[];
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
                Receipt,
            > as ::durable::__macro::RunResult>::into_result(
                Self::run(self, cx, input).await,
            )
        })
    }
}
