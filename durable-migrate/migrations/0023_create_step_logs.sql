-- expand: what attempts at steps logged, a row for each attempt that logged something.
create table durable.step_logs (
    execution_id uuid not null,
    -- The claim under which the attempt ran: an attempt that a crash interrupted has the number of the one that repeats it.
    epoch int not null,
    -- How many lines were left out, because the attempt had logged too much.
    left_out int not null,
    attempt smallint not null,
    key text not null,
    -- An array of objects with at, level, target, message and perhaps fields and cut.
    lines json not null,
    constraint step_logs_pkey primary key (execution_id, key, attempt, epoch)
) with (
    autovacuum_vacuum_scale_factor = 0.05,
    autovacuum_vacuum_insert_scale_factor = 0.05
);
