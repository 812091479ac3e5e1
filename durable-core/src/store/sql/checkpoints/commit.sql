-- checkpoints/commit: write the outcome of a step in the step's own transaction, if worker $1 holds the execution; return whether to commit.
select is_open, is_held, is_saved, transaction_id
from durable.commit_step($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
