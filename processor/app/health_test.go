package app

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// answering is a process that answers /readyz with a body and a code, and is alive.
func answering(t *testing.T, code int, body string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			_, _ = io.WriteString(w, `{"ok":true,"status":"OK"}`)
			return
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func healthOf(t *testing.T, o HealthOptions) *HealthReport {
	t.Helper()
	c := Default()
	o.Timeout = 5 * time.Second
	r, err := Health(t.Context(), &c, o)
	require.NoError(t, err)
	return r
}

func TestHealthSaysWhatIsWrong(t *testing.T) {
	for name, tc := range map[string]struct {
		body     string
		code     int
		wrong    string // in the sentences
		warnings string
		status   string
	}{
		"well": {`{"status":"OK","processor":{"joined":true,"workers":2,"partitions":[{"partition":0,"state":"running","lag":3}]},"sink":{"OK":true,"Lag":1}}`,
			200, "", "", "OK"},
		"a warning": {`{"status":"WARNING","processor":{"joined":true,"workers":2,"warnings":["producers key wrongly"]}}`,
			200, "", "producers key wrongly", "WARNING"},
		"evidence": {`{"status":"OK","sink":{"OK":true,"Evidence":"the topic is gone"}}`, 200, "", "the topic is gone", "WARNING"},
		"no Redis": {`{"status":"WARNING","sink":{"OK":true},"live":{"ok":false,"since":"2026-03-02T12:00:00Z","reason":"WRONGPASS: check redis.password"}}`,
			200, "", "the live numbers in Redis stand still since 2026-03-02T12:00:00Z: WRONGPASS: check redis.password. Nothing else is affected", "WARNING"},
		"stopped": {`{"status":"FAILING","missing":["partition 3 is stopped"],"processor":{"joined":true,"workers":1,"partitions":[{"partition":3,"state":"stopped","cause":"behind","detail":"state was lost","lag":5}]}}`,
			503, "Partition 3 is stopped (behind) and its events wait: state was lost. `tocsin offsets plan` shows the ways out.", "", "FAILING"},
		"restoring": {`{"status":"FAILING","processor":{"joined":true,"partitions":[{"partition":1,"state":"restoring","detail":"an open transaction","lag":0,"restore":{"from":100,"next":150,"until":200}}]}}`,
			503, "Partition 1 is being restored: 50 % of its changelog is read; it waits for an open transaction.", "", "FAILING"},
		"not joined": {`{"status":"FAILING","processor":{"joined":false}}`, 503, "has not given this process its partitions yet", "", "FAILING"},
		"database": {`{"status":"FAILING","sink":{"OK":false,"Since":"2026-03-02T12:00:00Z","Reason":"connection refused"}}`,
			503, "Alerts are not being stored since 2026-03-02T12:00:00Z: connection refused.", "", "FAILING"},
		"lag":           {`{"status":"FAILING","processor":{"joined":true,"partitions":[{"partition":1,"state":"running","lag":-1}]}}`, 503, "1 of 1 partitions", "", "FAILING"},
		"another fault": {`{"status":"FAILING","missing":["something new"]}`, 503, "Not ready: something new.", "", "FAILING"},
		"no reason":     {`{"status":"FAILING"}`, 503, "does not say why", "", "FAILING"},
		"somebody else": {`<html>hello</html>`, 200, "Somebody else listens", "", "FAILING"},
		"another JSON":  {`{"up":true}`, 404, "404 Not Found", "", "FAILING"},
	} {
		t.Run(name, func(t *testing.T) {
			r := healthOf(t, HealthOptions{Address: answering(t, tc.code, tc.body)})
			require.Equal(t, tc.status, r.Status)
			require.Equal(t, tc.wrong == "", r.OK(), r.Wrong)
			require.Contains(t, strings.Join(r.Wrong, " "), tc.wrong)
			require.Contains(t, strings.Join(r.Warnings, " "), tc.warnings)
			require.True(t, r.Alive)
			if strings.HasPrefix(tc.body, `{"status"`) {
				require.Equal(t, tc.code == 200, *r.Ready)
			} else {
				require.Nil(t, r.Ready)
			}
		})
	}
	r := healthOf(t, HealthOptions{Address: answering(t, 503, `{"status":"FAILING"}`), Live: true})
	require.True(t, r.OK(), "a probe for life does not ask whether it is ready")
	require.Nil(t, r.Ready)

	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	c := Default()
	r, err := Health(t.Context(), &c, HealthOptions{Address: strings.TrimPrefix(silent.URL, "http://"), Timeout: 50 * time.Millisecond})
	require.NoError(t, err)
	require.Contains(t, r.Wrong[0], "does not answer within 50ms")
	silent.Close()
	r = healthOf(t, HealthOptions{Address: strings.TrimPrefix(silent.URL, "http://")})
	require.Contains(t, r.Wrong[0], "Nothing listens at ")
	require.False(t, r.Alive)
}

func TestHealthAsksWhereTheProcessListens(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:9464": "127.0.0.1:9464", ":9464": "127.0.0.1:9464", "0.0.0.0:1": "127.0.0.1:1", "[::]:1": "[::1]:1", "host:1": "host:1",
	} {
		got, err := reachable(listen)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, bad := range []string{"host", "host:0", "host:x"} {
		_, err := reachable(bad)
		require.Error(t, err)
	}
	c := Default()
	c.HTTP.Listen = ""
	_, err := Health(t.Context(), &c, HealthOptions{})
	require.ErrorContains(t, err, "http.listen is empty")
}
