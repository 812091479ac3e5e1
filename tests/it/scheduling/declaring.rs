//! Schedules that the code declares: written when a worker starts, once, and what people have switched since stays.

use super::*;

use durable::Missed;

/// The input of a nightly report, which nobody gives.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
struct Scope {
    team: String,
}

impl Default for Scope {
    fn default() -> Self {
        Self { team: "everyone".to_owned() }
    }
}

struct NightlyReport;

#[workflow(
    queue = "reports",
    schedule = "30 2 * * *",
    timezone = "Europe/Berlin",
    missed = window("2h"),
    overlap = skip,
    jitter = "30s",
    max_failures = 5
)]
impl NightlyReport {
    async fn run(&self, cx: &Context, scope: Scope) -> Result<String> {
        Ok(format!("{} on {}", scope.team, cx.scheduled_for().unwrap_or_default().format("%F")))
    }
}

/// The same workflow in a later release.
struct EarlierReport;

#[workflow(name = "nightly_report", version = 2, queue = "reports", schedule = "every 1h")]
impl EarlierReport {
    async fn run(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_worker_writes_the_schedules_that_its_workflows_declare() {
    let database = support::database().await;
    let durable = database.builder().register(NightlyReport).start().await.unwrap();
    let schedule = durable.get_schedule("nightly_report").await.unwrap();
    assert_eq!((schedule.workflow.as_str(), schedule.version, schedule.queue.as_str()), ("nightly_report", 1, "reports"));
    assert_eq!((schedule.rule.as_str(), schedule.timezone.as_str()), ("30 2 * * *", "Europe/Berlin"));
    assert_eq!((schedule.missed, schedule.overlap), (Missed::Window(hours(2)), Overlap::Skip));
    assert_eq!((schedule.jitter, schedule.max_failures), (seconds(30), Some(5)));
    assert!(schedule.declared && schedule.enabled && schedule.description.contains("02:30"), "{schedule:?}");
    assert_eq!(schedule.input, serde_json::json!({ "team": "everyone" }));

    let id = durable.trigger_schedule("nightly_report").await.unwrap();
    let output = soon("its end", durable.handle::<NightlyReport>(id).result()).await.unwrap();
    assert!(output.starts_with("everyone on "), "{output}");
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn another_start_keeps_what_people_have_switched_and_a_later_release_changes_the_rest() {
    let database = support::database().await;
    clock::freeze(&database).await;
    let start = async || database.builder().register(NightlyReport).start().await.unwrap();
    let durable = start().await;
    durable.disable_schedule("nightly_report", "the auditors are here").await.unwrap();
    let before = durable.get_schedule("nightly_report").await.unwrap();
    durable.shutdown().await.unwrap();

    clock::turn(&database, days(3)).await;
    let durable = start().await;
    let again = durable.get_schedule("nightly_report").await.unwrap();
    assert_eq!((again.revision, again.enabled, again.next_due_at), (1, false, before.next_due_at));
    assert_eq!(again.updated_at, before.updated_at);
    durable.shutdown().await.unwrap();

    let durable = database.builder().register(NightlyReport).register(EarlierReport).start().await.unwrap();
    let later = durable.get_schedule("nightly_report").await.unwrap();
    assert_eq!((later.revision, later.version, later.rule.as_str()), (2, 2, "every 1h"), "of two versions, the later");
    assert_eq!((later.enabled, later.disabled_reason.as_deref()), (false, Some("the auditors are here")));
    assert!(later.next_due_at > before.next_due_at);
    durable.shutdown().await.unwrap();
}

#[tokio::test]
async fn workers_that_start_at_once_write_one_schedule() {
    let database = support::database().await;
    let starts = (0..5).map(|_| database.builder().register(NightlyReport).start());
    let workers = futures_util::future::join_all(starts).await;
    assert_eq!(database.values::<i32>("select revision from durable.schedules").await, [1]);
    for worker in workers {
        worker.unwrap().shutdown().await.unwrap();
    }
}

struct OneATime;

#[workflow(concurrency_key = |team: &String| format!("team {team}"), limit = 1, schedule = "@daily")]
impl OneATime {
    async fn run(&self, _cx: &Context, team: String) -> Result<String> {
        Ok(team)
    }
}

#[tokio::test]
async fn executions_that_a_schedule_starts_count_against_the_limits_of_their_keys() {
    let database = support::database().await;
    let durable = database.builder().register(OneATime).start().await.unwrap();
    let made = durable.schedule::<OneATime>("typed", "@daily", "red".to_owned()).await.unwrap();
    assert_eq!(made.concurrency_key.as_deref(), Some("team red"));
    let given = durable.update_schedule("typed").concurrency_key("team blue".to_owned()).await.unwrap();
    assert_eq!((given.concurrency_key.as_deref(), given.revision), (Some("team blue"), 2));
    for (schedule, key) in [("one_a_time", "team "), ("typed", "team blue")] {
        let id = durable.trigger_schedule(schedule).await.unwrap();
        let sql = format!("select concurrency_key from durable.executions where execution_id = '{id}'");
        assert_eq!(database.value::<String>(&sql).await, key);
    }
    durable.shutdown().await.unwrap();
}

struct OnMars;

#[workflow(schedule = "@daily", timezone = "Mars/Olympus")]
impl OnMars {
    async fn run(&self, _cx: &Context) -> Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_time_zone_that_is_not_known_is_refused_when_the_worker_starts() {
    let database = support::database().await;
    let error = database.builder().register(OnMars).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("schedule `on_mars`: `Mars/Olympus` is no time zone; give a name"), "{error}");
    assert_eq!(database.count("select count(*) from durable.schedules").await, 0);
    assert_eq!(database.count("select count(*) from durable.workers").await, 0, "refused before anything is written");
}
