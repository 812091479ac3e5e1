-- clock/change_mark: a text that is another one after a change of what people are shown. Heartbeats of workers do not count.
-- Counters of the server have what no sequence counts. They are some seconds late if a session writes several times a second.
select concat_ws(
    ' ',
    pg_sequence_last_value('durable.journal_ordinals'),
    (select execution_id from durable.executions order by execution_id desc limit 1),
    (
        select sum(n_tup_ins + n_tup_del + case when relname in ('clock', 'duties', 'workers') then 0 else n_tup_upd end)
        from pg_stat_user_tables
        where schemaname = $1
    )
) as mark
