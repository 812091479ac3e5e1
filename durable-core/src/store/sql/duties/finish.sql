-- duties/finish: upkeep: say that duty $1 was done to its end, as it was taken at $2.
update durable.duties
set done_at = $2
where duty = $1
  -- Another may have taken it later, and ended sooner; and what was done while the clock ran ahead was not done yet.
  and (done_at is null or done_at < $2 or done_at > taken_at)
