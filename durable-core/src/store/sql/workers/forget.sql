-- workers/forget: upkeep: delete the rows of lost workers that hold no execution.
select durable.forget_workers()
