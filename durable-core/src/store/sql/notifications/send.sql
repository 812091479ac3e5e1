-- notifications/send: upkeep: notify other processes. This has a transaction of its own, because NOTIFY serialises commits.
select pg_notify($1, message), set_config('synchronous_commit', 'off', true)
from unnest($2::text[]) as message
