-- expand: the committed outcome of each step, written once and never changed.
create table durable.checkpoints (
    execution_id uuid not null,
    digest bigint,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    shard smallint not null,
    attempt smallint not null,
    key text not null,
    output json,
    error json,
    constraint checkpoints_pkey primary key (shard, execution_id, key),
    constraint output_or_error check ((output is null) <> (error is null))
);
