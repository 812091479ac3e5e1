-- contract: take away the time of an execution's last rest, which functions compared before rests were numbered.
alter table durable.executions
drop column rested_at;
