-- ledger/create: what was applied to this schema: its migrations, and the functions of which release.
create table durable.migrations (
    -- Its number; the highest is the version of the schema.
    version int not null,
    -- What it does, as in `create_waits`.
    name text not null,
    -- What it asks of programs that run while it is applied. A program that does not know it can tell from this whether to work on.
    kind text not null,
    -- The SHA-256 of its text, to notice that a released migration was edited.
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp(),
    constraint migrations_pkey primary key (version),
    constraint version_starts_at_one check (version >= 1),
    constraint kind_is_known check (kind in ('expand', 'contract', 'breaking'))
);

create table durable.function_digest (
    -- Always true: the table has one row.
    singleton boolean not null default true,
    -- The SHA-256 of the texts of all functions.
    digest text not null,
    -- The release of durable that brought them.
    release text not null,
    applied_at timestamptz not null default clock_timestamp(),
    constraint function_digest_pkey primary key (singleton),
    constraint there_is_one_digest check (singleton)
);
