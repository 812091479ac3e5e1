//! A simulated world: workers, clients, a clock, and a scheduler that decides what happens next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use uuid::Uuid;

use super::Report;
use super::program::{self, EVENTS, Part, Surroundings};
use crate::clock::{Clock, Reading};
use crate::context::Context;
use crate::ids::{Epoch, ExecutionId, WorkerId};
use crate::model::{Claimed, WaitOutcome};
use crate::observer::{Observed, Registered};
use crate::payload::{self, Payload};
use crate::plan::divergence;
use crate::running::hold::{Hold, Verdict as End};
use crate::running::ledger::SharedLedger;
use crate::running::memory::{self, Book, Memory, State, Verdict};
use crate::running::recording::Saved;
use crate::running::rest::Rest;
use crate::running::run::Run;
use crate::running::scope::Scope;
use crate::running::stretch::Body;
use crate::running::waits::Look;
use crate::store::parks::ParkOutcome;
use crate::store::saves::{NextState, Written};
use crate::telemetry::{Metrics, Tracing};

/// Actions of the scheduler before the world becomes quiet.
const ACTIONS: usize = 60;

/// Rounds after that: every write is answered, every event is sent, and time passes. Then every execution has ended.
const QUIET_ROUNDS: usize = 300;

/// Most writes that are answered in one such round: executions that write more go round in a circle.
const MOST_ANSWERS: usize = 200;

/// A generator of numbers that a seed decides (SplitMix64).
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    pub(super) fn index(&mut self, limit: usize) -> usize {
        usize::try_from(self.below(limit as u64)).unwrap_or(0)
    }

    pub(super) fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn uuid(&mut self) -> Uuid {
        Uuid::from_u64_pair(self.next(), self.next())
    }
}

/// An execution's code in memory.
struct Flow {
    run: Arc<Run>,
    root: Arc<Scope>,
    body: Body,
}

type Parked = Arc<Mutex<BTreeMap<ExecutionId, Flow>>>;

struct Worker {
    id: WorkerId,
    ledger: SharedLedger,
    lease: watch::Sender<Instant>,
    running: Vec<(Arc<Run>, JoinHandle<()>)>,
    parked: Parked,
}

pub(super) struct World {
    random: Random,
    book: Arc<Mutex<Book>>,
    clock: Arc<Clock>,
    programs: BTreeMap<ExecutionId, Arc<Vec<Part>>>,
    workers: Vec<Worker>,
    values: Arc<Mutex<u64>>,
    messages: u64,
    sent: BTreeMap<ExecutionId, BTreeSet<u64>>,
    ended: BTreeMap<ExecutionId, (State, Option<String>)>,
    observed: Observed,
    trace: String,
}

impl World {
    pub(super) fn new(seed: u64, unfenced: bool) -> Self {
        let mut random = Random(seed);
        let book = Arc::new(Mutex::new(Book { unfenced, ..Book::default() }));
        let mut programs = BTreeMap::new();
        for _ in 0..=random.below(3) {
            let id = ExecutionId::from(random.uuid());
            memory::lock(&book).create(id);
            programs.insert(id, Arc::new(program::random(&mut random, 4, 2)));
        }
        let reading = Reading { database: DateTime::UNIX_EPOCH + TimeDelta::days(20_000), taken: Instant::now(), frozen: false };
        let observed = match Registered::default().start() {
            Ok(observers) => observers.of(ExecutionId::from(Uuid::nil()), "simulated", 1),
            Err(error) => unreachable!("no observer is registered: {error}"),
        };
        Self {
            random,
            book,
            clock: Arc::new(Clock::new(reading, Duration::from_secs(1))),
            programs,
            workers: Vec::new(),
            values: Arc::default(),
            messages: 0,
            sent: BTreeMap::new(),
            ended: BTreeMap::new(),
            observed,
            trace: String::new(),
        }
    }

