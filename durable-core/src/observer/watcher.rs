//! One observer at work: a bounded queue of news, and the thread that tells them.

use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, timeout, timeout_at};

use super::complaints::{Complaint, Complaints};
use super::news::{News, Reception, StepBegins};
use super::{Consent, Observer};

/// How much an observer may hold up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Most news that wait for it.
    queue: usize,
    /// How long a step waits for its consent.
    consent: Duration,
}

impl Limits {
    /// A queue for some seconds of a busy worker, a few megabytes at most. For consent, long enough to ask a service near by,
    /// short enough that a step which waits in vain is no later than after a first retry.
    pub(super) const USUAL: Self = Self { queue: 4096, consent: Duration::from_secs(1) };
}

/// One observer, with its queue and its thread; the thread ends with the last clone of the queue.
pub(super) struct Watcher {
    news: SyncSender<News>,
    consent_limit: Duration,
    progress: Arc<Progress>,
}

/// What the observer's thread and the callers share.
#[derive(Debug)]
struct Progress {
    /// Calls in the queue or under way.
    pending: AtomicUsize,
    /// A step waited in vain, and the observer has not caught up since: further steps do not wait.
    behind: AtomicBool,
    /// Told when nothing is pending.
    caught_up: Notify,
    observer: &'static str,
    complaints: Complaints,
}

impl Watcher {
    /// Starts the observer's thread; on a runtime of tokio.
    pub(super) fn start(name: &'static str, observer: Arc<dyn Observer>, limits: Limits) -> std::io::Result<Self> {
        let (sender, news) = mpsc::sync_channel(limits.queue);
        let progress = Arc::new(Progress {
            pending: AtomicUsize::new(0),
            behind: AtomicBool::new(false),
            caught_up: Notify::new(),
            observer: name,
            complaints: Complaints::about(name),
        });
        let shared = progress.clone();
        let runtime = Handle::current();
        // Not one of the runtime's blocking threads: it would keep the process from ending while an observer hangs.
        std::thread::Builder::new().name("durable-observer".to_owned()).spawn(move || {
            let _runtime = runtime.enter();
            shared.tell_all(&*observer, &news);
        })?;
        Ok(Self { news: sender, consent_limit: limits.consent, progress })
    }

