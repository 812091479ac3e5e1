//! A worker process that dies on cue: this test binary once more, told by its environment to run nothing but a worker.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::{
    continuing, crashing, crashing_closes, crashing_flows, crashing_waits, deciding, deploying, expiring, failing_over, fleet,
    graphs, leasing, limiting, mapping, pausing_executions, pooling, routing, scheduling, setting_values, shutting_down, skewing,
    sticking, tagging, telemetry, transacting,
};

/// Names the worker that a process is to run.
const ROLE: &str = "DURABLE_TEST_WORKER";

/// The database that it works on.
const URL: &str = "DURABLE_TEST_URL";

/// A folder that it shares with its test.
const FOLDER: &str = "DURABLE_TEST_FOLDER";

/// Shows what the worker processes have to say, when tests are debugged.
const TRACE: &str = "DURABLE_TEST_TRACE";

/// A worker in a process of its own. It ends when this is dropped, or when the tests end in any other way.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts the worker called `role` on the database at `url`.
    pub(crate) fn start(role: &str, url: &str, folder: &Folder) -> Self {
        Self::start_in(&[], role, url, folder)
    }

    /// As [`start`](Self::start), with more in its environment.
    pub(crate) fn start_in(environment: &[(&str, &str)], role: &str, url: &str, folder: &Folder) -> Self {
        let stderr = if std::env::var_os(TRACE).is_some() { Stdio::inherit() } else { Stdio::null() };
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "support::process::worker_process", "--nocapture"])
            .env(ROLE, role)
            .env(URL, url)
            .env(FOLDER, folder.path())
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .unwrap();
        Self { child }
    }

    pub(crate) fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Kills it at once, with SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Whether it ended without a complaint; `None` while it runs.
    pub(crate) fn success(&mut self) -> Option<bool> {
        self.child.try_wait().unwrap().map(|status| status.success())
    }

    /// Its exit code; `None` while it runs.
    pub(crate) fn code(&mut self) -> Option<i32> {
        self.child.try_wait().unwrap().and_then(|status| status.code())
    }

    /// Sends a signal by its name, such as `STOP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success(), "could not send SIG{name}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that a test and its worker processes share; gone with the test.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("durable-test-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where steps write down that they were completed.
    pub(crate) fn effects(&self) -> Effects {
        Effects(self.0.join("effects"))
    }

    /// A file whose being there is a message.
    pub(crate) fn flag(&self, name: &str) -> Flag {
        Flag(self.0.join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that failed matters more than its leftovers.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What steps did to the world outside: one line for each time.
#[derive(Debug, Clone)]
pub(crate) struct Effects(PathBuf);

impl Effects {
    /// Adds a line, whole and at once, whatever happens to the process afterwards.
    pub(crate) fn add(&self, effect: &str) {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.0).unwrap();
        file.write_all(format!("{effect}\n").as_bytes()).unwrap();
    }

    pub(crate) fn all(&self) -> Vec<String> {
        std::fs::read_to_string(&self.0).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    pub(crate) fn count(&self, effect: &str) -> usize {
        self.all().iter().filter(|line| *line == effect).count()
    }
}

/// A file whose being there is a message between processes.
#[derive(Debug, Clone)]
pub(crate) struct Flag(PathBuf);

impl Flag {
    pub(crate) fn raise(&self) {
        std::fs::write(&self.0, "").unwrap();
    }

    pub(crate) fn is_up(&self) -> bool {
        self.0.exists()
    }

    /// Returns when it is up, however long that takes.
    pub(crate) async fn wait(&self) {
        while !self.is_up() {
            tokio::time::sleep(super::GLANCE).await;
        }
    }
}

/// Not a test: where a worker process begins. In the test run itself it does nothing.
#[test]
fn worker_process() {
    let Ok(role) = std::env::var(ROLE) else { return };
    // Not even a killed test run leaves processes behind: then the input ends.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(3);
    });
    if std::env::var_os(TRACE).is_some() {
        tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter("durable_core=debug").init();
    }
    let url = std::env::var(URL).unwrap();
    // The folder is the test's, also where this process panics.
    let folder = std::mem::ManuallyDrop::new(Folder(std::env::var_os(FOLDER).unwrap().into()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        match role.as_str() {
            "order" => crashing::work(&url, &folder).await,
            "poison" => crashing::work_with_poison(&url, &folder).await,
            "maze" => deciding::work(&url, &folder).await,
            "doubling" => mapping::work(&url, &folder).await,
            "meter" => continuing::crashing::work(&url, &folder).await,
            "depot" => setting_values::work(&url).await,
            "parcel" => graphs::delaying::work(&url, &folder).await,
            "counting" => graphs::mapping::work(&url, &folder).await,
            "diamond" => graphs::crashing::work(&url, &folder).await,
            "told" => graphs::observing::work(&url, &folder).await,
            "flow_in_a_graph" => graphs::flowing::work(&url, &folder).await,
            "ticking" => graphs::ticking::work(&url, &folder).await,
            "asked_twice" => graphs::asking::work(&url, &folder).await,
            "shop" => tagging::work(&url).await,
            "market" => crashing_waits::work(&url, &folder).await,
            "basket" => crashing_closes::work(&url, &folder).await,
            "release 1" => deploying::work(1, &url).await,
            "release 2" => deploying::work(2, &url).await,
            "declaring 1" => deploying::declare(1, &url, &folder).await,
            "declaring 2" => deploying::declare(2, &url, &folder).await,
            "relay" => failing_over::work(&url).await,
            "assembly" => routing::work(&url, &folder).await,
            "journey" => crashing_flows::work(&url, &folder).await,
            "fleet" => fleet::work(&url, &folder).await,
            "limited" => limiting::work(&url, &folder).await,
            "held" => leasing::work(&url, &folder).await,
            "pausing" => pausing_executions::work(&url).await,
            "migration" => pooling::migrate_and_stay(&url).await,
            "traced" => telemetry::work(&url, &folder).await,
            "transfer" => transacting::work(&url).await,
            "expiring" => expiring::work(&url).await,
            "schedules" => scheduling::work(&url).await,
            "skewed" => skewing::work(&url).await,
            "hanging" => sticking::work(&url, &folder).await,
            "until signal" => shutting_down::work(&url, &folder).await,
            other => panic!("there is no worker called `{other}`"),
        }
    });
}
