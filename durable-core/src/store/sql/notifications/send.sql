-- notifications/send: upkeep: tell other processes, in a transaction of its own: NOTIFY serialises commits.
select pg_notify($1, message), set_config('synchronous_commit', 'off', true)
from unnest($2::text[]) as message
