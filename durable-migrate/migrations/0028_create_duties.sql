-- expand: when a duty that one worker does for all is due again, and who did it last.
create table durable.duties (
    shard smallint not null,
    duty text not null,
    due_at timestamptz not null,
    taken_at timestamptz not null,
    worker_id uuid not null,
    constraint duties_pkey primary key (shard, duty)
) with (fillfactor = 50);
