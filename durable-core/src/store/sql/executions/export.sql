-- executions/export: read: executions $1 with their journals, each as one JSON text. Payloads are as they are stored, digit for
-- digit.
select
    executions.execution_id,
    json_build_object(
        'format', 1,
        'execution_id', executions.execution_id,
        'namespace', coalesce(executions.namespace, executions.execution_id),
        'workflow', executions.workflow,
        'version', executions.version,
        'release', (select workers.version from durable.workers where workers.worker_id = executions.worker_id),
        'state', shown.state,
        'created_at', executions.created_at,
        'started_at', executions.started_at,
        'finished_at', executions.finished_at,
        'scheduled_for', executions.scheduled_for,
        'continuations', coalesce(executions.continuations, 0),
        'undoes', executions.undoes,
        'step', case when executions.step_key is not null then json_build_object(
            'key', executions.step_key, 'owner_id', executions.owner_id, 'owner_namespace', executions.owner_namespace
        ) end,
        'input', coalesce(executions.continued_with, executions.input),
        'output', executions.output,
        'error', executions.error,
        'rollback', executions.rollback,
        'checkpoints', (
            select coalesce(json_agg(json_build_object(
                'key', key, 'digest', digest::text, 'attempt', attempt, 'started_at', started_at, 'finished_at', finished_at,
                'undo_order', undo_order, 'output', output, 'error', error
            ) order by ordinal), '[]')
            from durable.checkpoints
            where checkpoints.execution_id = executions.execution_id
        ),
        'attempts', (
            select coalesce(json_agg(json_build_object(
                'key', key, 'attempt', attempt, 'started_at', started_at, 'finished_at', finished_at, 'retry_at', retry_at,
                'error', error
            ) order by key, attempt), '[]')
            from durable.attempts
            where attempts.execution_id = executions.execution_id
        ),
        'waits', (
            select coalesce(json_agg(json_build_object(
                'key', key, 'kind', kind, 'name', name, 'started_at', started_at, 'due_at', due_at, 'digest', digest::text,
                'child_id', child_id, 'outcome', outcome, 'resolved_at', resolved_at, 'message_id', message_id,
                'assignee', assignee, 'answered_by', answered_by, 'payload', payload
            ) order by ordinal), '[]')
            from durable.waits
            where waits.execution_id = executions.execution_id
        )
    )::text as journal
from durable.executions
join durable.shown_executions as shown using (execution_id)
where executions.execution_id = any ($1)
order by executions.execution_id
