-- executions/continue_as_new: begin execution $2, which worker $1 holds at epoch $3, anew with input $4; no row if it does not
-- hold it.
select new_epoch, is_paused
from durable.continue_as_new($1, $2, $3, $4::json, $5, $6, $7, $8, $9)
