package run

import "strings"

// Shown is a setting's value for a file that is there to be shown: what gives access is masked.
func Shown(key, value string) string {
	key = strings.ToLower(key)
	for _, part := range []string{"secret", "password", "jaas", "token"} {
		if strings.Contains(key, part) {
			return "***"
		}
	}
	if strings.Contains(value, "://") { // it may have a password in it
		return "***"
	}
	return value
}

// ShowSettings adds KEY=VALUE settings to those of a result, under name:KEY.
func ShowSettings(to map[string]string, name string, list []string) {
	for _, s := range list {
		key, value, _ := strings.Cut(s, "=")
		to[name+":"+key] = Shown(key, value)
	}
}
