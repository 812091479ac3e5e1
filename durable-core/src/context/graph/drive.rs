//! Runs a graph: carries out what `plan::graph` decides, through the same calls, scopes and waits as flows.

mod ticking;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll};

use chrono::{DateTime, SubsecRound, Utc};
use serde_json::value::RawValue;

use super::door::Door;
use super::messages::{Arrived, Message, Messages};
use super::node_run;
use super::stored;
use crate::context::door::Context;
use crate::context::nodes::node::{Computed, Graph, Node};
use crate::context::nodes::taken::{Slot, Taken};
use crate::context::workflow::Workflow;
use crate::error::{Error, Result};
use crate::payload::{self, Payload};
use crate::plan::graph::changes::InputChanges;
use crate::plan::graph::sets::values_for;
use crate::plan::graph::shape::Shape;
use crate::plan::graph::spec::{Edge, NodeKind, NodeSpec, Policy};
use crate::plan::graph::state::{Change, Standing, State};
use crate::plan::graph::{Action, CHANGES, EndsWhen, INPUTS, next};
use crate::plan::spoil::{Spoil, is_spoiled};
use crate::plan::{divergence, journal_key};
use crate::running::branch::Branch;
use crate::running::hold::Verdict;
use crate::running::run::Run;
use crate::running::scope::Scope;

/// Most entries of a journal. With more, an execution that only waits continues as new, so that a claim reads little.
const LONGEST_JOURNAL: usize = 1000;

/// No branch of a flow that is dropped is kept: no key begins with this.
const NO_BRANCH: &str = "\0";

/// Runs an execution of a graph to its end.
///
/// # Errors
/// The failure of a node that fails the execution.
pub async fn drive<W: Workflow>(workflow: &W, cx: &Context, inputs: W::Input, graph: &'static Graph<W>) -> Result<W::Output> {
    if cx.root.run.only_reads() {
        // A graph replays nothing: it goes on from its values, whatever its journal has.
        cx.root.run.pass_over_all();
        return std::future::pending().await;
    }
    let given = payload::encode("the inputs", &inputs)?;
    drop(inputs);
    let (driver, fact) = Driver::begin(workflow, cx, given, graph).await?;
    let output = driver.run_to_the_end(fact).await?;
    payload::decode(format_args!("the output of workflow `{}`", W::NAME), output.as_str()).map_err(|error| match output.as_str() {
        "null" => Error::permanent(format!(
            "workflow `{}` has ended without a value of its output: the step was skipped, or had not run when the graph was told to \
             end; mark a step that always has a value, such as one that takes this one as an `Option`",
            W::NAME
        )),
        _ => error,
    })
}

/// One execution of a graph.
struct Driver<'run, W: 'static> {
    workflow: &'run W,
    graph: &'static Graph<W>,
    door: Door,
    shape: Shape,
    state: State,
    root: Arc<Scope>,
    run: Arc<Run>,
    /// The runs of nodes under way, by node.
    under_way: BTreeMap<usize, NodeRun<'run>>,
    messages: Messages,
    /// Whether a message has ended the execution.
    is_told_to_end: bool,
    /// How many entries the journal has, about.
    entries: usize,
}

/// The run of a node.
struct NodeRun<'run> {
    cause: u32,
    /// When it began; `None` if its step has ended under an earlier claim.
    began: Option<DateTime<Utc>>,
    scope: Arc<Scope>,
    branch: Branch<'run, Result<Computed>>,
}

/// Something that has happened.
enum Event<'run> {
    Arrived(Arrived),
    Ended { node: usize, run: Box<NodeRun<'run>>, result: Result<Computed> },
}

/// What a fact is journalled under.
struct Fact {
    /// The key of the checkpoint of the step that has ended; `None` for any other fact.
    left: Option<String>,
    /// The key of a checkpoint of its own.
    own: String,
}

impl Fact {
    /// A change of inputs: the first one is the start.
    fn change(number: u32) -> Self {
        Self { left: None, own: journal_key::occurrence(journal_key::SET, INPUTS, number) }
    }