    /// What the observer is called in messages: its type.
    pub(super) fn name(&self) -> &'static str {
        self.progress.observer
    }

    /// Queues a call of the observer; drops it if the queue is full. Never waits.
    pub(super) fn tell(&self, news: News) {
        self.progress.pending.fetch_add(1, Ordering::AcqRel);
        if self.news.try_send(news).is_err() {
            self.progress.complaints.note(Complaint::Dropped);
            self.progress.one_less();
        }
    }

    /// Queues a question to the observer and waits for the answer, unless the observer is behind.
    pub(super) async fn ask(&self, step: StepBegins) -> Consent {
        let (reply, answer) = oneshot::channel();
        self.tell(News::StepBegins(step, Some(reply)));
        if !self.progress.behind.load(Ordering::Acquire) {
            match timeout(self.consent_limit, answer).await {
                Ok(Ok(consent)) => return consent,
                // It was dropped, or the observer panicked; either has been noted.
                Ok(Err(_)) => return Consent::Proceed,
                Err(_) => self.progress.behind.store(true, Ordering::Release),
            }
        }
        self.progress.complaints.note(Complaint::Unanswered);
        Consent::Proceed
    }

    /// Waits until the observer has received every call so far, at most until the deadline.
    pub(super) async fn drain(&self, deadline: Instant) {
        if timeout_at(deadline, self.progress.all_told()).await.is_err() {
            let left = self.progress.pending.load(Ordering::Acquire);
            tracing::warn!(observer = self.name(), left, "an observer is too slow to hear the end");
        }
        self.progress.complaints.report_rest();
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl Progress {
    /// Calls the observer until the queue is closed.
    fn tell_all(&self, observer: &dyn Observer, news: &Receiver<News>) {
        while let Ok(news) = news.recv() {
            match panic::catch_unwind(AssertUnwindSafe(|| news.tell(observer))) {
                Ok(Reception::Heard) => {}
                Ok(Reception::RefusedInVain) => self.complaints.note(Complaint::RefusedInVain),
                Err(_) => self.complaints.note(Complaint::Panicked),
            }
            self.one_less();
        }
    }

    fn one_less(&self) {
        if self.pending.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.behind.store(false, Ordering::Release);
            self.caught_up.notify_waiters();
        }
    }

    async fn all_told(&self) {
        loop {
            let caught_up = self.caught_up.notified();
            if self.pending.load(Ordering::Acquire) == 0 {
                return;
            }
            caught_up.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::super::{Direction, ExecutionStarted, ObservedExecution, StepEnded};
    use super::*;
    use crate::ids::ExecutionId;

    /// Longer than anything here takes.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// As usual, but patient, as a machine under test may be slow.
    const PATIENT: Limits = Limits { consent: PATIENCE, ..Limits::USUAL };

    /// Notes what it is told. It panics at workflow `panic`, refuses step `forbidden`, and at workflow `block` waits for the
    /// gate.
    struct Notebook {
        notes: Mutex<Vec<String>>,
        gate: Mutex<Receiver<()>>,
    }

    impl Notebook {
        fn note(&self, execution: &ObservedExecution, what: &str) {
            self.notes.lock().unwrap().push(what.to_owned());
            match execution.workflow.as_str() {
                "panic" => panic!("as told"),
                "block" => drop(self.gate.lock().unwrap().recv_timeout(PATIENCE)),
                _ => {}
            }
        }

        fn notes(&self) -> Vec<String> {
            self.notes.lock().unwrap().clone()
        }
    }

    impl Observer for Notebook {
        fn on_start(&self, started: &ExecutionStarted) {
            self.note(&started.execution, "start");
        }

        fn before_step(&self, step: &StepBegins) -> Consent {
            self.note(&step.execution, &format!("before {}", step.key));
            if step.key == "forbidden" { Consent::refuse("it is forbidden") } else { Consent::Proceed }
        }

        fn after_step(&self, step: &StepEnded) {
            self.note(&step.execution, &format!("after {}", step.key));
        }
    }

    /// A watcher of a notebook, and what opens its gate, once for each message.
    fn watch(limits: Limits) -> (Watcher, Arc<Notebook>, mpsc::Sender<()>) {
        let (open, gate) = mpsc::channel();
        let notebook = Arc::new(Notebook { notes: Mutex::default(), gate: Mutex::new(gate) });
        (Watcher::start("Notebook", notebook.clone(), limits).unwrap(), notebook, open)
    }

    fn execution(workflow: &str) -> ObservedExecution {
        ObservedExecution { id: ExecutionId::new(), workflow: workflow.to_owned(), version: 1 }
    }

    fn started(workflow: &str) -> News {
        News::Started(ExecutionStarted { execution: execution(workflow) })
    }

    fn step(workflow: &str, key: &str) -> StepBegins {
        StepBegins { execution: execution(workflow), key: key.to_owned(), attempt: 1, direction: Direction::Forward }
    }

    fn ended(key: &str) -> News {
        let (key, direction) = (key.to_owned(), Direction::Forward);
        News::StepEnded(StepEnded {
            execution: execution("any"),
            key,
            attempt: 1,
            direction,
            took: Duration::ZERO,
            error: None,
            retry_at: None,
        })
    }

    async fn drain(watcher: &Watcher) {
        watcher.drain(Instant::now() + PATIENCE).await;
    }

    #[tokio::test]
    async fn everything_is_told_once_and_in_order() {
        let (watcher, notebook, _) = watch(PATIENT);
        watcher.tell(started("any"));
        assert_eq!(watcher.ask(step("any", "first")).await, Consent::Proceed);
        let keys: Vec<String> = (0..1000).map(|number| format!("step {number}")).collect();
        keys.iter().for_each(|key| watcher.tell(ended(key)));
        drain(&watcher).await;
        let expected = ["start".to_owned(), "before first".to_owned()];
        assert_eq!(
            notebook.notes(),
            expected.into_iter().chain(keys.iter().map(|key| format!("after {key}"))).collect::<Vec<_>>()
        );
    }

    #[tokio::test]
    async fn a_refusal_reaches_the_step() {
        let (watcher, _, _) = watch(PATIENT);
        assert_eq!(watcher.ask(step("any", "forbidden")).await, Consent::refuse("it is forbidden"));
        assert_eq!(watcher.ask(step("any", "allowed")).await, Consent::Proceed);
    }

    #[tokio::test]
    async fn a_panic_refuses_nothing_and_ends_nothing() {
        let (watcher, notebook, _) = watch(PATIENT);
        watcher.tell(started("panic"));
        assert_eq!(watcher.ask(step("panic", "forbidden")).await, Consent::Proceed);
        watcher.tell(ended("first"));
        drain(&watcher).await;
        assert_eq!(notebook.notes(), ["start", "before forbidden", "after first"]);
    }

    #[tokio::test]
    async fn a_full_queue_drops_news_and_delays_nobody() {
        let (watcher, notebook, open) = watch(Limits { queue: 2, ..PATIENT });
        watcher.tell(started("block"));
        // One is being told, two are queued; what is told first depends on when the thread looks.
        (0..100).for_each(|number| watcher.tell(ended(&format!("step {number}"))));
        assert_eq!(watcher.ask(step("any", "forbidden")).await, Consent::Proceed);
        open.send(()).unwrap();
        drain(&watcher).await;
        let notes = notebook.notes();
        assert!((2..=3).contains(&notes.len()), "{notes:?}");
        watcher.tell(ended("last"));
        drain(&watcher).await;
        assert_eq!(notebook.notes().last().unwrap(), "after last");
    }

    #[tokio::test]
    async fn a_step_waits_for_a_blocked_observer_once_and_again_when_it_has_caught_up() {
        let (watcher, notebook, open) = watch(Limits { consent: Duration::from_millis(50), ..Limits::USUAL });
        watcher.tell(started("block"));
        let before = Instant::now();
        assert_eq!(watcher.ask(step("any", "forbidden")).await, Consent::Proceed);
        assert!(before.elapsed() >= Duration::from_millis(50));
        // The watcher no longer waits for it: a thousand waits would take longer than the test's patience.
        for _ in 0..1000 {
            assert_eq!(watcher.ask(step("any", "forbidden")).await, Consent::Proceed);
        }
        assert!(before.elapsed() < PATIENCE);
        open.send(()).unwrap();
        drain(&watcher).await;
        assert_eq!(notebook.notes().len(), 1002, "what began without consent is told all the same");
        let patient = Watcher { consent_limit: PATIENCE, ..watcher };
        assert_eq!(patient.ask(step("any", "forbidden")).await, Consent::refuse("it is forbidden"));
    }

    #[tokio::test]
    async fn draining_gives_up_at_its_deadline() {
        let (watcher, notebook, open) = watch(PATIENT);
        watcher.tell(started("block"));
        watcher.tell(ended("first"));
        watcher.drain(Instant::now() + Duration::from_millis(20)).await;
        assert!(!notebook.notes().contains(&"after first".to_owned()));
        open.send(()).unwrap();
        drain(&watcher).await;
        assert_eq!(notebook.notes(), ["start", "after first"]);
    }

    #[tokio::test]
    async fn an_observer_may_spawn_tasks() {
        struct Spawner(Arc<Notify>);

        impl Observer for Spawner {
            fn on_start(&self, _: &ExecutionStarted) {
                let told = self.0.clone();
                tokio::spawn(async move { told.notify_one() });
            }
        }

        let told = Arc::new(Notify::new());
        let watcher = Watcher::start("Spawner", Arc::new(Spawner(told.clone())), PATIENT).unwrap();
        watcher.tell(started("any"));
        timeout(PATIENCE, told.notified()).await.unwrap();
    }
}
