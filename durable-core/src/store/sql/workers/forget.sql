-- workers/forget: upkeep: delete the rows of lost workers that hold nothing any more.
select durable.forget_workers()