    fn run(spec: &NodeSpec, cause: u32) -> Self {
        let key = |kind: &str| journal_key::occurrence(kind, spec.name, cause);
        // The end of a wait is no checkpoint.
        let left = (spec.kind != NodeKind::Question).then(|| key(journal_key::STEP));
        Self { left, own: key(journal_key::SET) }
    }
}

/// How the execution ends.
enum End {
    Failed { node: usize },
    Finished,
}

impl<'run, W: Workflow> Driver<'run, W> {
    /// Reads the state that an earlier claim has stored, or begins with the inputs of the start.
    async fn begin(workflow: &'run W, cx: &Context, inputs: Payload, graph: &'static Graph<W>) -> Result<(Self, Option<Fact>)> {
        let (root, run) = (cx.root.clone(), cx.root.run.clone());
        let door = Door::of(graph);
        let shape = Shape::of(door.nodes.iter().copied()).map_err(Error::permanent)?;
        let rows = if run.has_history() {
            let busy = run.begin_work();
            let rows = run.read_nodes().await?;
            drop(busy);
            rows
        } else {
            Vec::new()
        };
        let entries = if run.has_history() { run.unasked().len() } else { 0 };
        let has_begun = run.take_recorded(&Fact::change(1).own).is_some() || !rows.is_empty();
        let state = State::restored(&shape, stored::from_rows(&shape, rows, begun(&shape, &run)));
        let messages = Messages::to(&root);
        let under_way = BTreeMap::new();
        let mut driver =
            Self { workflow, graph, door, shape, state, root, run, under_way, messages, is_told_to_end: false, entries };
        let mut fact = None;
        if !has_begun {
            let (given, at) = (driver.given(&inputs)?, driver.now());
            driver.state.begin(&driver.shape, given, at);
            fact = Some(Fact::change(1));
        }
        Ok((driver, fact))
    }

    /// The inputs that the execution was started with; they were judged before it was called.
    fn given(&self, inputs: &Payload) -> Result<Vec<(usize, Change)>> {
        let inputs: BTreeMap<String, Box<RawValue>> = payload::decode("the inputs", inputs.as_str())?;
        let set = |(name, value): (String, Box<RawValue>)| {
            let json = Payload(value.get().into());
            Some((self.shape.find(&name)?, Change::Set { json, metadata: None }))
        };
        Ok(inputs.into_iter().filter_map(set).collect())
    }

    async fn run_to_the_end(mut self, mut fact: Option<Fact>) -> Result<Payload> {
        loop {
            let end = self.follow(fact.take()).await?;
            self.drop_forgotten_waits();
            if let Some(End::Failed { node }) = end {
                return Err(self.failure_of(node));
            }
            // A message that has arrived comes before the end: it was accepted.
            let open = Some(&mut self.messages).filter(|messages| messages.is_open());
            let event = match (end, open.map_or(Poll::Pending, |open| open.poll(task::Waker::noop()))) {
                (_, Poll::Ready(arrived)) => Event::Arrived(arrived),
                (Some(_), Poll::Pending) if self.messages.is_closed() || is_spoiled(Spoil::CompleteUnclosed) => {
                    if self.is_told_to_archive() {
                        archive(self.run.clone()).await?;
                    }
                    return self.output();
                }
                (Some(_), Poll::Pending) => {
                    self.messages.close();
                    self.next_event().await
                }
                (None, Poll::Pending) if self.should_begin_anew() => return self.begin_anew().await,
                (None, Poll::Pending) => self.next_event().await,
            };
            fact = match event {
                Event::Arrived(Arrived::Closed) => None,
                Event::Arrived(Arrived::Message { number, message }) => self.receive(number, *message),
                Event::Ended { node, run, result } => self.note_end(node, *run, result).await,
            };
        }
    }

