package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Bounds that tell an answer from a hang; how fast the plugin is gets measured elsewhere.
const (
	answersWithin = time.Second
	endsWithin    = 2 * time.Second
)

// actionWorkers is plugin/wire/server.py's number of calls at once.
const actionWorkers = 32

func (s *server) pid() (int, error) {
	got, err := s.execute("pid", sampleItem(), sampleBackup())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(annotation(got, "stillpoint.test/pid"))
}

func isGone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

func largeItemsPass(s *server) error {
	const in, out = 20 << 20, 50 << 20
	item := sampleItem()
	item.Object["large"] = strings.Repeat("x", in)
	got, err := s.execute("grow", item, sampleBackup())
	if err != nil {
		return err
	}
	grown, _ := got.item.UnstructuredContent()["large"].(string)
	if len(grown) != out || strings.Trim(grown, "x") != "" {
		return fmt.Errorf("%d bytes came back", len(grown))
	}
	return nil
}

func parallelCallsAreKeptApart(s *server) error {
	const calls = 200
	results := make(chan error, calls)
	for number := range calls {
		go func() {
			item := sampleItem()
			item.SetName(fmt.Sprintf("vm-%d", number))
			got, err := s.execute("slow", item, sampleBackup())
			if err == nil {
				err = equalItems(got.item, item)
			}
			results <- err
		}()
	}
	var all []error
	for range calls {
		all = append(all, <-results)
	}
	return errors.Join(all...)
}

func saturatedPluginAnswersAndEnds(s *server) error {
	pid, err := s.pid()
	if err != nil {
		return err
	}
	var blocked sync.WaitGroup
	for range actionWorkers + 8 {
		blocked.Add(1)
		go func() {
			defer blocked.Done()
			_, _ = s.execute("block", sampleItem(), sampleBackup())
		}()
	}
	full := within(20*time.Second, func() bool { return len(s.log.with("blocks now")) == actionWorkers })
	var wrong failures
	wrong.unless(full, "%d calls block", len(s.log.with("blocks now")))
	wrong.unless(takes(s.askAllSelectors, &wrong) < answersWithin, "AppliesTo takes too long")
	cleanUp := func() error { s.manager.CleanupClients(); return nil }
	wrong.unless(takes(cleanUp, &wrong) < endsWithin, "cleaning up takes too long")
	wrong.unless(isGone(pid), "process %d is still there", pid)
	wrong.unless(takes(func() error { blocked.Wait(); return nil }, &wrong) < endsWithin, "calls still wait")
	s.newManager()
	return wrong.err()
}

// takes times a step and keeps its error.
func takes(step func() error, wrong *failures) time.Duration {
	started := time.Now()
	err := step()
	wrong.unless(err == nil, "%v", err)
	return time.Since(started)
}

func (s *server) askAllSelectors() error {
	backup, err := s.backupAction("block")
	if err != nil {
		return err
	}
	restore, err := s.restoreAction("restore-echo")
	if err != nil {
		return err
	}
	_, backupError := backup.AppliesTo()
	_, restoreError := restore.AppliesTo()
	return errors.Join(backupError, restoreError)
}

// Velero notices the end of a process a moment after its calls have failed, so a few more of them may fail.
func crashIsFollowedByOneRestart(s *server) error {
	before, err := s.pid()
	if err != nil {
		return err
	}
	_, err = s.execute("crash", sampleItem(), sampleBackup())
	if status.Code(err) != codes.Unavailable {
		return fmt.Errorf("the call that crashed: %w", orNone(err))
	}
	var after int
	back := within(20*time.Second, func() bool {
		after, err = s.pid()
		return err == nil || status.Code(err) != codes.Unavailable
	})
	if !back || err != nil {
		return fmt.Errorf("a call after the crash: %w", orNone(err))
	}
	if restarts := len(s.log.with("Plugin process exited - restarting")); restarts != 1 || after == before {
		return fmt.Errorf("%d restarts; process %d, then %d", restarts, before, after)
	}
	return nil
}

func cleanUpIsGraceful(s *server) error {
	pid, err := s.pid()
	if err != nil {
		return err
	}
	var wrong failures
	cleanUp := func() error { s.manager.CleanupClients(); return nil }
	wrong.unless(takes(cleanUp, &wrong) < endsWithin, "cleaning up takes too long")
	wrong.unless(isGone(pid), "process %d is still there", pid)
	for _, entry := range s.log.with("") {
		if entry["cmd"] == os.Args[0] {
			continue // Velero's own plugin: go-plugin v1.6.0 has a race in its reader of standard output
		}
		if strings.HasPrefix(entry["msg"].(string), "Searching plugin skip file ") {
			continue // one for each file of a payload that is not executable
		}
		level := entry["level"]
		wrong.unless(level == "info" || level == "debug", "an uneventful run prints %v", entry)
	}
	return wrong.err()
}
