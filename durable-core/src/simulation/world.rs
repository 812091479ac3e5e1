//! A simulated world: processes, clients, a clock, and a scheduler that decides what happens next.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::Report;
use super::graphs::SimulatedGraph;
use super::graphs::clients::Accepted;
use super::process::SimulatedProcess;
use super::program::{Depth, Programs};
use super::random::Random;
use super::workflow::Simulated;
use crate::clock::{Clock, Reading};
use crate::ids::{ExecutionId, WorkerId};
use crate::model::Claimed;
use crate::observer::{Observed, RegisteredObservers};
use crate::running::memory::{self, Book, Break, Entry, Record, State, Verdict};
use crate::signals::Slot;
use crate::worker::simulated::Process;

/// Actions of the scheduler before the world becomes quiet.
const ACTIONS: usize = 60;

/// Rounds after that: every write is answered, every event is sent, and time passes. Then every execution has ended.
const QUIET_ROUNDS: usize = 300;

/// Most writes that are answered in one such round: executions that write more go round in a circle.
const MOST_ANSWERS: usize = 400;

pub(super) struct World {
    pub(super) random: Random,
    pub(super) book: Arc<Mutex<Book>>,
    clock: Arc<Clock>,
    programs: Arc<Programs>,
    pub(super) processes: Vec<Arc<SimulatedProcess>>,
    /// Answers to claims that have not arrived, each with its process.
    pub(super) claims: Vec<(Arc<SimulatedProcess>, Claimed, Slot)>,
    values: Arc<Mutex<u64>>,
    /// The number of the last message.
    pub(super) messages: u64,
    /// The messages that may be received by an execution.
    pub(super) sent: BTreeMap<ExecutionId, BTreeSet<u64>>,
    /// Whether its executions are graphs.
    pub(super) has_graphs: bool,
    /// The changes of each graph that were accepted, in order.
    pub(super) accepted: BTreeMap<ExecutionId, Vec<Accepted>>,
    pub(super) ended: BTreeMap<ExecutionId, (State, Option<String>)>,
    observed: Observed,
    trace: String,
}

impl World {
    pub(super) fn new(seed: u64, how: Option<Break>) -> Self {
        let mut random = Random::new(seed);
        let book = Arc::new(Mutex::new(Book::broken(how)));
        let mut programs = Programs::new();
        let has_graphs = seed % 4 == 3;
        for _ in 0..if has_graphs { 0 } else { 1 + random.below(2) } {
            let id = ExecutionId::from(random.uuid());
            let time_limit = random.one_in(6).then(|| Duration::from_millis(random.below(60_000)));
            let program = programs.add(&mut random, 4, Depth { branches: 2, generations: 2 });
            memory::lock(&book).create(id, &program.to_string(), time_limit);
        }
        let reading = Reading { database: DateTime::UNIX_EPOCH + TimeDelta::days(20_000), taken: Instant::now(), frozen: false };
        let observed = match RegisteredObservers::default().start() {
            Ok(observers) => observers.of(ExecutionId::from(uuid::Uuid::nil()), "simulated", 1),
            Err(error) => unreachable!("no observer is registered: {error}"),
        };
        let mut world = Self {
            random,
            book,
            clock: Arc::new(Clock::new(reading, Duration::from_secs(1))),
            programs: Arc::new(programs),
            processes: Vec::new(),
            claims: Vec::new(),
            values: Arc::default(),
            messages: 0,
            sent: BTreeMap::new(),
            has_graphs,
            accepted: BTreeMap::new(),
            ended: BTreeMap::new(),
            observed,
            trace: String::new(),
        };
        for _ in 0..if has_graphs { 1 + world.random.below(2) } else { 0 } {
            world.create_graph();
        }
        world
    }

