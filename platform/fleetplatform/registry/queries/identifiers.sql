-- name: new_ids(count)$
-- So many new identities (UUIDv7), in order.
select array_agg(uuidv7()) from generate_series(1, :count::int);
