-- try_lock_mailbox: like lock_mailbox, but returns false at once if another transaction holds the lock.
create or replace function durable.try_lock_mailbox(execution_id uuid) returns boolean
language sql volatile
return pg_try_advisory_xact_lock(hashtextextended('durable.' || $1, 0));
