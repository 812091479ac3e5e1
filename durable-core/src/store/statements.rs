//! The list of every statement the engine sends, and its text in the schema of this instance.

use std::sync::Arc;

use durable_migrate::SchemaName;
use sqlx::AssertSqlSafe;

macro_rules! statements {
    ($($variant:ident = $path:literal,)*) => {
        /// A statement of the engine, named after its file in `store/sql`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Statement { $($variant),* }

        /// Every statement: its variant, its file below `store/sql`, and its text for the schema `durable`.
        pub(crate) const STATEMENTS: &[(Statement, &str, &str)] =
            &[$((Statement::$variant, $path, include_str!(concat!("sql/", $path, ".sql")))),*];
    };
}

statements! {
    RecordAttempts = "attempts/record",
    CommitStep = "checkpoints/commit",
    ReadDecisions = "checkpoints/decisions",
    FindStep = "checkpoints/find",
    GetSteps = "checkpoints/get",
    LoadJournals = "checkpoints/load",
    OutlineJournal = "checkpoints/outline",
    ReadClock = "clock/read",
    FindBloatedTables = "doctor/find_bloated_tables",
    FindInvalidIndexes = "doctor/find_invalid_indexes",
    FindLostWorkers = "doctor/find_lost_workers",
    FindOldSnapshots = "doctor/find_old_snapshots",
    FindOverdueTimers = "doctor/find_overdue_timers",
    FindStuckExecutions = "doctor/find_stuck_executions",
    FindTroubles = "doctor/find_troubles",
    FindUnheardMessages = "doctor/find_unheard_messages",
    FindUnknownExecutions = "doctor/find_unknown_executions",
    FindUnreadableExecutions = "doctor/find_unreadable_executions",
    FindUnservedQueues = "doctor/find_unserved_queues",
    MeasureDatabase = "doctor/measure",
    ReadServerClock = "doctor/read_clock",
    FinishDuty = "duties/finish",
    HoldDuty = "duties/hold",
    TakeDuties = "duties/take",
    BeginRollback = "executions/begin_rollback",
    CancelExecution = "executions/cancel",
    CancelChildren = "executions/cancel_children",
    CancelOrphans = "executions/cancel_orphans",
    GetChildren = "executions/children",
    ClaimExecutions = "executions/claim",
    CountExecutions = "executions/count",
    CountPrunableExecutions = "executions/count_prunable",
    EndsOfExecutions = "executions/ends",
    ExpireExecutions = "executions/expire",
    LookForWork = "executions/look",
    FinishExecution = "executions/finish",
    FinishedExecutions = "executions/finished",
    ForkExecution = "executions/fork",
    GetExecution = "executions/get",
    HeldExecutions = "executions/held",
    ListExecutions = "executions/list",
    ParkExecutions = "executions/park",
    PauseExecution = "executions/pause",
    PoisonedExecution = "executions/poison",
    PruneExecutions = "executions/prune",
    RescueExecutions = "executions/rescue",
    ResumeExecution = "executions/resume",
    RetryExecution = "executions/retry",
    RollBackExecution = "executions/rollback",
    SaveExecutions = "executions/save",
    StartExecutions = "executions/start",
    StrayExecutions = "executions/stray",
    TellParents = "executions/tell_parents",
    UntoldExecutions = "executions/untold",
    WakeExecutions = "executions/wake",
    ListMailbox = "mailbox/list",
    NotifyOthers = "notifications/send",
    PrunePublications = "publications/prune",
    PublishToTopic = "publications/publish",
    DeleteQueue = "queues/delete",
    ListQueues = "queues/list",
    PauseQueue = "queues/pause",
    ResumeQueue = "queues/resume",
    SetQueueLimits = "queues/set_limits",
    ListRefusals = "refusals/list",
    PruneScheduleFires = "schedule_fires/prune",
    ListScheduleFires = "schedule_fires/list",
    BackfillSchedule = "schedules/backfill",
    DeleteSchedule = "schedules/delete",
    DisableSchedule = "schedules/disable",
    DueSchedules = "schedules/due",
    EnableSchedule = "schedules/enable",
    FireSchedules = "schedules/fire",
    GetSchedule = "schedules/get",
    ListSchedules = "schedules/list",
    PutSchedule = "schedules/put",
    TriggerSchedule = "schedules/trigger",
    LookAtServer = "servers/look",
    ReadServerProcess = "servers/read_process",
    CancelWait = "waits/cancel",
    DeliverStragglers = "waits/deliver",
    GetWaits = "waits/get",
    PendingInputs = "waits/pending_inputs",
    ProvideInput = "waits/provide_input",
    FindQuestion = "waits/question",
    SendEvent = "waits/send_event",
    BeatWorker = "workers/beat",
    DeprecateWorker = "workers/deprecate",
    ExpireWorkers = "workers/expire",
    ForgetWorkers = "workers/forget",
    ListWorkers = "workers/list",
    RegisterWorker = "workers/register",
    RetireWorker = "workers/retire",
}

/// The text of every statement in one schema.
#[derive(Debug, Clone)]
pub(crate) struct Statements {
    texts: Arc<[Arc<str>]>,
}

impl Statements {
    pub(crate) fn in_schema(schema: &SchemaName) -> Self {
        Self { texts: STATEMENTS.iter().map(|(_, _, text)| schema.qualify(text).into()).collect() }
    }

    /// The statement's text; safe to send, as a schema name is a checked identifier and everything else is bound.
    pub(crate) fn text(&self, statement: Statement) -> AssertSqlSafe<Arc<str>> {
        AssertSqlSafe(self.texts[statement as usize].clone())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_statement_has_one_file_and_every_file_one_statement() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store/sql");
        let mut on_disk = BTreeSet::new();
        for table in std::fs::read_dir(&folder).unwrap() {
            let table = table.unwrap();
            for file in std::fs::read_dir(table.path()).unwrap() {
                let file = file.unwrap().path();
                on_disk.insert(format!(
                    "{}/{}",
                    table.file_name().to_str().unwrap(),
                    file.file_stem().unwrap().to_str().unwrap()
                ));
            }
        }
        let listed: BTreeSet<String> = STATEMENTS.iter().map(|(_, path, _)| (*path).to_owned()).collect();
        assert_eq!(on_disk, listed);
    }

    #[test]
    fn the_first_line_of_every_statement_names_it() {
        for (_, path, text) in STATEMENTS {
            assert!(text.starts_with(&format!("-- {path}: ")), "{path}");
        }
    }

    #[test]
    fn a_statement_that_is_marked_as_read_writes_nothing() {
        let marked = STATEMENTS.iter().filter(|(_, path, text)| text.starts_with(&format!("-- {path}: read: ")));
        for (_, path, text) in marked {
            let written = ["insert into ", "update durable.", "delete from "].iter().find(|verb| text.contains(**verb));
            assert_eq!(written, None, "{path}");
        }
    }
}
