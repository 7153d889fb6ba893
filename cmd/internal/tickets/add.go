package tickets

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"liandong/cmd/internal/remote"
)

// Addition is what is to be added to a stub.
type Addition struct {
	Stub   string
	Fields map[string]string // of POST /v1/stubs/{id}; empty ones are left out
}

// Add tells the running switch what more is known of a matter, and prints its answer. An answer other than success is
// the error, in the words of the switch.
func Add(ctx context.Context, out io.Writer, sw remote.Switch, a Addition) error {
	fields := map[string]string{}
	for name, v := range a.Fields {
		if v != "" {
			fields[name] = v
		}
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	text, err := sw.Ask(ctx, http.MethodPost, "/v1/stubs/"+url.PathEscape(a.Stub), body)
	if err != nil {
		return fmt.Errorf("tickets: %w", err)
	}
	_, err = out.Write(text)
	return err
}
