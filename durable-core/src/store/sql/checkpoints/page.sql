-- checkpoints/page: read: the part of the journal of execution $1 after place $2, key $3 and attempt $4: up to $5 rows, and up to
-- $6 bytes. Checkpoints have place 0, attempts place 1, waits place 2. One row is returned, however large.
with entry as materialized (
    (
        select
            0 as place, key, 0::smallint as number, 'checkpoint' as entry, digest, attempt,
            output, error, null::timestamptz as at, finished_at as recorded_at, undo_order,
            null as outcome, null::uuid as child_id, null as answered_by, null::uuid as message_id
        from durable.checkpoints
        where execution_id = $1 and $2::int = 0 and key > $3::text
        order by key
        limit $5::int
    )
    union all
    (
        select
            1, key, attempt, 'attempt', null, attempt,
            null, error, retry_at, finished_at, null,
            null, null, null, null
        from durable.attempts
        where execution_id = $1 and ($2::int = 0 or $2::int = 1 and (key, attempt) > ($3::text, $4::smallint))
        order by key, attempt
        limit $5::int
    )
    union all
    (
        select
            2, key, 0::smallint, 'wait', digest, null,
            payload, null, resolved_at, coalesce(resolved_at, started_at), null,
            outcome, child_id, answered_by, message_id
        from durable.waits
        where execution_id = $1 and ($2::int < 2 or key > $3::text)
        order by key
        limit $5::int
    )
),
measured as (
    select
        *,
        row_number() over in_order as nth,
        sum(octet_length(coalesce(output, error, '""')::text)) over in_order as bytes
    from entry
    window in_order as (order by place, key, number rows unbounded preceding)
)
select
    $1::uuid as execution_id, place, key, number, entry, digest, attempt,
    output::text as output, error::text as error, at, recorded_at, undo_order, outcome, child_id, answered_by, message_id
from measured
where nth <= $5::int
  and (nth = 1 or bytes <= $6::bigint)
order by nth
