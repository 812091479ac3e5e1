//! The attribute macros of durable: they turn an impl block of async steps into a workflow.
//!
//! Expansions name items of `::durable::__macro` and nothing else, so this crate depends on none of ours but the grammar of
//! schedules.

mod check;
mod duration;
mod errors;
mod expand;
mod fallback;
#[cfg(test)]
mod golden;
mod graph;
mod lifetimes;
mod lint;
mod marker;
mod model;
mod nodes;
mod options;
mod parse;
mod read;
mod schedule;
mod show;
mod step_key;
mod test;

use errors::Errors;
use proc_macro2::TokenStream;

/// Makes a workflow of an impl block with methods marked `#[step]`.
///
/// A block with an `async fn run` is a flow: its code says what happens. A block without `run` is a graph: the steps take inputs
/// and each other's values as parameters, and the engine runs each step when what it takes is there, and again when it changes.
///
/// Options, all of them optional:
///
/// | Option | Meaning | Default |
/// |---|---|---|
/// | `name = "process_order"` | what executions, clients and other languages call it | the type's name in snake case |
/// | `version = 2` | which version of the code an execution was started with | 1 |
/// | `queue = "orders"` | where its executions wait for a worker | `"default"` |
/// | `timeout = "2h"` | the longest an execution may take | none |
/// | `time_to_live = "1h"` | how long an execution may wait to begin; one that no worker has claimed by then expires | none |
/// | `retention = "30d"` | how long an execution is kept after its end; then it is deleted with its journal | what the engine's builder says, or for ever |
/// | `concurrency_key = \|order: &Order\| order.customer.to_string()` | which executions are counted together, by their input; a text, a number or anything else with `Display` | none |
/// | `limit = 1` | how many with the same key may run at once, over all workers and queues; one that waits does not run | none |
/// | `tags(tenant = \|order: &Order\| order.tenant.clone(), team = "sales")` | tags by which people find its executions: a text, or made from the input as the key above, wherever Rust code that has the type starts it | none |
/// | `schedule = "0 9 * * MON-FRI"` | when it starts by itself: a cron expression of five fields, or six with seconds in front, a name such as `@daily`, or `every 15m` | never |
/// | `timezone = "Europe/Berlin"` | the time zone of the schedule | `"UTC"` |
/// | `missed = one` | what becomes of due times at which no worker was there: `skip`, `one`, `all` or `window("2h")` | `one` |
/// | `overlap = allow` | what becomes of due times while an earlier execution goes on: `allow`, `skip`, `queue` or `cancel` | `allow` |
/// | `jitter = "30s"` | puts each scheduled start off by up to this long, by chance | none |
/// | `max_failures = 5` | after how many failures in a row the schedule is disabled | never |
/// | `open` | a graph stays open for changed inputs when everything is settled | it completes |
/// | `crate = path` | where the `durable` crate is found | `::durable` |
///
/// A schedule has the workflow's name, and its executions get the `Default` of the input.
///
/// `run` takes `&self`, `cx: &Context` and at most one input, and returns a `Result`. Methods without a marker are left as they
/// are.
///
/// # Graphs
///
/// ```text
/// #[workflow]
/// impl Loan {
///     #[input] fn applicant(&self) -> Applicant;
///     #[step] async fn score(&self, applicant: &Applicant) -> Result<u32> { … }
///     #[step(when = |score: &u32| *score >= 700)] async fn offer(&self, score: &u32) -> Result<Offer> { … }
///     #[output] #[step] async fn letter(&self, offer: Option<&Offer>) -> Result<Letter> { … }
/// }
/// ```
///
/// The name of a parameter is the name of the input or step that it takes, and its type says for what the step waits:
///
/// | Parameter | The step runs when the other node |
/// |---|---|
/// | `T`, `&T`, `Given<T>`, `Given<&T>` | has a value; if it is skipped, this step is skipped, too |
/// | `Option<T>`, `Option<&T>` | has a value or is skipped |
/// | `Settled<T>`, `Settled<&T>` | has a value, is skipped or has failed |
/// | `Latest<T>`, `Latest<&T>` | whatever it is; the step runs with the value that is there, and again when it changes |
///
/// `&str` takes a `String`, and `&[T]` a `Vec<T>`. `Option`, `Settled`, `Latest` and `Given` are found by their names, so an alias
/// of one is taken for a type of yours.
///
/// The macro makes a type of the inputs, `LoanInputs` for `Loan`: a public struct whose fields are the inputs, each an `Option`.
/// It implements `Default`, `Serialize` and `Deserialize`, and executions are started with it.
///
/// Set `DURABLE_MACRO_DEBUG=TypeName` while building to see the expansion for that type on standard error.
#[proc_macro_attribute]
pub fn workflow(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    expand_workflow(options.into(), item.into()).into()
}