    pub(super) async fn run(mut self) -> Report {
        for (id, program) in &self.programs {
            let _ = writeln!(self.trace, "{id}: {program:?}");
        }
        for _ in 0..2 {
            self.add_worker();
        }
        for _ in 0..ACTIONS {
            self.act().await;
            self.settle().await;
            if self.check() {
                break;
            }
        }
        if memory::lock(&self.book).violations.is_empty() {
            self.become_quiet().await;
        }
        let violations = std::mem::take(&mut memory::lock(&self.book).violations);
        Report { trace: self.trace, violations }
    }

    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn note(&mut self, what: &str) {
        let _ = writeln!(self.trace, "{} {what}", self.now().format("%H:%M:%S%.3f"));
    }

    /// Lets everything run that can: time passes only when nothing else can happen.
    async fn settle(&mut self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        for worker in &mut self.workers {
            worker.running.retain(|(_, task)| !task.is_finished());
        }
    }

    fn add_worker(&mut self) {
        let id = WorkerId(self.random.uuid());
        let lease = watch::Sender::new(Instant::now() + Duration::from_secs(1_000_000));
        let ledger: SharedLedger = Arc::new(Memory::new(self.book.clone(), lease.subscribe()));
        self.workers.push(Worker { id, ledger, lease, running: Vec::new(), parked: Parked::default() });
    }

    async fn act(&mut self) {
        match self.random.below(25) {
            0..=7 => self.answer(),
            8..=11 => self.claim(),
            12..=14 => self.send(),
            15 | 16 => {
                let time = self.random.below(8000);
                self.note(&format!("{time} ms pass"));
                tokio::time::sleep(Duration::from_millis(time)).await;
            }
            17 | 18 => self.wake(),
            19 => self.nudge(),
            20 => self.lose_lease(),
            21 => self.notice_loss(),
            22 => self.crash(),
            23 => self.drain(),
            _ if self.random.one_in(2) => self.cancel(),
            _ => {}
        }
    }

    /// Answers one of the writes that are first in their lane.
    fn answer(&mut self) {
        let now = self.now();
        let mut book = memory::lock(&self.book);
        let mut lanes = BTreeSet::new();
        let first: Vec<usize> = (0..book.queue.len()).filter(|place| lanes.insert(book.queue[*place].lane())).collect();
        if first.is_empty() {
            return;
        }
        let place = first[self.random.index(first.len())];
        let verdict = if self.random.one_in(20) { Verdict::Refuse } else { Verdict::Commit };
        let id = book.queue[place].execution_id();
        let said = book.answer(place, verdict, now);
        drop(book);
        self.note(&format!("{id} {said}"));
    }

    fn claim(&mut self) {
        let pending: Vec<ExecutionId> = self.of_state(State::Pending);
        if pending.is_empty() || self.workers.is_empty() {
            return;
        }
        let id = pending[self.random.index(pending.len())];
        let worker = self.random.index(self.workers.len());
        self.claim_by(id, worker);
    }

    fn of_state(&self, state: State) -> Vec<ExecutionId> {
        let book = memory::lock(&self.book);
        book.records.iter().filter(|(_, record)| record.state == state).map(|(id, _)| *id).collect()
    }

    fn claim_by(&mut self, id: ExecutionId, nth: usize) {
        let worker = &mut self.workers[nth];
        if memory::lock(&self.book).lost.contains(&worker.id) || worker.running.iter().any(|(run, _)| run.id == id) {
            return;
        }
        let mut book = memory::lock(&self.book);
        let Some((epoch, claims, journal)) = book.claim(id, worker.id) else { return };
        let resolved = book.records.get(&id).map(|record| record.resolved());
        drop(book);
        let claimed = Claimed { resolved, ..claimed(id, worker.id, epoch, claims) };
        let cached = lock(&worker.parked).remove(&id).filter(|flow| flow.run.hold().is_followed_by(&claimed));
        let is_cached = cached.is_some();
        let flow = match cached {
            Some(flow) => {
                flow.run.wake(Hold::by(&claimed), claimed.resolved.clone().unwrap_or_default());
                flow
            }
            None => {
                let (tracing, metrics) = (Tracing::default(), Metrics::default());
                let run = Run::new(
                    &claimed,
                    worker.ledger.clone(),
                    self.clock.clone(),
                    self.observed.clone(),
                    tracing.of(&claimed),
                    metrics.of("simulated", "default"),
                );
                run.load(journal, claims > 1);
                let around = Surroundings { book: self.book.clone(), id, worker: worker.id, values: self.values.clone() };
                let (root, program) = (Scope::root(&run, ""), self.programs[&id].clone());
                let cx = Context::new(root.clone());
                let body: Body = Box::pin(async move {
                    let said = program::run(&cx, &program, &around).await?;
                    payload::encode("the output", &said)
                });
                Flow { run, root, body }
            }
        };
        let run = flow.run.clone();
        let task = tokio::spawn(drive(flow, worker.parked.clone()));
        worker.running.push((run, task));
        self.note(&format!("{id} claimed by worker {nth}, epoch {}, cached {is_cached}", epoch.0));
    }

