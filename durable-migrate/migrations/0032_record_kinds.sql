-- expand: the ledger says of a migration whether it only adds, so that a program which does not know it can tell whether to work on.
alter table durable.migrations
add column kind text
    constraint kind_is_known check (kind in ('expand', 'contract', 'breaking'));
