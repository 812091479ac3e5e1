-- try_lock_mailbox: as lock_mailbox, but false at once where somebody else holds it.
create or replace function durable.try_lock_mailbox(execution_id uuid) returns boolean
language sql volatile
return pg_try_advisory_xact_lock(hashtextextended('durable.' || $1, 0));
