package load

import (
	"context"
	"sync"

	"liandong/cmd/internal/phone"
)

// incoming follows the calls that come to phones, on one goroutine a phone, until the context ends.
func incoming(ctx context.Context, wg *sync.WaitGroup, phones []*phone.Phone, f func(*phone.Call)) {
	for _, p := range phones {
		wg.Go(func() {
			for {
				select {
				case c := <-p.Incoming():
					if c.WaitState(ctx, phone.Confirmed) == nil {
						f(c)
					}
				case <-ctx.Done():
					return
				}
			}
		})
	}
}
