-- expand: duties that one worker does for all. Written by the worker whose turn it is.
create table durable.duties (
    duty text not null,
    -- When it is due again. Moved on before the duty is done, so that a worker that dies over it delays it by a period.
    due_at timestamptz not null,
    -- When it was last taken, and by which worker.
    taken_at timestamptz not null,
    worker_id uuid not null,
    -- The `taken_at` of the last turn that was done to its end.
    done_at timestamptz,
    constraint duties_pkey primary key (duty)
) with (fillfactor = 50);
