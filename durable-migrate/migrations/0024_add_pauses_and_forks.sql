-- expand: since when an execution is to go no further, whose journal it took over when it began, and of which execution it has the
-- UUIDs and idempotency keys then: the first in that line.
alter table durable.executions
    add column paused_at timestamptz,
    add column forked_from uuid,
    add column namespace uuid;
