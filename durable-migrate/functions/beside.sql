-- beside: whether two journal keys stand in different branches of one call, so that neither can depend on the other.
create or replace function durable.beside(one text, other text) returns boolean
language sql immutable
return coalesce((
    -- Names have no slash in them, and no name is a number: where the keys part is a branch of each, or is not.
    select mine.part ~ '^[0-9]+$' and theirs.part ~ '^[0-9]+$'
    from unnest(string_to_array($1, '/')) with ordinality as mine (part, place)
    join unnest(string_to_array($2, '/')) with ordinality as theirs (part, place) using (place)
    where mine.part <> theirs.part
    order by place
    limit 1
), false);