    /// A client sends an event, whether anything waits for it or not.
    fn send(&mut self) {
        let ids: Vec<ExecutionId> = self.programs.keys().copied().collect();
        let id = ids[self.random.index(ids.len())];
        let name = EVENTS[self.random.index(EVENTS.len())];
        self.send_to(id, name);
        if self.random.one_in(2) {
            self.nudge();
        }
    }

    fn send_to(&mut self, id: ExecutionId, name: &str) {
        self.messages += 1;
        let (message, now) = (self.messages, self.now());
        let mut book = memory::lock(&self.book);
        if book.records.get(&id).is_some_and(|record| record.is_over()) {
            return;
        }
        let taken = book.send(id, name, message, now);
        drop(book);
        self.sent.entry(id).or_default().insert(message);
        self.note(&format!("{id} is sent `{name}` {message}, taken {taken}"));
    }

    fn wake(&mut self) {
        let now = self.now();
        let woken = memory::lock(&self.book).wake(now);
        if woken > 0 {
            self.note(&format!("{woken} woken"));
        }
    }

    fn nudge(&mut self) {
        let runs = self.workers.iter().flat_map(|worker| &worker.running);
        runs.for_each(|(run, _)| run.nudged.notify_one());
    }

    /// A worker is declared lost while it goes on; its executions are given to others.
    fn lose_lease(&mut self) {
        let nth = self.random.index(self.workers.len());
        let worker = &self.workers[nth];
        worker.lease.send_replace(Instant::now());
        memory::lock(&self.book).rescue(worker.id);
        self.note(&format!("worker {nth} is declared lost"));
        self.add_worker();
    }

    /// Lost workers learn that they are.
    fn notice_loss(&mut self) {
        let lost = memory::lock(&self.book).lost.clone();
        for worker in self.workers.iter_mut().filter(|worker| lost.contains(&worker.id)) {
            worker.running.iter().for_each(|(run, _)| run.end(End::Lost));
            lock(&worker.parked).clear();
        }
    }

    /// A worker's memory vanishes. A write that was under way may have been committed.
    fn crash(&mut self) {
        let nth = self.random.index(self.workers.len());
        let worker = self.workers.remove(nth);
        let (id, now) = (worker.id, self.now());
        self.note(&format!("worker {nth} crashes"));
        let held: Vec<ExecutionId> = worker.running.iter().map(|(run, _)| run.id).collect();
        worker.running.iter().for_each(|(_, task)| task.abort());
        let mut said = Vec::new();
        let mut book = memory::lock(&self.book);
        while let Some(place) = book.queue.iter().position(|entry| entry.worker() == id && held.contains(&entry.execution_id())) {
            if self.random.one_in(2) {
                said.push(book.answer(place, Verdict::Commit, now));
            } else {
                book.queue.remove(place);
            }
        }
        book.rescue(id);
        drop(book);
        said.iter().for_each(|said| self.note(&format!("  was committed: {said}")));
        self.add_worker();
    }

