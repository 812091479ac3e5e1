-- expand: tags of the executions that a schedule starts.
alter table durable.schedules
-- An object of texts; null for none. Written with the rest of the definition.
add column tags json;
