-- +goose Up
-- The events an alert rests on. A row is pending until the record itself has been copied from its topic; the pending
-- rows are the queue of the copier. No foreign key: the alert is written by the same transaction, and checking it again
-- for each of up to 110 events costs as much as writing them.
CREATE TABLE alert_evidence (
    alert_id             text COLLATE "C" NOT NULL,
    topic                text COLLATE "C" NOT NULL,
    partition            integer     NOT NULL,
    "offset"             bigint      NOT NULL,
    organization         text        NOT NULL,
    organization_trusted boolean     NOT NULL,
    role                 text        NOT NULL, -- crossing or recent
    event_id             text        NOT NULL,
    event_id_sha256      text        NOT NULL, -- of an id too long for the alert; the copier fills in event_id
    event_time           timestamptz NOT NULL,
    event_unix_nanos     bigint      NOT NULL,
    hash                 text        NOT NULL, -- canonical hash, hex
    outcome              text        NOT NULL,
    status               text        NOT NULL
        CHECK (status IN ('pending', 'copied', 'digest', 'gone', 'off', 'erased')),
    detail               text        NOT NULL DEFAULT '', -- why it is gone, or not copied yet
    record_time          timestamptz,
    key                  bytea,
    header_keys          bytea[],
    header_values        bytea[],
    value                bytea,
    stored_bytes         bigint      NOT NULL DEFAULT 0, -- of key, headers and value together, as far as they are here
    record_bytes         bigint,                         -- of key, headers and value together, in the topic
    value_sha256         bytea,
    record_sha256        bytea,
    attempts             integer     NOT NULL DEFAULT 0,
    next_try             timestamptz NOT NULL DEFAULT now(),
    settled              timestamptz,
    PRIMARY KEY (alert_id, topic, partition, "offset")
);
CREATE INDEX alert_evidence_pending ON alert_evidence (next_try) WHERE status = 'pending';
