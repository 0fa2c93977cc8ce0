CREATE TABLE records (
  sequence INTEGER PRIMARY KEY,
  record TEXT NOT NULL,
  time TEXT GENERATED ALWAYS AS (record ->> '$.host.time') VIRTUAL,
  component TEXT GENERATED ALWAYS AS (record ->> '$.host.component.name') VIRTUAL,
  request_id TEXT GENERATED ALWAYS AS (record ->> '$.host.request.id') VIRTUAL,
  action TEXT GENERATED ALWAYS AS (record ->> '$.guest.action') VIRTUAL,
  outcome TEXT GENERATED ALWAYS AS (record ->> '$.guest.outcome') VIRTUAL,
  resource TEXT GENERATED ALWAYS AS (record ->> '$.guest.resource') VIRTUAL,
  event TEXT GENERATED ALWAYS AS (record ->> '$.event.type') VIRTUAL
) STRICT;
CREATE TABLE tombstones (
  sequence INTEGER PRIMARY KEY,
  tombstone TEXT NOT NULL
) STRICT;
