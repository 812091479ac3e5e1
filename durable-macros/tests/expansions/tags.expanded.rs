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
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[];
    const COMPENSATIONS: &'static [::durable::__macro::Compensation<Self>] = &[];
    const FLOW: ::durable::__macro::Flow = ::durable::__macro::Flow {
        nodes: &[["start", "start", "", ""], ["end", "end", "", ""]],
        edges: &[(0, 1, "")],
    };
    fn tags(
        input: &Self::Input,
    ) -> ::std::vec::Vec<(&'static str, ::std::string::String)> {
        ::std::vec![
            ("tenant", ::durable::__macro::tag(input, | order : & Order | order.tenant
            .clone())), ("type", ::std::string::String::from("sale"))
        ]
    }
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
