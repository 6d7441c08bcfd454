-- +goose Up
-- Three roles that nobody logs in as. A login becomes one of them for the length of a transaction (SET LOCAL ROLE):
--   tocsin_sink      stores alerts of every organisation; the sink's
--   tocsin_reader    reads the alerts of the one organisation named in the setting tocsin.organization
--   tocsin_operator  reads the alerts of every organisation, and those without one
-- Roles belong to the whole server, so another database of it may have made them already.
-- +goose StatementBegin
DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['tocsin_sink', 'tocsin_reader', 'tocsin_operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', r);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL; -- made by another migration meanwhile
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'role % does not exist and % may not create it', r, current_user
                        USING HINT = format('As a superuser: CREATE ROLE %I NOLOGIN; GRANT %1$I TO %2$I; for each of '
                            'tocsin_sink, tocsin_reader and tocsin_operator.', r, current_user);
            END;
        END IF;
        -- Who migrates can also act (one login for everything is the simple set-up). A superuser can in any case.
        IF NOT pg_has_role(current_user, r, 'MEMBER') THEN
            BEGIN
                EXECUTE format('GRANT %I TO %I', r, current_user);
            EXCEPTION
                WHEN insufficient_privilege OR unique_violation THEN NULL;
            END;
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), r);
    END LOOP;
END
$$;
-- +goose StatementEnd
