-- lock_mailbox: serialise parking and waking of one execution until the end of the transaction.
-- This is an advisory lock and not the row's lock, because a caller's transaction may hold it for long, and checkpoints lock the row.
create or replace function durable.lock_mailbox(execution_id uuid) returns void
language sql volatile
return pg_advisory_xact_lock(hashtextextended('durable.' || $1, 0));
