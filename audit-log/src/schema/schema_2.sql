CREATE TABLE records (
  sequence INTEGER PRIMARY KEY,
  record TEXT NOT NULL
) STRICT;
CREATE TABLE tombstones (
  sequence INTEGER PRIMARY KEY,
  tombstone TEXT NOT NULL
) STRICT;
CREATE VIEW overview AS SELECT
  sequence,
  record ->> '$.host.time' AS time,
  record ->> '$.host.component.name' AS component,
  record ->> '$.host.request.id' AS request_id,
  record ->> '$.guest.action' AS action,
  record ->> '$.guest.outcome' AS outcome,
  record ->> '$.guest.resource' AS resource,
  record ->> '$.event.type' AS event,
  record
FROM records;
