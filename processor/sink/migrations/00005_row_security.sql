-- +goose Up
-- Nobody but a superuser sees a row that no policy shows, the owner of the tables included.
ALTER TABLE alerts         ENABLE ROW LEVEL SECURITY;
ALTER TABLE alerts         FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_history  ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_history  FORCE ROW LEVEL SECURITY;
ALTER TABLE outbox         ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox         FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_evidence ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_evidence FORCE ROW LEVEL SECURITY;
ALTER TABLE alert_rejects  ENABLE ROW LEVEL SECURITY;
ALTER TABLE alert_rejects  FORCE ROW LEVEL SECURITY;

-- The sink: everything it writes, no DELETE anywhere, no UPDATE of history.
GRANT SELECT, INSERT, UPDATE ON alerts, alert_evidence, sink_offsets TO tocsin_sink;
GRANT SELECT, INSERT ON alert_history, outbox, alert_rejects TO tocsin_sink;
CREATE POLICY sink ON alerts         TO tocsin_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON alert_history  TO tocsin_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON outbox         TO tocsin_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON alert_evidence TO tocsin_sink USING (true) WITH CHECK (true);
CREATE POLICY sink ON alert_rejects  TO tocsin_sink USING (true) WITH CHECK (true);

-- Operators: see everything.
GRANT SELECT ON alerts, alert_history, outbox, alert_evidence, alert_rejects, sink_offsets TO tocsin_operator;
CREATE POLICY operator ON alerts         FOR SELECT TO tocsin_operator USING (true);
CREATE POLICY operator ON alert_history  FOR SELECT TO tocsin_operator USING (true);
CREATE POLICY operator ON outbox         FOR SELECT TO tocsin_operator USING (true);
CREATE POLICY operator ON alert_evidence FOR SELECT TO tocsin_operator USING (true);
CREATE POLICY operator ON alert_rejects  FOR SELECT TO tocsin_operator USING (true);

-- Readers: one organisation. A setting that is absent or empty shows nothing: alerts without organisation are the
-- operators'. So are the events behind an alert whose organisation is only claimed.
GRANT SELECT ON alerts, alert_history, alert_evidence TO tocsin_reader;
CREATE POLICY reader ON alerts FOR SELECT TO tocsin_reader
    USING (organization = nullif(current_setting('tocsin.organization', true), ''));
CREATE POLICY reader ON alert_history FOR SELECT TO tocsin_reader
    USING (organization = nullif(current_setting('tocsin.organization', true), ''));
CREATE POLICY reader ON alert_evidence FOR SELECT TO tocsin_reader
    USING (organization = nullif(current_setting('tocsin.organization', true), '') AND organization_trusted);
