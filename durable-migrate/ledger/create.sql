-- ledger/create: what was applied to this schema: its migrations, and the functions of which release.
create table durable.migrations (
    version int not null,
    name text not null,
    checksum text not null,
    applied_at timestamptz not null default clock_timestamp(),
    constraint migrations_pkey primary key (version),
    constraint version_starts_at_one check (version >= 1)
);

create table durable.function_digest (
    singleton boolean not null default true,
    digest text not null,
    release text not null,
    applied_at timestamptz not null default clock_timestamp(),
    constraint function_digest_pkey primary key (singleton),
    constraint there_is_one_digest check (singleton)
);
