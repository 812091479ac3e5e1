//! Reads executions for people: details, lists, pending inputs.

mod steps;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use sqlx::postgres::{PgArguments, PgRow, Postgres};
use sqlx::query::Query;
use sqlx::{PgExecutor, PgPool, Row};
use uuid::Uuid;

use super::read::Lenient;
use super::{Statement, Store, statement, values};
use crate::ids::{ExecutionId, IdPrefix};
use crate::model::{
    Child, Edit, Execution, ExecutionDetails, ExecutionState, KeptMessage, MOST_MESSAGES, Parent, ParentPolicy, PendingInput,
    Refusal, Step, Wait, WaitKind,
};
use crate::plan::journal_key::UNDO;

/// Filters of a list; those left out let everything pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct ListFilter {
    pub(crate) states: Option<Vec<&'static str>>,
    pub(crate) workflow: Option<String>,
    pub(crate) version: Option<i32>,
    pub(crate) queue: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) parent: Option<ExecutionId>,
    /// All of them, each with its value.
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) created_from: Option<DateTime<Utc>>,
    pub(crate) created_before: Option<DateTime<Utc>>,
    pub(crate) ids: Option<IdPrefix>,
    pub(crate) archived: Archived,
    pub(crate) order: ListOrder,
    pub(crate) limit: i64,
}

/// Whether a list shows archived executions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Archived {
    #[default]
    Hidden,
    Included,
    Only,
}

impl Archived {
    /// Whether an execution that is listed is archived; `None` for both.
    pub(super) fn is_archived(self) -> Option<bool> {
        match self {
            Self::Hidden => Some(false),
            Self::Included => None,
            Self::Only => Some(true),
        }
    }
}

impl ListFilter {
    /// Whether any filter is given.
    pub(crate) fn is_any(&self) -> bool {
        let Self { states, workflow, version, queue, key, parent, tags, created_from, created_before, ids, .. } = self;
        states.is_some()
            || workflow.is_some()
            || version.is_some()
            || queue.is_some()
            || key.is_some()
            || parent.is_some()
            || !tags.is_empty()
            || created_from.is_some()
            || created_before.is_some()
            || ids.is_some()
    }
}

/// The order of a list, and where in it a page begins. By default the newest execution comes first, and all places are 0.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ListOrder {
    pub(crate) by: Option<&'static str>,
    pub(crate) descending: bool,
    /// The place and the id of the last execution of the page before.
    pub(crate) after: Option<(f64, ExecutionId)>,
}

pub(crate) async fn execution(
    store: &Store,
    executor: impl PgExecutor<'_>,
    id: ExecutionId,
) -> Result<Option<Execution>, sqlx::Error> {
    let row = store.query_once(statement!("executions/get")).bind(id.as_uuid()).fetch_optional(executor).await?;
    row.as_ref().map(read_execution).transpose()
}

pub(crate) async fn details(store: &Store, pool: &PgPool, id: ExecutionId) -> Result<Option<ExecutionDetails>, sqlx::Error> {
    let Some(execution) = execution(store, pool, id).await? else { return Ok(None) };
    let about = |statement, id: ExecutionId| store.query(statement).bind(id.as_uuid()).fetch_all(pool);
    let mut unreadable = Vec::new();
    let waits: Vec<Read<Wait>> = about(statement!("waits/get"), id).await?.iter().map(read_wait).collect();
    let waits = waits.into_iter().map(|(wait, note)| {
        unreadable.extend(note.map(|note| format!("wait `{}`: {note}", wait.key)));
        wait
    });
    let waits = waits.collect();
    let children = about(statement!("executions/children"), id).await?.iter().map(read_child).collect::<Result<Vec<_>, _>>()?;
    let children = children.into_iter().map(|(child, note)| {
        unreadable.extend(note.map(|note| format!("child {}: {note}", child.id)));
        child
    });
    let children = children.collect();
    let (values, unread) = values::list(store, pool, id, None).await?;
    unreadable.extend(unread);
    let journal = steps::read(&about(statement!("checkpoints/get"), id).await?, &mut unreadable);
    let undone = match execution.undoes {
        Some(other) => Some(steps::read(&about(statement!("checkpoints/get"), other).await?, &mut unreadable)),
        None => None,
    };
    let edits = about(statement!("journal_edits/list"), id).await?;
    let edits = edits.iter().map(|row| read_edit(row, &mut unreadable)).collect();
    let mailbox =
        store.query(statement!("mailbox/list")).bind(id.as_uuid()).bind(i64::from(MOST_MESSAGES)).fetch_all(pool).await?;
    let mailbox = mailbox.iter().map(|row| read_kept_message(row, &mut unreadable)).collect();
    let refusals = about(statement!("refusals/list"), id).await?;
    let refusals = refusals.iter().map(|row| read_refusal(row, &mut unreadable)).collect();
    let (steps, compensations) = steps::apart(journal, undone.as_deref());
    Ok(Some(ExecutionDetails { execution, steps, waits, children, compensations, values, edits, mailbox, refusals, unreadable }))
}

