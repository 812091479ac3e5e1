-- executions/look: read: what no notification announced: those of the queues $1 in which executions are pending (a claim decides whether
-- limits let them begin), and whether executions have ended whose parents are not yet notified.
select
    array(
        select queue.name
        from unnest($1::text[]) as queue (name)
        where (
            select execution_id
            from durable.executions
            where executions.queue = queue.name
              and executions.state = 'pending'
              and executions.wake_at is null
              and executions.concurrency_key is null
            limit 1
        ) is not null
        or (
            select execution_id
            from durable.executions
            where executions.queue = queue.name
              and executions.state = 'pending'
              and executions.wake_at is null
              and executions.concurrency_key is not null
            limit 1
        ) is not null
    ) as queued,
    (
        select execution_id
        from durable.executions
        where parent_policy = 'await' and finished_at is not null and parent_notified_at is null
        limit 1
    ) is not null as has_unnotified
