-- to_repeat: the journal keys of what a retry does again: failures that the workflow did not go on from.
create or replace function durable.to_repeat(execution_id uuid) returns setof text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with entry as materialized (
        select key, ordinal as began, ordinal as ended, error is not null as failed, output ->> 'branch' as decided_for
        from durable.checkpoints
        where execution_id = $1
        union all
        select
            -- Programs of before the ordinals end waits without one.
            key, ordinal, case when outcome is not null then coalesce(resolved_ordinal, ordinal) end,
            outcome in ('timed_out', 'cancelled') or kind = 'child' and payload ->> 'state' not in ('completed', 'started'),
            null
        from durable.waits
        where execution_id = $1
    ),
    -- A race, or the first failure among branches: it stands above what its branches did.
    around as materialized (
        select
            inner_entry.key,
            decision.key as decision,
            decision.decided_for = split_part(substr(inner_entry.key, length(decision.key) + 2), '/', 1) as decided
        from entry as decision
        join entry as inner_entry on starts_with(inner_entry.key, decision.key || '/')
        where decision.decided_for is not null
    ),
    final as materialized (
        select failure.key
        from entry as failure
        where failure.failed
          and not exists (select from around where around.key = failure.key and not decided)
          and not exists (
            select
            from entry as later
            where later.began > failure.ended
              and not durable.beside(later.key, failure.key)
              and not exists (select from around where around.key = failure.key and around.decision = later.key)
          )
    ),
    reopened as materialized (
        select distinct decision
        from around
        where key = any (array(select key from final))
    )
    select key from final
    union
    select decision from reopened
    union
    -- What was cut off by a decision that falls.
    select around.key
    from around
    join reopened using (decision)
    join entry on entry.key = around.key
    where entry.failed
$$;
