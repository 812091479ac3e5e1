-- duties/finish: upkeep: say that duty $2 was done to its end, as it was taken at $3.
update durable.duties
set done_at = $3
where shard = $1
  and duty = $2
  -- Another may have taken it later, and ended sooner; and what was done while the clock ran ahead was not done yet.
  and (done_at is null or done_at < $3 or done_at > taken_at)
