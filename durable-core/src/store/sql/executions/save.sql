-- executions/save: write checkpoints and new states of executions that worker $1 holds; says which were accepted.
with fence as materialized (
    select worker_id
    from durable.workers
    where worker_id = $1 and lost_at is null
    for key share
),
now as materialized (
    select at from durable.present
),
item as materialized (
    select *
    from unnest($2::uuid[], $3::int4[], $4::text[], $5::text[], $6::text[])
        as item (execution_id, epoch, next_state, output, error)
),
moved as (
    update durable.executions
    set state = item.next_state,
        output = item.output::json,
        error = item.error::json,
        claims = 0,
        wake_at = case
            when item.next_state = 'pending' and paused_at is not null then 'infinity'::timestamptz
            -- One that is stopped is woken by its deadline; one that is stopped again behind it is not.
            when item.next_state = 'waiting' and deadline_at > now.at then deadline_at
        end,
        finished_at = case when item.next_state not in ('pending', 'running', 'waiting') then now.at end
    from item, fence, now
    where item.next_state is not null
      and executions.execution_id = any ($2)
      and executions.execution_id = item.execution_id
      and executions.epoch = item.epoch
      and executions.worker_id = fence.worker_id
      and executions.state = 'running'
    returning executions.execution_id, finished_at
),
-- Those that stay as they are; and, when this is tried again, those that an earlier try has moved.
held as (
    select item.execution_id
    from item, fence, durable.executions
    where (item.next_state is null or $7)
      and executions.execution_id = any ($2)
      and executions.execution_id = item.execution_id
      and executions.epoch = item.epoch
      and executions.worker_id = fence.worker_id
      and executions.state = coalesce(item.next_state, 'running')
),
accepted as materialized (
    select execution_id from moved
    union all
    select execution_id from held
),
step as not materialized (
    select
        step.execution_id,
        step.digest,
        now.at - make_interval(secs => step.took) as started_at,
        now.at as finished_at,
        step.attempt,
        step.undo_order,
        step.key,
        step.output::json,
        step.error::json,
        step.nth
    from unnest($8::uuid[], $9::text[], $10::int8[], $11::int2[], $12::float8[], $13::text[], $14::text[], $15::int4[])
        with ordinality as step (execution_id, key, digest, attempt, took, output, error, undo_order, nth)
    cross join now
    where step.execution_id in (select execution_id from accepted)
),
saved as (
    insert into durable.checkpoints (
        execution_id, digest, started_at, finished_at, attempt, undo_order, key, output, error
    )
    select execution_id, digest, started_at, finished_at, attempt, undo_order, key, output, error
    from step
    where not $7
    -- Numbered in the order in which they ended.
    order by nth
),
-- `on conflict` makes the insert write a sixth more to the WAL, so only repeated writes use it.
saved_again as (
    insert into durable.checkpoints (
        execution_id, digest, started_at, finished_at, attempt, undo_order, key, output, error
    )
    select execution_id, digest, started_at, finished_at, attempt, undo_order, key, output, error
    from step
    where $7
    order by nth
    on conflict do nothing
    returning execution_id, key
),
-- Of each name the value or the tag that was set last, and how often it was set. A repeated write sets the values of those
-- checkpoints that an earlier try has not recorded.
value as (
    select distinct on (value.execution_id, value.name, value.is_tag)
        value.execution_id,
        value.key,
        value.name,
        value.value,
        value.metadata,
        value.is_tag,
        value.revision,
        value.state,
        value.node,
        value.set_at,
        count(*) over (partition by value.execution_id, value.name, value.is_tag)::int4 as times
    from unnest(
        $17::uuid[], $18::text[], $19::text[], $20::text[], $21::text[], $22::bool[],
        $23::int4[], $24::text[], $25::text[], $26::timestamptz[]
    ) with ordinality as value (execution_id, key, name, value, metadata, is_tag, revision, state, node, set_at, nth)
    where value.execution_id in (select execution_id from accepted)
      and (not $7 or (value.execution_id, value.key) in (select execution_id, key from saved_again))
    order by value.execution_id, value.name, value.is_tag, value.nth desc
),
set_values as (
    insert into durable.execution_values as kept (
        execution_id, set_at, revision, name, key, value, metadata, state, node
    )
    select
        value.execution_id, coalesce(value.set_at, now.at), coalesce(value.revision, value.times), value.name, value.key,
        value.value::json, value.metadata::json, value.state, value.node::json
    from value
    cross join now
    where not value.is_tag
    on conflict (execution_id, name) do update
    set set_at = excluded.set_at,
        -- A graph says which revision its node has.
        revision = case when excluded.state is null then kept.revision + excluded.revision else excluded.revision end,
        key = excluded.key,
        value = excluded.value,
        metadata = excluded.metadata,
        state = excluded.state,
        node = excluded.node
),
set_tags as (
    insert into durable.execution_tags as kept (execution_id, name, value)
    select value.execution_id, value.name, value.value
    from value
    where value.is_tag
    on conflict (execution_id, name) do update
    set value = excluded.value
    where kept.value <> excluded.value
),
-- Those that a sender's transaction is about to end are left to it: no flush waits for a caller.
open as materialized (
    select waits.execution_id, waits.key
    from durable.waits
    join moved using (execution_id)
    where waits.execution_id = any ($16)
      and waits.outcome is null
      and moved.finished_at is not null
    for no key update of waits skip locked
),
closed as (
    update durable.waits
    set outcome = 'cancelled', resolved_at = now.at, resolved_ordinal = nextval('durable.journal_ordinals')
    from open, now
    where waits.execution_id = any ($16)
      and waits.execution_id = open.execution_id
      and waits.key = open.key
)
select
    at,
    array(select execution_id from accepted) as accepted,
    -- A function behind a condition: further tables in this statement would cost every save a tenth.
    case when $27::int4[] is not null then
        durable.keep_histories(
            array(select execution_id from accepted),
            case when $7 then array(select concat_ws(' ', execution_id, key) from saved_again) end,
            $17::uuid[], $18::text[], $19::text[], $20::text[], $21::text[], $23::int4[], $26::timestamptz[], $27::int4[]
        )
    end
from now
