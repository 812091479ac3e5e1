-- duties/finish: upkeep: record that duty $1, which was taken at $2, is done.
update durable.duties
set done_at = $2
where duty = $1
  -- Another worker may have taken the duty later and finished it earlier. A duty done while the clock ran ahead does not count as done.
  and (done_at is null or done_at < $2 or done_at > taken_at)