    pub(super) async fn run(mut self) -> Report {
        for (id, record) in &memory::lock(&self.book).records {
            let _ = writeln!(self.trace, "{id} runs program {}", record.input);
        }
        for (number, program) in self.programs.all() {
            let _ = writeln!(self.trace, "program {number}: {program:?}");
        }
        for _ in 0..2 {
            self.start_process();
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

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub(super) fn note(&mut self, what: &str) {
        let _ = writeln!(self.trace, "{} {what}", self.now().format("%H:%M:%S%.3f"));
    }

    /// Lets everything run that can: time passes only when nothing else can happen.
    async fn settle(&mut self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.replace_drained();
    }

    pub(super) fn new_worker(&mut self) -> WorkerId {
        WorkerId(self.random.uuid())
    }

    pub(super) fn start_process(&mut self) {
        let worker = self.new_worker();
        let (book, programs, values) = (self.book.clone(), self.programs.clone(), self.values.clone());
        let workflows = (Simulated { book: book.clone(), programs, values }, SimulatedGraph { book: book.clone() });
        self.processes.push(SimulatedProcess::start(worker, workflows, book, self.clock.clone(), self.observed.clone()));
    }

    async fn act(&mut self) {
        match self.random.below(34) {
            0..=7 => self.answer(),
            8..=11 => self.claim(),
            12..=14 if self.has_graphs => self.change_graph(),
            12 | 13 => self.send(),
            14 => self.answer_question(),
            15 | 16 => {
                let time = self.random.below(8000);
                self.note(&format!("{time} ms pass"));
                tokio::time::sleep(Duration::from_millis(time)).await;
            }
            17 | 18 => self.wake(),
            19 => self.nudge(),
            20 => self.lose_lease(),
            21 => self.notice_losses(),
            22 => self.crash(),
            23 => self.drain(),
            24 => self.end_early(),
            25 if self.has_graphs => self.complete_graph(),
            25 => self.publish(),
            26 => self.pause(),
            27 => self.resume(),
            28 => self.reconcile().await,
            29 | 30 => self.hear(),
            31 => self.notify_missed_parents(),
            32 => self.cancel_orphans(),
            _ => self.hear_of_claim(),
        }
    }

    /// Carries out one of the operations that are first in their lane; its answer may take a while.
    fn answer(&mut self) {
        let now = self.now();
        let mut book = memory::lock(&self.book);
        let mut lanes: BTreeSet<_> = book.queue.answers.iter().map(|answer| answer.lane).collect();
        let entries = book.queue.entries.iter().enumerate();
        let first: Vec<usize> = entries.filter(|(_, entry)| lanes.insert(entry.lane())).map(|(place, _)| place).collect();
        let Some(place) = self.random.one_of(&first) else { return };
        // Transactions of steps fail more often than the engine's own writes.
        let is_commit = matches!(book.queue.entries.get(place), Some(Entry::Commit(..)));
        let verdict = if self.random.one_in(if is_commit { 3 } else { 20 }) { Verdict::Refuse } else { Verdict::Commit };
        let Some(answer) = book.carry_out(place, verdict, now) else { return };
        let is_late = self.random.one_in(6);
        let said = format!("{}{}", answer.said, if is_late { ", the answer is late" } else { "" });
        if is_late {
            book.queue.answers.push_back(answer);
            drop(book);
        } else {
            drop(book);
            answer.arrive();
        }
        self.note(&said);
        self.announce_ended();
    }

    /// Executions that an operation has ended with others are announced.
    fn announce_ended(&mut self) {
        let ended_early = std::mem::take(&mut memory::lock(&self.book).ended_early);
        self.announce(&ended_early);
    }

    /// The duty that notifies parents: the process that ended a child may have died before.
    fn notify_missed_parents(&mut self) {
        let now = self.now();
        let mut book = memory::lock(&self.book);
        let missed = book.unnotified();
        for child in &missed {
            book.notify_parent(*child, now);
        }
        drop(book);
        if !missed.is_empty() {
            self.note(&format!("the parents of {missed:?} are notified"));
        }
    }

    /// The duty that ends orphans: the process of a parent may have died before.
    fn cancel_orphans(&mut self) {
        let now = self.now();
        let orphans = memory::lock(&self.book).cancel_orphans(now);
        if !orphans.is_empty() {
            self.note("orphans are ended");
            self.announce(&orphans);
        }
    }

    /// A late answer arrives.
    fn hear(&mut self) {
        let mut book = memory::lock(&self.book);
        let place = self.random.index(book.queue.answers.len());
        let Some(answer) = book.queue.answers.remove(place) else { return };
        drop(book);
        self.note(&format!("heard: {}", answer.said));
        answer.arrive();
    }

    fn claim(&mut self) {
        let pending = self.claimable();
        let Some(id) = self.random.one_of(&pending) else { return };
        if self.processes.is_empty() {
            return;
        }
        let nth = self.random.index(self.processes.len());
        self.claim_by(id, nth);
    }

    fn claimable(&self) -> Vec<ExecutionId> {
        let book = memory::lock(&self.book);
        let pending = book.records.iter().filter(|(_, record)| record.state == State::Pending && !record.paused);
        pending.map(|(id, _)| *id).collect()
    }

    /// A process claims an execution; the answer arrives at once, or later, or never.
    fn claim_by(&mut self, id: ExecutionId, nth: usize) {
        let process = self.processes[nth].clone();
        if process.is_lost() {
            return;
        }
        let Some(slot) = process.free_slot() else { return };
        let now = self.now();
        if !memory::lock(&self.book).claim(id, process.worker_id(), now) {
            return;
        }
        let is_small = !self.random.one_in(5);
        let Some(claimed) = process.claimed(id, is_small) else { return };
        let fate = self.random.below(12);
        self.note(&format!("{id} claimed by process {nth}, epoch {}, fate {fate}", claimed.epoch.0));
        match fate {
            0 => process.lose_claim(),
            1 | 2 => self.claims.push((process, claimed, slot)),
            // The same claim is taken up twice.
            3 => {
                process.take_up(claimed.clone(), slot);
                if let Some(slot) = process.free_slot() {
                    process.take_up(claimed, slot);
                }
            }
            _ => process.take_up(claimed, slot),
        }
    }

    /// A late answer to a claim arrives.
    fn hear_of_claim(&mut self) {
        if self.claims.is_empty() {
            return;
        }
        let nth = self.random.index(self.claims.len());
        let (process, claimed, slot) = self.claims.remove(nth);
        self.note(&format!("{} claim at epoch {} is heard of", claimed.id, claimed.epoch.0));
        process.take_up(claimed, slot);
    }

    fn wake(&mut self) {
        let now = self.now();
        let woken = memory::lock(&self.book).wake(now);
        if woken > 0 {
            self.note(&format!("{woken} woken"));
        }
    }

    fn nudge(&mut self) {
        self.processes.iter().for_each(|process| process.nudge());
    }

    /// One process compares what it holds with the record; no claim of it is in flight meanwhile.
    async fn reconcile(&mut self) {
        let Some(process) = self.random.one_of(&(0..self.processes.len()).collect::<Vec<_>>()) else { return };
        self.reconcile_process(process).await;
    }

    async fn reconcile_process(&mut self, nth: usize) {
        let process = self.processes[nth].clone();
        let (of_it, others) = std::mem::take(&mut self.claims).into_iter().partition(|(of, ..)| Arc::ptr_eq(of, &process));
        self.claims = others;
        let of_it: Vec<_> = of_it;
        of_it.into_iter().for_each(|(process, claimed, slot)| process.take_up(claimed, slot));
        self.note(&format!("process {nth} compares what it holds"));
        process.reconcile().await;
    }

    /// Carries out the oldest operation, if there is one, and has its answer arrive, after all late answers.
    fn answer_first(&mut self) -> Option<String> {
        let now = self.now();
        let mut book = memory::lock(&self.book);
        let answer = match book.queue.answers.pop_front() {
            Some(late) => late,
            None if book.queue.entries.is_empty() => return None,
            None => book.carry_out(0, Verdict::Commit, now)?,
        };
        drop(book);
        let said = answer.said.clone();
        answer.arrive();
        Some(said)
    }

    fn have_ended(&self) -> bool {
        memory::lock(&self.book).records.values().all(Record::is_over)
    }

    /// No fault happens any more: every execution must come to its end.
    async fn become_quiet(&mut self) {
        self.note("the world becomes quiet");
        while !self.claims.is_empty() {
            self.hear_of_claim();
        }
        self.notice_losses();
        self.settle().await;
        let mut pause = 100;
        for round in 0..QUIET_ROUNDS {
            for answers in 0.. {
                let Some(said) = self.answer_first() else { break };
                if answers > MOST_ANSWERS {
                    memory::lock(&self.book).violations.push("writes without end".to_owned());
                    return;
                }
                self.note(&format!("  {said}"));
                self.announce_ended();
                self.settle().await;
            }
            self.resume_all();
            self.notify_missed_parents();
            self.cancel_orphans();
            self.check_orphans();
            self.wake();
            for id in self.claimable() {
                if let Some(nth) = self.processes.iter().position(|process| !process.is_lost() && !process.is_draining()) {
                    self.claim_by(id, nth);
                }
            }
            for nth in 0..self.processes.len() {
                self.reconcile_process(nth).await;
            }
            if round % 4 == 0 {
                self.send_everything();
            }
            tokio::time::sleep(Duration::from_millis(pause)).await;
            pause = (pause * 2).min(30_000);
            self.settle().await;
            if self.check() || self.have_ended() {
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