/// The steps in these rows; `None` if a step is undone in them, because then the whole journal has to be read.
pub(super) fn steps_among(rows: &[PgRow]) -> Option<Vec<Step>> {
    let (steps, compensations) = steps::apart(steps::read(rows, &mut Vec::new()), Some(&[]));
    let undoes = steps.iter().any(|step| step.key.starts_with(UNDO));
    (compensations.is_empty() && !undoes).then_some(steps)
}

/// Executions, each with its place in the list: the smaller one is listed first, and of equal ones the newer execution.
pub(crate) async fn list(store: &Store, pool: &PgPool, filter: &ListFilter) -> Result<Vec<(Execution, f64)>, sqlx::Error> {
    let ListOrder { by, descending, after } = filter.order;
    let query = filtered(store, statement!("executions/list"), filter)
        .bind(by)
        .bind(descending)
        .bind(after.map(|(place, _)| place))
        .bind(after.map(|(_, id)| id.as_uuid()))
        .bind(filter.limit)
        .bind(tag_names(filter))
        .bind(tag_values(filter))
        .bind(filter.archived.is_archived());
    query.fetch_all(pool).await?.iter().map(|row| Ok((read_execution(row)?, row.try_get("place")?))).collect()
}

/// How many executions there are in each state that any of them has.
pub(crate) async fn count(store: &Store, pool: &PgPool, filter: &ListFilter) -> Result<Vec<(ExecutionState, u64)>, sqlx::Error> {
    let rows = filtered(store, statement!("executions/count"), filter)
        .bind(tag_names(filter))
        .bind(tag_values(filter))
        .bind(filter.archived.is_archived())
        .fetch_all(pool)
        .await?;
    let count = |row: &PgRow| Ok((known_state(row.try_get("state")?), row.try_get::<i64, _>("executions")?.unsigned_abs()));
    rows.iter().map(count).collect()
}

/// How many executions pass the filters; it counts no further than `most`.
pub(crate) async fn count_at_most(store: &Store, pool: &PgPool, filter: &ListFilter, most: i64) -> Result<u64, sqlx::Error> {
    let query = filtered(store, statement!("executions/count_at_most"), filter);
    let row = query.bind(tag_names(filter)).bind(tag_values(filter)).bind(most).fetch_one(pool).await?;
    Ok(row.try_get::<i64, _>("executions")?.unsigned_abs())
}

/// A statement about the executions that pass the filters, which are its first parameters.
pub(super) fn filtered<'filter>(
    store: &Store,
    statement: Statement,
    filter: &'filter ListFilter,
) -> Query<'filter, Postgres, PgArguments> {
    store
        .query_once(statement)
        .bind(&filter.states)
        .bind(&filter.workflow)
        .bind(filter.version)
        .bind(&filter.queue)
        .bind(&filter.key)
        .bind(filter.created_from)
        .bind(filter.created_before)
        .bind(filter.ids.map(|ids| ids.range().0))
        .bind(filter.ids.map(|ids| ids.range().1))
        .bind(filter.parent.map(ExecutionId::as_uuid))
}

pub(super) fn tag_names(filter: &ListFilter) -> Vec<&str> {
    filter.tags.iter().map(|(name, _)| name.as_str()).collect()
}

