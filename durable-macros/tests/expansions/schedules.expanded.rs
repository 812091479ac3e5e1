impl Report {
    async fn run(&self, cx: &Context, team: Option<String>) -> Result<()> {
        Ok(())
    }
}
impl ::durable::__macro::Workflow for Report {
    type Input = Option<String>;
    type Output = <Result<()> as ::durable::__macro::RunResult>::Output;
    const NAME: &'static str = "report";
    const VERSION: u32 = 1;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const SCHEDULE: ::core::option::Option<
        ::durable::__macro::ScheduleSpec<Self::Input>,
    > = ::core::option::Option::Some(::durable::__macro::ScheduleSpec {
        rule: "0 9 * * MON-FRI",
        timezone: "Europe/Berlin",
        jitter: ::core::time::Duration::from_secs(30),
        missed: ::durable::__macro::Missed::Window(
            ::core::time::Duration::from_secs(7200),
        ),
        overlap: ::durable::__macro::Overlap::Skip,
        max_failures: ::core::option::Option::Some(5),
        input: <Option<String> as ::durable::__macro::ScheduledInput>::scheduled,
    });
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
                (),
            > as ::durable::__macro::RunResult>::into_result(
                Self::run(self, cx, input).await,
            )
        })
    }
}