    /// Carries out what follows from the last fact, and leaves the nodes that are different for the next write.
    async fn follow(&mut self, fact: Option<Fact>) -> Result<Option<End>> {
        let ends_when = if self.graph.open { EndsWhen::Told } else { EndsWhen::Settled };
        let (shape, nodes) = (&self.shape, self.graph.nodes);
        let holds = |state: &State, node: usize| match nodes[node].when {
            Some(when) => when(&taken(state, nodes[node].spec.when)).map_err(|error| (node, error)),
            None => Ok(true),
        };
        let actions = match next(shape, &mut self.state, ends_when, holds) {
            Ok(actions) => actions,
            Err((node, error)) => return stop_unreadable(&self.run, shape.nodes[node].name, &error).await,
        };
        // Before any run is dropped or begins: what led to that is on record before it.
        if let Some(fact) = fact {
            self.store(fact)?;
        }
        let mut end = self.is_told_to_end.then_some(End::Finished);
        for action in actions {
            match action {
                Action::Drop { node } => self.drop_run(node),
                Action::Run { node, cause } if end.is_none() => self.begin_run(node, cause),
                Action::Run { .. } => {}
                Action::Fail { node } => end = Some(End::Failed { node }),
                Action::Finish(why) => {
                    self.is_told_to_end |= why == EndsWhen::Told;
                    end.get_or_insert(End::Finished);
                }
            }
        }
        if end.is_some() {
            std::mem::take(&mut self.under_way).into_values().for_each(|run| run.branch.abandon());
        }
        Ok(end)
    }

    /// Leaves the nodes that are different for the next write.
    fn store(&mut self, fact: Fact) -> Result<()> {
        let rows = self.state.take_unstored().into_iter().filter(|_| fact.left.is_none() || !is_spoiled(Spoil::ForgetNodes));
        let rows = rows.map(|node| stored::to_row(&self.shape, node, self.state.node(node))).collect::<Result<Vec<_>>>()?;
        // A change is recorded even if it changes nothing, so that it is not applied again.
        if !rows.is_empty() || fact.left.is_none() {
            self.entries += usize::from(fact.left.is_none());
            self.run.leave_values(fact.left.as_deref(), || fact.own, rows);
        }
        Ok(())
    }

    fn begin_run(&mut self, node: usize, cause: u32) {
        let Node { spec, run: Some(code), .. } = &self.graph.nodes[node] else { return };
        let (workflow, taken) = (self.workflow, taken(&self.state, spec.takes));
        let scope = self.root.branch("");
        let began = (!self.run.has_recorded(&node_run::call_key(spec, cause))).then(|| self.now());
        let future = match self.state.node(node).timer_for(cause) {
            Some(timer) => ticking::wait(&scope, spec.name, timer),
            None => node_run::run(workflow, *code, spec, cause, &scope, taken),
        };
        let branch = Branch::new(Some(scope.clone()), future);
        self.under_way.insert(node, NodeRun { cause, began, scope, branch });
    }

    fn drop_run(&mut self, node: usize) {
        let Some(run) = self.under_way.remove(&node) else { return };
        let spec = &self.shape.nodes[node];
        let path = journal_key::below(&journal_key::occurrence(journal_key::STEP, spec.name, run.cause));
        let unused = if spec.kind == NodeKind::Flow { self.run.unfinished_below(&path, NO_BRANCH) } else { Vec::new() };
        run.branch.abandon();
        if spec.kind == NodeKind::Flow {
            self.run.pass_over(&path, "", &unused);
            self.run.give_back(&unused);
        }
    }

    /// Drops the recorded waits of runs that no longer count. An earlier worker may have died before it dropped them, and a run that is
    /// dropped before it was polled has not asked for its waits.
    fn drop_forgotten_waits(&self) {
        self.run.drop_known_waits(|key| {
            let (name, occurrence) = journal_key::outermost(key);
            // Only a step finds what it began under a former name. A question that was renamed is asked anew.
            let was_called = |spec: &NodeSpec| matches!(spec.kind, NodeKind::Step | NodeKind::Flow) && spec.was.contains(&&*name);
            let is_called = |spec: &NodeSpec| spec.name == name || was_called(spec);
            let mut under_way = self.under_way.iter();
            name == CHANGES || under_way.any(|(node, run)| run.cause == occurrence && is_called(&self.shape.nodes[*node]))
        });
    }

