-- executions/claim: take up to $3 pending executions of queue $2 that worker $1 knows ($4 to $8), as its limits allow.
select
    execution_id, epoch, workflow, version, $2::text as queue, rank, claims, deadline_at, input, rollback, undoes,
    awaited, scheduled_for, namespace, step_key, owner_id, owner_namespace, trace_context, started_at, ready_at, resolved,
    limited, retry_at
from durable.claim($1, $2, $3, $4, $5, $6, $7, $8)
