-- +goose Up
-- One row per alert: its highest revision so far, and what people did with it. The columns are what is searched for;
-- record is the whole revision. Times in columns have microseconds, those in record all nine digits.
CREATE TABLE alerts (
    id                   text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[0-9a-f]{32}$'),
    revision             bigint      NOT NULL CHECK (revision > 0),
    rule_id              text        NOT NULL,
    rule_version         text        NOT NULL,
    rule_kind            text        NOT NULL,
    organization         text        NOT NULL, -- '' is an event without organisation
    organization_trusted boolean     NOT NULL, -- false: only claimed, by events that failed verification
    group_values         jsonb       NOT NULL,
    severity             text        NOT NULL,
    type                 text        NOT NULL,
    state                text        NOT NULL, -- of the episode: open, closed, merged
    merged_into          text COLLATE "C",
    status               text        NOT NULL DEFAULT 'open'
        CHECK (status IN ('open', 'acknowledged', 'resolved', 'dismissed')), -- what people say of it
    title                text        NOT NULL,
    count                bigint      NOT NULL,
    approximate          boolean     NOT NULL,
    first_seen           timestamptz NOT NULL,
    last_seen            timestamptz NOT NULL,
    crossing             timestamptz NOT NULL,
    mode                 text        NOT NULL, -- live or replay
    record               jsonb       NOT NULL,
    created              timestamptz NOT NULL DEFAULT now(),
    updated              timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alerts_by_organization ON alerts (organization, crossing DESC, id DESC);
CREATE INDEX alerts_by_crossing ON alerts (crossing DESC, id DESC);

-- What happened to an alert, in order: one row per applied revision and one per change by a person. Rows are added and
-- never changed, by anybody.
CREATE TABLE alert_history (
    seq           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id      text COLLATE "C" NOT NULL REFERENCES alerts (id),
    organization  text        NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    actor         text        NOT NULL, -- who: a person's name, or tocsin for a revision
    kind          text        NOT NULL, -- revision, status, …
    from_status   text,
    to_status     text,
    note          text        NOT NULL DEFAULT '',
    revision      bigint,               -- the four below: of a revision
    state         text,
    count         bigint,
    record_sha256 bytea                 -- of the record's value as it lay in the alerts topic
);
CREATE INDEX alert_history_by_alert ON alert_history (alert_id, seq);
CREATE UNIQUE INDEX alert_history_revision ON alert_history (alert_id, revision) WHERE kind = 'revision';

-- +goose StatementBegin
CREATE FUNCTION alert_history_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'alert_history is append-only: % is refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
-- +goose StatementEnd
CREATE TRIGGER alert_history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON alert_history
    FOR EACH STATEMENT EXECUTE FUNCTION alert_history_refuse();

-- What people are to be told of: one row per applied revision of a live alert.
CREATE TABLE outbox (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id     text COLLATE "C" NOT NULL REFERENCES alerts (id),
    revision     bigint      NOT NULL,
    organization text        NOT NULL,
    kind         text        NOT NULL, -- opened, updated, closed, merged, reopened
    created      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (alert_id, revision)
);
