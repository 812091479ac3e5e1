//! From the name and version of a workflow to the code that runs it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock;
use crate::context::graph::door::{self, Door};
use crate::context::rollback;
use crate::context::routed;
use crate::context::schedule::ScheduleSpec;
use crate::context::undo::Compensation;
use crate::context::{Context, Workflow, tags_of};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Graph, Undoable, checked_concurrency_key, checked_tags};
use crate::payload::{self, Payload};
use crate::plan::divergence::KnownStep;
use crate::plan::rollback::KnownCompensation;
use crate::running::scope::Scope;
use crate::running::stretch::Body;
use crate::store::executions::KnownWorkflows;
use crate::store::schedules::ScheduleDefinition;

/// The workflows that a process can run.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    workflows: HashMap<(&'static str, u32), Arc<Registered>>,
}

/// One workflow, its type forgotten.
pub(crate) struct Registered {
    pub(crate) steps: Vec<KnownStep>,
    pub(crate) compensations: Vec<KnownCompensation>,
    pub(crate) timeout: Option<Duration>,
    /// What may be changed of it from outside, if it is a graph.
    pub(crate) door: Option<Arc<Door>>,
    /// How many executions with the same concurrency key may run at once.
    limit: Option<u32>,
    /// How long its executions are kept after their end.
    retention: Option<Duration>,
    schedule: Option<ScheduleDefinition>,
    /// Makes the graph of the workflow; `None` for what runs single steps.
    graph: Option<fn() -> Graph>,
    start: Box<dyn Fn(Context, Payload) -> Body + Send + Sync>,
    roll_back: Box<dyn Fn(Arc<Scope>, Vec<Undoable>) -> Body + Send + Sync>,
}