pub(super) fn tag_values(filter: &ListFilter) -> Vec<&str> {
    filter.tags.iter().map(|(_, value)| value.as_str()).collect()
}

/// Filters of pending inputs; those left out let everything pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct InputFilter {
    pub(crate) workflow: Option<String>,
    pub(crate) due_before: Option<DateTime<Utc>>,
    pub(crate) assignee: Option<String>,
    pub(crate) execution: Option<ExecutionId>,
    /// The deadline, the execution and the key of the last item of the previous page.
    pub(crate) after: Option<(Option<DateTime<Utc>>, ExecutionId, String)>,
    pub(crate) limit: i64,
}

pub(crate) async fn pending_inputs(store: &Store, pool: &PgPool, filter: &InputFilter) -> Result<Vec<PendingInput>, sqlx::Error> {
    let (due_at, id, key) = match &filter.after {
        Some((due_at, id, key)) => (*due_at, Some(id.as_uuid()), Some(key)),
        None => (None, None, None),
    };
    let query = store
        .query_once(statement!("waits/pending_inputs"))
        .bind(&filter.workflow)
        .bind(filter.due_before)
        .bind(filter.limit)
        .bind(due_at)
        .bind(id)
        .bind(key)
        .bind(&filter.assignee)
        .bind(filter.execution.map(ExecutionId::as_uuid));
    query.fetch_all(pool).await?.iter().map(read_pending_input).collect()
}

/// A state by its word; an unknown word becomes `Unknown`.
pub(super) fn known_state(word: &str) -> ExecutionState {
    word.parse().unwrap_or(ExecutionState::Unknown)
}

pub(super) fn read_execution(row: &PgRow) -> Result<Execution, sqlx::Error> {
    let columns = Lenient::new(row);
    let execution = Execution {
        id: row.try_get::<Uuid, _>("execution_id")?.into(),
        workflow: columns.get("workflow"),
        version: columns.count("version"),
        queue: columns.get("queue"),
        priority: columns.get("priority"),
        key: columns.get("key"),
        concurrency_key: columns.get("concurrency_key"),
        deduplication_key: columns.get("deduplication_key"),
        debounce_key: columns.get("debounce_key"),
        state: columns.state("state"),
        epoch: columns.count("epoch"),
        input: columns.json("input").unwrap_or_default(),
        output: columns.json("output"),
        error: columns.failure("error"),
        rollback: columns.failure("rollback"),
        created_at: columns.time("created_at"),
        started_at: columns.time_if("started_at"),
        wake_at: columns.time_if("wake_at"),
        expires_at: columns.time_if("expires_at"),
        deadline_at: columns.time_if("deadline_at"),
        finished_at: columns.time_if("finished_at"),
        parent: read_parent(&columns),
        undoes: columns.get::<Option<Uuid>>("undoes").map(ExecutionId::from),
        schedule: columns.get("schedule"),
        scheduled_for: columns.time_if("scheduled_for"),
        forked_from: columns.get::<Option<Uuid>>("forked_from").map(ExecutionId::from),
        paused_at: columns.time_if("paused_at"),
        continuations: columns.count("continuations"),
        continued_with: columns.json("continued_with"),
        tags: columns.tags("tags"),
        archived_at: columns.time_if("archived_at"),
        unreadable: None,
    };
    Ok(Execution { unreadable: columns.unreadable(), ..execution })
}

fn read_parent(columns: &Lenient<'_>) -> Option<Parent> {
    let id: Uuid = columns.get::<Option<Uuid>>("parent_id")?;
    let policy = columns.word_if("parent_policy")?;
    Some(Parent { id: id.into(), key: columns.get("parent_key"), policy, notified_at: columns.time_if("parent_notified_at") })
}

/// The values of a row, and the columns that could not be read.
type Read<T> = (T, Option<String>);

fn read_child(row: &PgRow) -> Result<Read<Child>, sqlx::Error> {
    let columns = Lenient::new(row);
    let child = Child {
        id: row.try_get::<Uuid, _>("execution_id")?.into(),
        workflow: columns.get("workflow"),
        key: columns.get("parent_key"),
        policy: columns.word("parent_policy", ParentPolicy::Cancel),
        notified_at: columns.time_if("parent_notified_at"),
        state: columns.state("state"),
    };
    Ok((child, columns.unreadable()))
}