/// Marks an async method of a `#[workflow]` block as a step: it runs at least once, and its outcome is kept.
///
/// Options, all of them optional:
///
/// | Option | Meaning | Default |
/// |---|---|---|
/// | `name = "charge"` | its name in the journal | the method's name |
/// | `was = "old_name"` or `was("a", "b")` | names it had before, so that executions under way still find their checkpoints | none |
/// | `queue = "gpu"` | the queue whose workers run it; its arguments travel there as JSON | the worker that runs the workflow |
/// | `retry(…)` | try again after a failure | one attempt |
/// | `timeout = "30s"` | the longest an attempt may take | none |
/// | `compensate = refund` | the method marked [`#[compensation]`](macro@compensation) that undoes it | none |
/// | `transaction` | it takes `tx: &mut Transaction` behind `&self`: what it writes with `tx` and its outcome are committed together, exactly once | no transaction |
/// | `undo_on_failure` | it is undone also when it fails or is cut off, because it may have done something all the same | only when it succeeded |
/// | `when = \|score: &u32\| *score >= 700` | in a graph: it is skipped unless this is true; the parameters are nodes, by the same rules as those of the step | it always runs |
/// | `each(item in list)` | in a graph: it runs for each item of the list that the node `list` has; the parameter `item` takes one item, and the value is the list of results | it runs once |
/// | `concurrency = 8` | with `each`: for how many items it runs at once | 16 |
/// | `delay = "10s"` | in a graph: how long after what it takes is there it starts | at once |
/// | `on_failure = skip` | in a graph: `skip` makes its failure count as skipped, `fail` fails the execution | `fail` |
/// | `ends` | in a graph: the execution is over after it | it goes on |
/// | `archive` | in a graph: as `ends`, and the execution is archived: lists leave it out | it goes on |
/// | `history = 100` | in a graph: how many of its newest values `durable.history` has, 1 to 10 000 | none |
/// | `sets(first, silently(ssn))` | in a graph: its result becomes the value of an input, or the items of a tuple those of several; `silently` runs nothing because of that | it sets none |
///
/// `retry(…)` takes `max_attempts` (3), `backoff` (`exponential`, `linear` or `constant`; exponential), `base` (`"1s"`),
/// `max` (`"1h"`) and `jitter` (the part of each delay left to chance, from 0 to 1; 0.25).
///
/// In a graph, a step may take `cx: &Context` behind `&self`. Then it is a flow: it may sleep, wait for events and answers, run branches
/// and maps, start children, and call other steps of the block with `self.name(…)`; a step that is called so, and that no node takes,
/// is not a node, and its parameters are arguments. Its code is replayed like `run`. It has no `timeout` and no `queue`.
///
/// Durations are whole numbers with a unit (ms, s, m, h, d, w), largest first: `"30s"`, `"1h30m"`.
#[proc_macro_attribute]
pub fn step(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    marker::expand("step", &options.into(), item.into()).into()
}

/// Declares an input of a graph, a `#[workflow]` block without `run`: a value that clients give at the start or later, and may
/// change.
///
/// ```text
/// #[input] fn applicant(&self) -> Applicant;
/// #[input(optional)] fn guarantor(&self) -> Person;
/// ```
///
/// It has no body, and its type can be serialised and deserialised. If the type implements `schemars::JsonSchema`, values are
/// checked against its schema.
///
/// Options, all of them optional:
///
/// | Option | Meaning | Default |
/// |---|---|---|
/// | `optional` | the graph does not wait for it: a step that takes it as an `Option` gets `None` until it is set | it is required |
/// | `history = 100` | how many of its newest values `durable.history` has, 1 to 10 000 | none |
/// | `name = "applicant"` | what clients call it | the method's name |
/// | `was = "old_name"` or `was("a", "b")` | names it had before, so that executions under way keep its value | none |
#[proc_macro_attribute]
pub fn input(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    marker::expand("input", &options.into(), item.into()).into()
}

/// Marks the step whose value is the output of a graph, beside `#[step]`. Without it the output is an object with the values of
/// all steps that no other step takes.
#[proc_macro_attribute]
pub fn output(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    marker::expand("output", &options.into(), item.into()).into()
}