    /// The next message, or the next run that ends. The wait for the next message is opened when everything before it is committed
    /// and a run goes on: most runs have ended by then, and the database need not know of the wait.
    async fn next_event(&mut self) -> Event<'run> {
        let run = self.run.clone();
        let mut committed = pin!(run.until_sent_is_committed());
        let mut is_open = self.messages.is_open();
        std::future::poll_fn(|cx| {
            let waker = self.root.wakers.own(cx.waker());
            if let Poll::Ready(ended) = self.poll_runs(&waker) {
                return Poll::Ready(ended);
            }
            is_open = is_open || committed.as_mut().poll(&mut task::Context::from_waker(&waker)).is_ready();
            if is_open { self.messages.poll(&waker).map(Event::Arrived) } else { Poll::Pending }
        })
        .await
    }

    fn poll_runs(&mut self, waker: &task::Waker) -> Poll<Event<'run>> {
        let ended = self.under_way.iter_mut().find_map(|(node, run)| match run.branch.poll(waker) {
            Poll::Ready(result) => Some((*node, result)),
            Poll::Pending => None,
        });
        match ended.and_then(|(node, result)| Some((node, self.under_way.remove(&node)?, result))) {
            Some((node, run, result)) => Poll::Ready(Event::Ended { node, run: Box::new(run), result }),
            None => Poll::Pending,
        }
    }

    /// Applies a message or refuses it. Returns the change, unless there is none.
    fn receive(&mut self, number: u32, message: Message) -> Option<Fact> {
        let fact = Fact::change(number + 1);
        // What is recorded was counted when the driver began.
        if self.run.take_recorded(&fact.own).is_some() {
            return None;
        }
        self.entries += 1;
        let changes = payload::decode::<InputChanges>("the message", message.over.payload().as_str());
        let changes = changes.and_then(|changes| Ok((changes.complete, self.door.judge(&changes)?)));
        match changes {
            Err(error) => self.messages.refuse(message, &error.to_string()),
            Ok(_) if self.is_told_to_end => self.messages.refuse(message, "it came too late: the graph was told to end"),
            // It is received again after a crash, so it needs no record.
            Ok((true, _)) => self.is_told_to_end = true,
            Ok((false, changes)) => {
                let at = self.now();
                self.state.apply_change(&self.shape, changes, at);
                return Some(fact);
            }
        }
        None
    }

    async fn note_end(&mut self, node: usize, run: NodeRun<'_>, result: Result<Computed>) -> Option<Fact> {
        self.entries += 1;
        let ended = match result {
            // It could not call its step: the values have other types than the code.
            Err(error) if run.scope.has_given_key() => {
                return stop_unreadable(&self.run, self.shape.nodes[node].name, &error).await;
            }
            result if self.shape.nodes[node].kind == NodeKind::Timer => return self.note_timer(node, &run, result),
            Err(error) => Err(Box::new(error.failure().clone())),
            Ok(computed) => {
                self.entries += computed.entries();
                Ok(computed.into_payload())
            }
        };
        let at = self.now();
        let targets = self.shape.nodes[node].sets;
        let set = ended.as_ref().ok().filter(|_| !targets.is_empty()).map(|result| values_for(targets, result));
        let set = match set.transpose() {
            Ok(set) => set,
            Err(error) => return stop_unreadable(&self.run, self.shape.nodes[node].name, &error).await,
        };
        if self.state.run_ended(&self.shape, (node, run.cause), ended, at)
            && let Some(values) = set
        {
            self.state.set_targets(&self.shape, node, values, at);
        }
        Some(Fact::run(&self.shape.nodes[node], run.cause))
    }

    /// Whether the journal has grown long, and nothing in it is needed any more.
    fn should_begin_anew(&self) -> bool {
        // A timer that waits is stored with its node.
        let is_stored = |(node, run): (&usize, &NodeRun<'_>)| self.state.node(*node).timer_for(run.cause).is_some();
        let is_idle = self.under_way.iter().all(is_stored) && !self.is_told_to_end && !self.messages.is_closed();
        let leaves_nothing = || W::COMPENSATIONS.is_empty() || self.run.undoable().is_empty() && self.run.cut_off().is_empty();
        self.entries > LONGEST_JOURNAL && is_idle && leaves_nothing()
    }

    /// Continues the execution as new: its values stay, and are all that it goes on from.
    async fn begin_anew<T>(&mut self) -> T {
        self.messages.give_up();
        self.under_way.clear();
        if self.run.has_unsent_value() {
            let busy = self.run.begin_work();
            self.run.commit_checkpoints().await;
            drop(busy);
        }
        self.run.pass_over_all();
        self.run.stop(Verdict::Continued(Payload("{}".into()))).await
    }

    /// Whether a node has ended the execution that also archives it.
    fn is_told_to_archive(&self) -> bool {
        let is_told = |node: &usize| self.shape.nodes[*node].archives && self.state.is_current(*node);
        (0..self.shape.nodes.len()).filter(is_told).any(|node| self.state.node(node).value().is_some())
    }

    fn failure_of(&self, node: usize) -> Error {
        let failure = self.state.node(node).failure().cloned();
        failure.map_or_else(|| Error::new("a node failed without an error"), Error::from_failure)
    }

    /// The value of the output node, or an object of the values of all steps that no node takes.
    fn output(&mut self) -> Result<Payload> {
        self.run.pass_over_all();
        if let Some(node) = self.shape.output() {
            let value = self.state.node(node).value().map(|value| value.json.clone());
            return Ok(value.unwrap_or_else(Payload::null));
        }
        let leaves = self.shape.leaves().filter_map(|node| Some((node, self.state.node(node).value()?)));
        let leaves = leaves.map(|(node, value)| Ok((self.shape.nodes[node].name, value.json.to_raw()?)));
        payload::encode("the output", &leaves.collect::<Result<BTreeMap<_, _>>>()?)
    }

    /// The time, as exactly as it is stored.
    fn now(&self) -> DateTime<Utc> {
        self.run.now().trunc_subsecs(6)
    }
}