impl Registry {
    pub(crate) fn register<W: Workflow>(&mut self, workflow: Arc<W>) -> Result<()> {
        let schedule = W::SCHEDULE.map(|schedule| declared::<W>(&schedule)).transpose()?;
        // A longer timeout never strikes.
        let timeout = W::TIMEOUT.filter(|timeout| *timeout <= clock::LONGEST);
        let door = W::GRAPH.map(|graph| Arc::new(Door::of(graph)));
        let start = {
            let (workflow, door) = (workflow.clone(), door.clone());
            move |cx, input| -> Body { Box::pin(run(workflow.clone(), door.clone(), cx, input)) }
        };
        let registered = Registered::new(workflow.clone(), start);
        let declared = Registered { timeout, limit: W::LIMIT, schedule, door, graph: Some(W::graph), ..registered };
        self.insert(W::NAME, W::VERSION, declared)?;
        for route in W::ROUTES {
            for name in std::iter::once(&route.workflow).chain(route.was) {
                let step_of = workflow.clone();
                let start = move |cx, input| -> Body { Box::pin(routed::run(step_of.clone(), route, cx, input)) };
                self.insert(name, W::VERSION, Registered::new(workflow.clone(), start))?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, name: &'static str, version: u32, registered: Registered) -> Result<()> {
        match self.workflows.insert((name, version), Arc::new(registered)) {
            None => Ok(()),
            Some(_) => Err(Error::of_kind(
                ErrorKind::Invalid,
                format!("workflow `{name}` version {version} is registered twice; give one of them another name or version"),
            )),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.workflows.is_empty()
    }

    pub(crate) fn find(&self, name: &str, version: u32) -> Option<&Arc<Registered>> {
        self.workflows.iter().find(|((known, at), _)| *known == name && *at == version).map(|(_, registered)| registered)
    }

    /// Whether any workflow is a graph.
    pub(crate) fn has_graphs(&self) -> bool {
        self.workflows.values().any(|registered| registered.door.is_some())
    }

    /// Name and version of every workflow.
    pub(crate) fn workflows(&self) -> impl Iterator<Item = (&'static str, u32)> {
        self.workflows.keys().copied()
    }

    /// Name and version of every workflow, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.workflows.keys().map(|(name, version)| format!("{name} version {version}")).collect();
        names.sort_unstable();
        names
    }

    /// The graphs of the workflows.
    pub(crate) fn graphs(&self) -> impl Iterator<Item = Graph> {
        self.workflows.values().filter_map(|registered| registered.graph.map(|graph| graph()))
    }

    /// The schedules that workflows declare, each in their latest version.
    pub(crate) fn schedules(&self) -> impl Iterator<Item = &ScheduleDefinition> {
        self.latest().filter_map(|(_, registered)| registered.schedule.as_ref())
    }

    /// How long the executions of workflows are kept after their end, as the latest version of each says, or else the default;
    /// those that are kept for ever are left out.
    pub(crate) fn retentions(&self, default: Option<Duration>) -> impl Iterator<Item = (&'static str, Duration)> {
        self.latest().filter_map(move |(name, registered)| Some((name, registered.retention.or(default)?)))
    }

    /// Every workflow by its name, in its latest version.
    fn latest(&self) -> impl Iterator<Item = (&'static str, &Registered)> {
        let latest = |name: &str| self.workflows().filter(|(other, _)| *other == name).map(|(_, version)| version).max();
        let of_latest = self.workflows.iter().filter(move |((name, version), _)| latest(name) == Some(*version));
        of_latest.map(|((name, _), registered)| (*name, &**registered))
    }

    pub(crate) fn known(&self) -> KnownWorkflows {
        let mut known = KnownWorkflows::default();
        for ((name, version), registered) in &self.workflows {
            known.names.push((*name).to_owned());
            known.labels.push(format!("{name}@{version}"));
            known.versions.push(version.cast_signed());
            known.timeouts.push(registered.timeout.map(|timeout| timeout.as_secs_f64()));
            known.key_limits.push(registered.limit.map(u32::cast_signed));
        }
        known
    }
}

impl Registered {
    /// What all executions of one workflow have in common, those that run one step of it included.
    fn new<W: Workflow>(workflow: Arc<W>, start: impl Fn(Context, Payload) -> Body + Send + Sync + 'static) -> Self {
        let compensation =
            |known: &Compensation<W>| KnownCompensation { step: known.step, undo_on_failure: known.undo_on_failure };
        Self {
            steps: W::STEPS.iter().map(|step| KnownStep { name: step.name, was: step.was }).collect(),
            compensations: W::COMPENSATIONS.iter().map(compensation).collect(),
            timeout: None,
            door: None,
            limit: None,
            retention: W::RETENTION,
            schedule: None,
            graph: None,
            start: Box::new(start),
            roll_back: Box::new(move |root, chain| {
                Box::pin(rollback::roll_back(workflow.clone(), W::COMPENSATIONS, root, chain))
            }),
        }
    }

    /// The workflow's future; nothing runs before it is polled.
    pub(crate) fn start(&self, cx: Context, input: Payload) -> Body {
        (self.start)(cx, input)
    }

    /// The future that undoes what is in the chain.
    pub(crate) fn roll_back(&self, root: Arc<Scope>, chain: Vec<Undoable>) -> Body {
        (self.roll_back)(root, chain)
    }
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered").field("steps", &self.steps).finish_non_exhaustive()
    }
}

/// The schedule of a workflow, under the workflow's name.
fn declared<W: Workflow>(schedule: &ScheduleSpec<W::Input>) -> Result<ScheduleDefinition> {
    let input = (schedule.input)();
    Ok(ScheduleDefinition {
        name: W::NAME.to_owned(),
        workflow: W::NAME.to_owned(),
        version: W::VERSION.cast_signed(),
        queue: W::QUEUE.to_owned(),
        priority: 0,
        input: payload::encode_for_replay(format_args!("the default input of workflow `{}`", W::NAME), &input)?,
        concurrency_key: W::concurrency_key(&input).map(checked_concurrency_key).transpose()?,
        time_to_live: W::TIME_TO_LIVE,
        tags: checked_tags(format_args!("the schedule of workflow `{}`", W::NAME), tags_of::<W>(&input))?,
        rule: schedule.rule.to_owned(),
        timezone: schedule.timezone.to_owned(),
        starts_at: None,
        ends_at: None,
        jitter: schedule.jitter,
        missed: schedule.missed,
        overlap: schedule.overlap,
        max_failures: schedule.max_failures.map(|failures| i32::try_from(failures).unwrap_or(i32::MAX)),
        declared: true,
    })
}

async fn run<W: Workflow>(workflow: Arc<W>, door: Option<Arc<Door>>, cx: Context, input: Payload) -> Result<Payload> {
    let input = match door {
        Some(door) => door::inputs_of_start(&door, &cx, input)?,
        None => input,
    };
    let input = payload::decode(format_args!("the input of workflow `{}`", W::NAME), input.as_str())?;
    let output = workflow.execute(&cx.with_input::<W::Input>(), input).await?;
    payload::encode_for_replay(format_args!("the output of workflow `{}`", W::NAME), &output)
}
