package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/atrion-io/atrion/internal/wire"
)

// Admin asks for an operation, "config.get" or "ban.add", with a request and a
// reply in JSON as docs/wire.md has them; reply may be nil. Errors: as of
// Decide.
func (c *Client) Admin(ctx context.Context, operation string, request, reply any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return fmt.Errorf("client: %s: %w", operation, err)
	}
	answer, err := c.ask(ctx, wire.AdminPrefix+"."+operation, body)
	if err != nil || reply == nil {
		return err
	}
	if err := json.Unmarshal(answer, reply); err != nil {
		return fmt.Errorf("client: answer of %s: %w", operation, err)
	}
	return nil
}
