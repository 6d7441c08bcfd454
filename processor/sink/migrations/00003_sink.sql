-- +goose Up
-- How far the sink is in each partition of the alerts topic. It moves in the transaction that stores the alerts, so
-- the two can never disagree.
CREATE TABLE sink_offsets (
    topic_id  uuid        NOT NULL,
    partition integer     NOT NULL,
    topic     text        NOT NULL,
    next      bigint      NOT NULL, -- the next offset to read
    log_start bigint      NOT NULL, -- first offset there was when the partition was first seen
    updated   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic_id, partition)
);
CREATE INDEX sink_offsets_by_topic ON sink_offsets (topic);

-- Records of the alerts topic that could not be stored, as they were, and why.
CREATE TABLE alert_rejects (
    topic_id  uuid        NOT NULL,
    partition integer     NOT NULL,
    "offset"  bigint      NOT NULL,
    topic     text        NOT NULL,
    key       bytea,
    value     bytea,
    sqlstate  text        NOT NULL, -- empty: refused before it reached the database
    error     text        NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (topic_id, partition, "offset")
);
