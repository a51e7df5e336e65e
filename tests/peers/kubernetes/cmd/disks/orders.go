package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// The orders of a test, each alone in a file; the file's removal ends them.
const (
	fail    = "fail"    // every attempt ends with an error
	hang    = "hang"    // no attempt ends
	hold    = "hold"    // no attempt ends before the order
	unready = "unready" // a handle at once, then errors instead of a word whether the snapshot is ready
)

const holdDelay = 20 * time.Millisecond

// order is what a test wants for snapshots of a claim; empty for what a good driver does. A duration, as in "2s", is
// how long the storage takes.
func (f folder) order(claim string) string {
	text, err := os.ReadFile(filepath.Join(string(f), "orders", claim))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// obey returns when the storage may cut, or with the error of the attempt.
func (f folder) obey(ctx context.Context, claim string) error {
	order := f.order(claim)
	switch order {
	case "", unready:
		return nil
	case fail:
		return status.Errorf(codes.Internal, "pool of %s is full", claim)
	case hang:
		<-ctx.Done()
		return status.FromContextError(ctx.Err()).Err()
	case hold:
		for f.order(claim) == hold && ctx.Err() == nil {
			time.Sleep(holdDelay)
		}
		return status.FromContextError(ctx.Err()).Err()
	}
	wait, err := time.ParseDuration(order)
	if err != nil {
		return status.Errorf(codes.InvalidArgument, "no order: %s", order)
	}
	time.Sleep(wait)
	return nil
}
