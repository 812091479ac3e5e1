-- expand: take away the park that has fewer parameters; beside the wider one it would make calls ambiguous.
drop function if exists durable.park(
    smallint, uuid, uuid[], int[], timestamptz[], boolean[], int[], uuid[], text[], text[], text[], float8[], timestamptz[], text[],
    text[], text[], uuid[], text[]
);