/// Declares a question of a graph, a `#[workflow]` block without `run`: a node that asks a person and has the answer as its value.
///
/// ```text
/// #[question(prompt = "Grant it below 700?", timeout = "3d")] fn exception(&self, score: &u32) -> Approval;
/// ```
///
/// It has no body. Its parameters are nodes, as those of a step: the question is asked when they have values, their values are shown
/// with it as its metadata, and if they change it is withdrawn and asked anew. Answers are given with `durable.provide_input`, under
/// the name of the question, and are checked against the JSON Schema of the type.
///
/// Options, all of them optional:
///
/// | Option | Meaning | Default |
/// |---|---|---|
/// | `prompt = "Grant it?"` | what the person who is asked is shown | the name alone |
/// | `timeout = "3d"` | how long it waits for an answer; then it fails | it waits for ever |
/// | `assignee = "finance"` | the person or group who is to answer | nobody in particular |
/// | `name = "exception"` | what clients call it | the method's name |
/// | `was = "old_name"` or `was("a", "b")` | names it had before: its value stays, and an open question is asked anew | none |
/// | `when`, `on_failure`, `ends` | as for a [`#[step]`](macro@step) of a graph | |
#[proc_macro_attribute]
pub fn question(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    marker::expand("question", &options.into(), item.into()).into()
}

/// Marks an async method of a graph, a `#[workflow]` block without `run`, as a timer: it computes when the timer fires, and then the
/// timer waits, however long that is.
///
/// ```text
/// #[timer] async fn reminder(&self, offer: &Offer) -> Result<Due> { Ok(Due::at(offer.expires_at - days(1))) }
/// #[step] async fn remind(&self, offer: &Offer, reminder: &DateTime<Utc>) -> Result<Mail> { … }
/// ```
///
/// The method is a step: its parameters are nodes, and it is journalled and retried. It returns a `Result<Due>`: `Due::at(time)`,
/// `Due::after(duration)`, `Due::every(period)` or `Due::never()`. The value of the timer is the time for which it has fired, a
/// `chrono::DateTime<chrono::Utc>`. With `every`, each tick is a new value, and what takes the timer runs again. A timer that never
/// fires is skipped. If what the timer takes changes, it is computed anew.
///
/// Options, all of them optional: `name`, `was`, `queue`, `retry`, `timeout`, `when`, `on_failure` and `ends`, as for a
/// [`#[step]`](macro@step) of a graph. `timeout` is that of the step; it does not limit how long the timer waits.
#[proc_macro_attribute]
pub fn timer(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    marker::expand("timer", &options.into(), item.into()).into()
}

/// Marks an async method of a `#[workflow]` block as a compensation: it undoes steps that name it, when an execution is rolled
/// back.
///
/// It takes `&self`, then `cx: &Context` if it wants to wait, sleep or call steps itself, then the output of the step, by value
/// or by `&`, or nothing. With `undo_on_failure` on the step it takes an `Option` of the output. It returns a `Result`. Several
/// steps with the same output may name one compensation.
///
/// ```text
/// #[step(retry(max_attempts = 3), compensate = refund)]
/// async fn charge(&self, order: &Order) -> Result<Payment> { … }
///
/// #[compensation(retry(max_attempts = 5), timeout = "30s")]
/// async fn refund(&self, payment: Payment) -> Result<()> { … }
/// ```
///
/// Options, all of them optional:
///
/// | Option | Meaning | Default |
/// |---|---|---|
/// | `name = "refund"` | what people see it called | the method's name |
/// | `retry(…)` | try again after a failure, as for a step | one attempt |
/// | `timeout = "30s"` | the longest an attempt may take | none |
#[proc_macro_attribute]
pub fn compensation(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    marker::expand("compensation", &options.into(), item.into()).into()
}

/// The key of a step or a compensation, for `durable-test`: `step!(ProcessOrder::charge)`. A name that is no step is a compile
/// error.
#[proc_macro]
pub fn step_key(path: proc_macro::TokenStream) -> proc_macro::TokenStream {
    step_key::key(path.into()).into()
}

/// Replaces the body of a step or a compensation, for `durable-test`: `replace!(ProcessOrder::charge, |order| async move { … })`.
#[proc_macro]
pub fn replace_step(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    step_key::replacement(input.into()).into()
}

/// Makes a test of an async function that takes a `Test`, for `durable-test`.
#[proc_macro_attribute]
pub fn test(options: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    test::expand(options.into(), item.into()).into()
}

fn expand_workflow(options: TokenStream, item: TokenStream) -> TokenStream {
    let block = match parse::block(item.clone()) {
        Ok(block) => block,
        Err(refusal) => return fallback::leave_alone(item, &refusal),
    };
    let mut errors = Errors::default();
    let workflow = read::workflow(options, block, &mut errors);
    check::all(&workflow, &mut errors);
    lint::replay(&workflow, &mut errors);
    let expansion = match (workflow.form(), errors.into_tokens()) {
        (Some(form), None) => expand::workflow(&workflow, &form),
        (_, errors) => fallback::workflow(&workflow, errors),
    };
    show::if_asked(&workflow, &expansion);
    expansion
}