    /// A worker asks its executions to go back into their queue, as when it shuts down.
    fn drain(&mut self) {
        let nth = self.random.index(self.workers.len());
        self.workers[nth].running.iter().for_each(|(run, _)| run.drain());
        self.note(&format!("worker {nth} drains"));
    }

    fn cancel(&mut self) {
        let ids: Vec<ExecutionId> = self.programs.keys().copied().collect();
        let id = ids[self.random.index(ids.len())];
        let mut book = memory::lock(&self.book);
        let Some(record) = book.records.get_mut(&id).filter(|record| !record.is_over()) else { return };
        record.state = State::Failed;
        record.end = Some("cancelled".to_owned());
        drop(book);
        self.note(&format!("{id} is cancelled"));
        let runs = self.workers.iter().flat_map(|worker| &worker.running).filter(|(run, _)| run.id == id);
        runs.for_each(|(run, _)| run.end(End::Lost));
    }

    /// Compares what is on record with the guarantees; `true` if one is violated.
    fn check(&mut self) -> bool {
        let mut book = memory::lock(&self.book);
        let mut violations = Vec::new();
        for (id, record) in &book.records {
            if !record.is_over() {
                if self.ended.contains_key(id) {
                    violations.push(format!("{id} had ended, and is {:?} again", record.state));
                }
                continue;
            }
            let end = (record.state, record.end.clone());
            match self.ended.insert(*id, end.clone()) {
                Some(before) if before != end => violations.push(format!("{id} ended twice: {before:?}, then {end:?}")),
                Some(_) => {}
                None if record.state == State::Completed => {
                    violations
                        .extend(check_end(record, self.sent.get(id)).into_iter().map(|violation| format!("{id} {violation}")));
                }
                None => {}
            }
        }
        book.violations.extend(violations);
        !book.violations.is_empty()
    }

    /// Answers the oldest write, if there is one.
    fn answer_first(&mut self, now: DateTime<Utc>) -> Option<String> {
        let mut book = memory::lock(&self.book);
        (!book.queue.is_empty()).then(|| book.answer(0, Verdict::Commit, now))
    }

