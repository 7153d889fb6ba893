package configs

import (
	"regexp"
	"strings"
)

// envName is what may stand in ${…}: a name, and perhaps a value for when it is not set.
var envName = regexp.MustCompile(`^\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

// expand puts the environment's values for ${NAME} and ${NAME:-default}. $${ is a literal ${. What it puts in is not
// looked at again.
func expand(s string, env func(string) (string, bool)) (string, *message) {
	var out strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			return out.String() + s, nil
		}
		if i > 0 && s[i-1] == '$' {
			out.WriteString(s[:i] + "{")
			s = s[i+2:]
			continue
		}
		m := envName.FindStringSubmatch(s[i+1:])
		if m == nil {
			return "", ptr(textEnvSyntax.of())
		}
		value, ok := env(m[1])
		switch {
		case !ok && m[2] == "":
			return "", ptr(textEnvUnset.of(m[1], m[1]))
		case !ok || value == "" && m[2] != "":
			value = m[3]
		}
		out.WriteString(s[:i] + value)
		s = s[i+1+len(m[0]):]
	}
}

func ptr[T any](v T) *T { return &v }
