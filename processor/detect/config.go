package detect

import "time"

// Config is what can be set about detection. Start from [Default].
type Config struct {
	Grace      time.Duration // how far behind its key's clock an event may be; one further behind is late
	FutureSkew time.Duration // how far ahead of record time an event may be; one further ahead is future
	MaxEpisode time.Duration // after this the next holding point starts a new episode
	StateTTL   time.Duration // kept beyond max(window, cooldown) + grace before a key is logically absent

	Hours         Hours               // working hours, for off_hours rules
	DenialCodes   []string            // exact values of errorCode, reasonCode or the head of outcomeDescription
	DenialPhrases []string            // looked for in outcomeDescription, ASCII case folded
	Copies        map[string]string   // more rules: the id of the built-in rule that each is a copy of, by its own id
	Rules         map[string]Settings // by rule id
	Organizations map[string]Organization
}

// Hours are an organisation's working hours. Outside them is [From, To), which may cross midnight.
type Hours struct {
	Zone     string   // IANA name; "" is UTC
	From     string   // local time of day, "22:00"
	To       string   // local time of day, "06:00"
	Days     []string // working days, mon … sun; empty: all seven are alike
	Holidays []string // dates, 2006-01-02, that are no working days
}

// Settings override a rule's defaults; nil leaves a default as it is.
type Settings struct {
	Enabled   *bool
	Threshold *int64
	Window    *time.Duration
	Cooldown  *time.Duration
	Severity  *string
	Type      *string
	Title     *string
	Runbook   *string
	Tags      []string
	Except    []string // principal patterns ("*" matches any run): their events are exempted, and counted so
}

// Organization overrides the configuration for one organisation. Zero fields leave what is above as it is.
type Organization struct {
	Hours Hours
	Rules map[string]Settings
}

// Default gives the built-in configuration.
func Default() Config {
	return Config{
		Grace: 15 * time.Minute, FutureSkew: 5 * time.Minute, MaxEpisode: 24 * time.Hour, StateTTL: 7 * 24 * time.Hour,
		Hours:       Hours{Zone: "UTC", From: "22:00", To: "06:00"},
		DenialCodes: defaultDenialCodes(), DenialPhrases: defaultDenialPhrases(),
	}
}

func defaultDenialCodes() []string {
	return []string{
		"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException",
		"Client.UnauthorizedAccess", "Client.UnauthorizedOperation", "ForbiddenException", "NotAuthorized",
		"NotAuthorizedException", "UnauthorizedAccess", "UnauthorizedAccessException", "UnauthorizedException",
		"UnauthorizedOperation",
	}
}

func defaultDenialPhrases() []string {
	return []string{"unauthorized", "access denied", "forbidden", "is not authorized to perform"}
}