    /// No fault happens any more: every execution must come to its end.
    async fn become_quiet(&mut self) {
        self.note("the world becomes quiet");
        self.notice_loss();
        self.settle().await;
        let mut pause = 100;
        for round in 0..QUIET_ROUNDS {
            let now = self.now();
            for answers in 0.. {
                let Some(said) = self.answer_first(now) else { break };
                if answers > MOST_ANSWERS {
                    memory::lock(&self.book).violations.push("writes without end".to_owned());
                    return;
                }
                self.note(&format!("  {said}"));
                self.settle().await;
            }
            self.wake();
            for id in self.of_state(State::Pending) {
                let lost = memory::lock(&self.book).lost.clone();
                if let Some(nth) = self.workers.iter().position(|worker| !lost.contains(&worker.id)) {
                    self.claim_by(id, nth);
                }
            }
            if round % 4 == 0 {
                let waiting: Vec<ExecutionId> = self.programs.keys().copied().collect();
                for (id, name) in waiting.into_iter().flat_map(|id| EVENTS.map(|name| (id, name))) {
                    self.send_to(id, name);
                }
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(30_000);
            self.settle().await;
            if self.check() || self.ended.len() == self.programs.len() {
                return;
            }
        }
        let mut book = memory::lock(&self.book);
        let still: Vec<String> = book
            .records
            .iter()
            .filter(|(_, record)| !record.is_over())
            .map(|(id, record)| format!("{id} stands still: {:?}, {:?}", record.state, record.waits))
            .collect();
        book.violations.extend(still);
    }
}

/// What must be true of an execution that has completed.
fn check_end(record: &memory::Record, sent: Option<&BTreeSet<u64>>) -> Vec<String> {
    let mut violations = Vec::new();
    let said: Vec<String> = record.end.as_deref().and_then(|end| serde_json::from_str(end).ok()).unwrap_or_default();
    let outputs: BTreeSet<&str> = record.checkpoints.keys().filter_map(|key| record.output(key)).collect();
    let mut seen = BTreeSet::new();
    for said in said.iter().filter(|said| *said != "failure") {
        if !seen.insert(said.as_str()) {
            violations.push(format!("counted `{said}` twice"));
        }
        match said.split_once(' ') {
            Some(("step", value)) if !outputs.contains(value) => {
                violations.push(format!("went on from `{said}`, which is not on record"))
            }
            Some(("event", message))
                if !message.parse().is_ok_and(|message| sent.is_some_and(|sent| sent.contains(&message))) =>
            {
                violations.push(format!("received `{said}`, which was never sent to it"));
            }
            _ => {}
        }
    }
    for (key, wait) in &record.waits {
        let Some((_, message)) = wait.message.filter(|_| wait.outcome == Some(WaitOutcome::Received)) else { continue };
        // A branch that lost a race may have used its message.
        if !key.contains("race") && !seen.contains(format!("event {message}").as_str()) {
            violations.push(format!("lost the message {message}, which `{key}` had received"));
        }
    }
    violations
}

fn claimed(id: ExecutionId, worker: WorkerId, epoch: Epoch, claims: i16) -> Claimed {
    Claimed {
        worker,
        id,
        epoch,
        workflow: "simulated".to_owned(),
        version: 1,
        queue: "default".to_owned(),
        claims,
        answer_lost: false,
        deadline_at: None,
        input: Payload::null(),
        resolved: None,
        rollback: None,
        undoes: None,
        awaited: false,
        limited: false,
        scheduled_for: None,
        namespace: id,
        step: None,
        trace_context: None,
        started_at: None,
        ready_at: None,
    }
}

/// Drives an execution as a worker does, without rollbacks, deadlines and children.
async fn drive(mut flow: Flow, parked: Parked) {
    let run = flow.run.clone();
    let next = loop {
        let rest = tokio::select! {
            biased;
            rest = run.until_rest(&flow.root, &mut flow.body) => rest,
            () = look(&run) => {
                run.wake_backoffs();
                run.ask_soon();
                continue;
            }
        };
        match rest {
            Rest::Finished(Ok(output)) => {
                let unasked = run.unasked();
                break match unasked.is_empty() {
                    true => NextState::Completed(output),
                    false => NextState::Stopped(memory::payload(&divergence::unasked("it", &unasked))),
                };
            }
            Rest::Finished(Err(error)) => break NextState::Failed(memory::payload(&error.to_string())),
            Rest::Panicked(failure) => break NextState::Stopped(memory::payload(&failure.to_string())),
            Rest::Ended(End::Released) => break NextState::Released,
            Rest::Ended(End::Lost) => return run.until_answered().await,
            Rest::Ended(End::Diverged(report)) => break NextState::Stopped(memory::payload(&report)),
            Rest::Ended(End::Refused(failure)) => {
                flow.root.abandon();
                break NextState::Failed(memory::payload(&failure.to_string()));
            }
            Rest::Unregistered => run.ask_soon(),
            Rest::Unwritten if run.is_busy() => run.flush_soon(),
            Rest::Unwritten => {
                if run.flush().await == Written::Refused {
                    run.lose();
                }
            }
            Rest::Waiting => match run.park().await {
                Ok(ParkOutcome::Parked { .. }) => {
                    lock(&parked).insert(run.id, flow);
                    return;
                }
                Ok(ParkOutcome::Resolved { waits, .. }) => run.resolve(waits),
                _ => return,
            },
        }
    };
    drop(flow);
    if let Saved::Unrecorded(failure) = run.finish(next).await {
        run.finish(NextState::Failed(memory::payload(&failure.to_string()))).await;
    }
}

/// Returns when the waits of an execution that goes on running are worth a look.
async fn look(run: &Run) {
    loop {
        let Look::Later { registered, due } = run.next_look() else { return };
        let due = async {
            match due {
                Some(due) => run.clock().reached(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = due => return,
            () = run.nudged.notified() => run.note_nudge(),
            () = run.asked.notified() => {}
            () = tokio::time::sleep(Duration::from_secs(1)), if registered => return,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
