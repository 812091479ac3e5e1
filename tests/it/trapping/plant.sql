-- trapping/plant: a trap in `public` for each function, operator and type of Postgres that is named in $names and $operators.
-- A trap that is sprung leaves its number in a sequence, which no rollback takes back, and fails.
create sequence public.sprung;
grant all on sequence public.sprung to public;

create table public.traps (number bigint generated always as identity, what text, problem text);

-- As little as possible is looked up by name here: traps that stand already must not be sprung.
set search_path = pg_catalog, pg_temp;

create function public.plant(what text, declaration text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $plant$
declare
    number bigint;
begin
    insert into public.traps (what) values (plant.what) returning traps.number into number;
    begin
        execute replace(plant.declaration, 'SPRING', format(
            $body$ language plpgsql as $$ begin perform pg_catalog.setval('public.sprung'::pg_catalog.regclass, %s); raise exception 'trap %s was sprung'; end $$ $body$,
            number, number
        ));
    exception when others then
        update public.traps set problem = sqlerrm where traps.number = plant.number;
    end;
end
$plant$;

-- Functions of the same name and the same arguments; "any" cannot be taken by a trap, which takes any array or element instead.
select public.plant(
    format('function %s(%s)', proname, pg_get_function_identity_arguments(oid)),
    format(
        'create function public.%I(%s) returns %s SPRING',
        proname,
        (
            select string_agg(
                case when place > 0 and place = cardinality(proargtypes::oid[]) and provariadic <> 0 then 'variadic ' else '' end
                || coalesce(quote_ident(nullif(proargnames[place], '')) || ' ', '')
                || case format_type(argument, null) when '"any"' then case when provariadic <> 0 then 'anyarray' else 'anyelement' end else format_type(argument, null) end,
                ', ' order by place
            )
            from unnest(proargtypes::oid[]) with ordinality as arguments (argument, place)
        ),
        case when proretset then 'setof ' else '' end
        || case when prorettype = 'record'::regtype and proallargtypes is not null then 'record' else format_type(prorettype, null) end
    )
)
from pg_proc
where pronamespace = 'pg_catalog'::regnamespace and prokind in ('f', 'a') and proname = any ($names);

-- Functions that match better than those of Postgres, so that they are found behind them, too.
select public.plant('function ' || declared, format('create function public.%s SPRING', declared))
from unnest(array[
    'make_interval(mins smallint) returns interval',
    'make_interval(secs bigint) returns interval',
    'left(text, bigint) returns text',
    'array_length(text[], smallint) returns int',
    'cardinality(text[]) returns int',
    'cardinality(uuid[]) returns int',
    'unnest(uuid[]) returns setof uuid',
    'unnest(text[]) returns setof text',
    'json_build_object(text, text, text, text) returns json',
    'pg_notify(varchar, text) returns void',
    'octet_length(json) returns int',
    'count(uuid) returns bigint',
    'array_agg(uuid) returns uuid[]'
]) as declared;

select public.plant(
    format('operator %s(%s, %s)', oprname, oprleft::regtype, oprright::regtype),
    format('create function public.operator_%s(%s) returns %s SPRING', oid, concat_ws(', ', left_type, right_type), format_type(oprresult, null))
)
from (
    select *, case when oprleft <> 0 then format_type(oprleft, null) end as left_type, format_type(oprright, null) as right_type from pg_operator
) as operators
where oprnamespace = 'pg_catalog'::regnamespace and oprname = any ($operators);

do $$
declare
    operator record;
begin
    for operator in
        select oid, oprname, oprleft, oprright
        from pg_operator
        where oprnamespace = 'pg_catalog'::regnamespace and oprname = any ($operators)
    loop
        begin
            execute format(
                'create operator public.%s (%s rightarg = %s, function = public.operator_%s)',
                operator.oprname,
                case when operator.oprleft <> 0 then format('leftarg = %s,', format_type(operator.oprleft, null)) end,
                format_type(operator.oprright, null),
                operator.oid
            );
        exception when others then
            null;
        end;
    end loop;
end
$$;

-- Operators that match better.
select public.plant('operator ' || sign || one || other, format('create function public.better_%s(%s, %s) returns %s SPRING', place, one, other, result))
from (values
    (1, '||', 'text', 'uuid', 'text'), (2, '-', 'timestamptz', 'float8', 'timestamptz'), (3, '=', 'text', 'uuid', 'boolean'),
    (4, '*', 'interval', 'int', 'interval'), (5, '=', 'smallint', 'text', 'boolean')
) as operators (place, sign, one, other, result);
create operator public.|| (leftarg = text, rightarg = uuid, function = public.better_1);
create operator public.- (leftarg = timestamptz, rightarg = float8, function = public.better_2);
create operator public.* (leftarg = interval, rightarg = int, function = public.better_4);

-- Types, as domains that are sprung by any value.
select public.plant(format('type %s', typname), format('create function public.check_%s(value %s) returns boolean SPRING', typname, format_type(oid, null)))
from pg_type
where typnamespace = 'pg_catalog'::regnamespace and typname in ('text', 'json', 'jsonb', 'uuid', 'timestamptz', 'float8', 'int4', 'int8', 'int2', 'bool', 'xid8', 'regclass');
do $$
declare
    type record;
begin
    for type in
        select typname, oid
        from pg_type
        where typnamespace = 'pg_catalog'::regnamespace and typname in ('text', 'json', 'jsonb', 'uuid', 'timestamptz', 'float8', 'int4', 'int8', 'int2', 'bool', 'xid8', 'regclass')
    loop
        execute format('create domain public.%I as pg_catalog.%I check (public.check_%s(value))', type.typname, type.typname, type.typname);
    end loop;
end
$$;
