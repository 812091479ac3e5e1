-- expand: one sequence that numbers everything recorded about executions, in the order in which it is written, whatever the clock says.
-- Checkpoints, waits, ends of waits, parkings and publications share it, so that their numbers can be compared.
create sequence durable.journal_ordinals;
