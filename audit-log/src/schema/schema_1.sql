CREATE TABLE records (
  sequence INTEGER PRIMARY KEY,
  record TEXT NOT NULL,
  time ANY GENERATED ALWAYS AS (record ->> '$.host.time') VIRTUAL,
  component ANY GENERATED ALWAYS AS (record ->> '$.host.component.name') VIRTUAL,
  request_id ANY GENERATED ALWAYS AS (record ->> '$.host.request.id') VIRTUAL,
  action ANY GENERATED ALWAYS AS (record ->> '$.guest.action') VIRTUAL,
  outcome ANY GENERATED ALWAYS AS (record ->> '$.guest.outcome') VIRTUAL,
  resource ANY GENERATED ALWAYS AS (record ->> '$.guest.resource') VIRTUAL,
  event ANY GENERATED ALWAYS AS (record ->> '$.event.type') VIRTUAL
) STRICT;
CREATE TABLE tombstones (
  sequence INTEGER PRIMARY KEY,
  tombstone TEXT NOT NULL
) STRICT;