pub(super) fn read_wait(row: &PgRow) -> Read<Wait> {
    let columns = Lenient::new(row);
    let wait = Wait {
        key: columns.get("key"),
        kind: columns.word("kind", WaitKind::Event),
        name: columns.get("name"),
        names: columns.get::<Option<_>>("names").unwrap_or_default(),
        correlation: columns.get("correlation"),
        child_id: columns.get::<Option<Uuid>>("child_id").map(ExecutionId::from),
        form: columns.word_if("form"),
        prompt: columns.get("prompt"),
        metadata: columns.json("metadata"),
        assignee: columns.get("assignee"),
        started_at: columns.time("started_at"),
        due_at: columns.time_if("due_at"),
        outcome: columns.word_if("outcome"),
        payload: columns.json("payload"),
        answered_by: columns.get("answered_by"),
        resolved_at: columns.time_if("resolved_at"),
    };
    (wait, columns.unreadable())
}

fn read_pending_input(row: &PgRow) -> Result<PendingInput, sqlx::Error> {
    let columns = Lenient::new(row);
    let input = PendingInput {
        execution_id: row.try_get::<Uuid, _>("execution_id")?.into(),
        workflow: columns.get("workflow"),
        key: columns.get("key"),
        name: columns.get("name"),
        form: columns.word_if("form").unwrap_or_default(),
        prompt: columns.get("prompt"),
        schema: columns.json("schema"),
        metadata: columns.json("metadata"),
        assignee: columns.get("assignee"),
        asked_at: columns.time("asked_at"),
        due_at: columns.time_if("due_at"),
        refusal: read_refusal_of_input(&columns),
        unreadable: None,
    };
    Ok(PendingInput { unreadable: columns.unreadable(), ..input })
}

fn read_refusal_of_input(columns: &Lenient<'_>) -> Option<Refusal> {
    let refused_at = columns.time_if("refused_at")?;
    Some(Refusal {
        key: columns.get("key"),
        kind: WaitKind::Input,
        name: columns.get("name"),
        reason: columns.get("reason"),
        payload: columns.json("refused_payload"),
        sent_by: columns.get("sent_by"),
        refused_at,
    })
}

fn read_edit(row: &PgRow, unreadable: &mut Vec<String>) -> Edit {
    let columns = Lenient::new(row);
    let key: String = columns.get("key");
    let edit = Edit {
        key: (!key.is_empty()).then_some(key),
        reason: columns.get("reason"),
        edited_by: columns.get("edited_by"),
        edited_at: columns.time("edited_at"),
    };
    unreadable.extend(columns.unreadable().map(|note| format!("edit of `{}`: {note}", edit.key.as_deref().unwrap_or("input"))));
    edit
}

fn read_kept_message(row: &PgRow, unreadable: &mut Vec<String>) -> KeptMessage {
    let columns = Lenient::new(row);
    let message = KeptMessage {
        kind: columns.word("kind", WaitKind::Event),
        name: columns.get("name"),
        payload: columns.json("payload").unwrap_or_default(),
        sent_by: columns.get("sent_by"),
        sent_at: columns.time("sent_at"),
    };
    unreadable.extend(columns.unreadable().map(|note| format!("message `{}`: {note}", message.name)));
    message
}

fn read_refusal(row: &PgRow, unreadable: &mut Vec<String>) -> Refusal {
    let columns = Lenient::new(row);
    let refusal = Refusal {
        key: columns.get("key"),
        kind: columns.word("kind", WaitKind::Event),
        name: columns.get("name"),
        reason: columns.get("reason"),
        payload: columns.json("payload"),
        sent_by: columns.get("sent_by"),
        refused_at: columns.time("refused_at"),
    };
    unreadable.extend(columns.unreadable().map(|note| format!("refusal of `{}`: {note}", refusal.name)));
    refusal
}

/// A value of an enum by its word.
pub(super) fn word<T: DeserializeOwned>(word: &str) -> Result<T, sqlx::Error> {
    serde_json::from_value(serde_json::Value::String(word.to_owned())).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
