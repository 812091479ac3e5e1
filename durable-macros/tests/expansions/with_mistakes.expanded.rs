::core::compile_error! {
    "unknown option `nmae`: a workflow takes name, version, queue, timeout, time_to_live, retention, concurrency_key, limit, tags, schedule, timezone, missed, overlap, jitter, max_failures, open, crate; did you mean `name`?"
}
::core::compile_error! {
    "`version` takes a whole number from 1 to 2147483647"
}
::core::compile_error! {
    "`30` has no unit: write `\"30s\"` for seconds, or another of ms, s, m, h, d, w"
}
::core::compile_error! {
    "a step must be async: write `async fn charge`"
}
::core::compile_error! {
    "a step borrows the workflow: one workflow serves every execution, so write `&self`"
}
::core::compile_error! {
    "a step cannot change its arguments, because a replay does not run it: take a value and return the changed one"
}
::core::compile_error! {
    "`run` is replayed after a crash, and a nap is not remembered: write `cx.sleep(…).await?`"
}
impl Mistaken {
    async fn run(&self, cx: &Context, order: Order) -> Result<Receipt> {
        std::thread::sleep(day);
        self.charge(order)
    }
    fn charge(&mut self, order: &mut Order) -> Result<Receipt> {
        Ok(Receipt)
    }
}
impl ::durable::__macro::Workflow for Mistaken {
    type Input = Order;
    type Output = <Result<Receipt> as ::durable::__macro::RunResult>::Output;
    const NAME: &'static str = "mistaken";
    const VERSION: u32 = 1u32;
    const QUEUE: &'static str = "default";
    const TIMEOUT: ::core::option::Option<::core::time::Duration> = ::core::option::Option::None;
    const STEPS: &'static [::durable::__macro::StepSpec] = &[];
    const COMPENSATIONS: &'static [::durable::__macro::Compensation<Self>] = &[];
    fn execute<'run>(
        &'run self,
        _: &'run ::durable::__macro::Context,
        _: Self::Input,
    ) -> ::durable::__macro::BoxFuture<'run, ::durable::__macro::Result<Self::Output>> {
        ::core::unreachable!()
    }
}
#[step(__consumed)]
const _: () = ();