/// The runs that the journal knows: for each its node and its cause.
fn begun(shape: &Shape, run: &Run) -> Vec<(usize, u32)> {
    let keys = run.unasked().into_iter().chain(run.cut_off());
    keys.filter_map(|key| journal_key::run_of_node(&key).and_then(|(name, cause)| Some((shape.find(&name)?, cause)))).collect()
}

/// Archives the execution. That is repeated if a crash comes before its end.
async fn archive(run: Arc<Run>) -> Result<()> {
    let busy = run.begin_work();
    let archived = run.archive().await;
    drop(busy);
    archived
}

/// Stops the execution, because a node or its condition cannot read what it takes.
fn stop_unreadable<T>(run: &Arc<Run>, node: &str, error: &Error) -> impl Future<Output = T> + use<T> {
    let (run, report) = (run.clone(), divergence::unreadable_node(node, &error.to_string()));
    async move { run.stop(Verdict::Diverged(report)).await }
}

/// What a node or a condition is called with.
fn taken(state: &State, edges: &[Edge]) -> Taken {
    let slot = |edge: &Edge| {
        let node = state.node(edge.node);
        match (&node.standing, node.failure()) {
            (_, Some(failure)) if edge.policy == Policy::SeesFailure => Slot::Failed(Box::new(failure.clone())),
            (Standing::Ready { value, stale }, _) => Slot::Ready {
                value: value.json.clone(),
                revision: node.value_at,
                set_at: value.set_at,
                metadata: value.metadata.clone(),
                stale: stale.is_some(),
            },
            (Standing::Skipped | Standing::Failed(_), _) => Slot::Skipped,
            (Standing::Unset, _) => Slot::Nothing,
        }
    };
    Taken::new(edges.iter().map(slot).collect())
}
