package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
)

// maxToken is the size of the largest token file that is read.
const maxToken = 64 << 10

var (
	errTokenFile    = errors.New("kafka.sasl.token_file")
	errTokenRefused = errors.New("the brokers refused the token")
)

// bearer is OAUTHBEARER (RFC 7628) with the token that is in the file at the moment: each connection, and each renewal
// of one, reads it again, so that whoever rotates the token need only replace the file.
type bearer struct{ sasl.Mechanism }

func newBearer(file string, extensions map[string]string) sasl.Mechanism {
	return bearer{oauth.Oauth(func(context.Context) (oauth.Auth, error) {
		token, err := readToken(file)
		return oauth.Auth{Token: token, Extensions: extensions}, err
	})}
}

// Authenticate implements sasl.Mechanism.
func (b bearer) Authenticate(ctx context.Context, host string) (sasl.Session, []byte, error) {
	s, first, err := b.Mechanism.Authenticate(ctx, host)
	return bearerSession{s}, first, err
}

type bearerSession struct{ sasl.Session }

var statusForm = regexp.MustCompile(`^[a-z_]{1,40}$`)

// Challenge implements sasl.Session. A broker that refuses a token says so with a challenge.
func (b bearerSession) Challenge(answer []byte) (bool, []byte, error) {
	if len(answer) == 0 {
		return b.Session.Challenge(answer)
	}
	var refused struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(answer, &refused) == nil && statusForm.MatchString(refused.Status) {
		return false, nil, fmt.Errorf("%w: %s", errTokenRefused, refused.Status)
	}
	return false, nil, errTokenRefused
}

// readToken reads the file. No error shows anything of what is in it.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errTokenFile, err)
	}
	defer f.Close() //nolint:errcheck // read only: nothing is lost
	b, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("%w: %w", errTokenFile, err)
	}
	token := strings.TrimSpace(string(b))
	switch {
	case token == "":
		return "", fmt.Errorf("%w: %s is empty", errTokenFile, path)
	case len(b) > maxToken:
		return "", fmt.Errorf("%w: %s has more than %d bytes: it is no token", errTokenFile, path, maxToken)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("%w: %s holds more than a token: write it on one line, alone", errTokenFile, path)
	}
	return token, nil
}

// tokenSubject is the claim sub of a JSON Web Token, by which brokers name its bearer where they are not told
// otherwise; empty where the token is of another kind.
func tokenSubject(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return ""
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Subject
}
