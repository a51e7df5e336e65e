package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/vmware-tanzu/velero/pkg/plugin/clientmgmt"
	"github.com/vmware-tanzu/velero/pkg/plugin/clientmgmt/process"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework/common"
	biav2 "github.com/vmware-tanzu/velero/pkg/plugin/velero/backupitemaction/v2"
	riav2 "github.com/vmware-tanzu/velero/pkg/plugin/velero/restoreitemaction/v2"
	"github.com/vmware-tanzu/velero/pkg/util/logging"
)

// server is the part of the Velero server that deals with plugins.
type server struct {
	level    logrus.Level
	logger   *logrus.Logger
	log      *journal
	registry process.Registry
	manager  clientmgmt.Manager
}

func newServer(folder string, level logrus.Level) (*server, error) {
	log := &journal{}
	logger := logging.DefaultLogger(level, logging.FormatJSON)
	logger.Out = log
	registry := process.NewRegistry(folder, logger, level)
	if err := registry.DiscoverPlugins(); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	s := &server{level: level, logger: logger, log: log, registry: registry}
	s.newManager()
	return s, nil
}

// newManager makes a manager as each backup, restore and operations tick does: with plugin processes of its own.
func (s *server) newManager() {
	if s.manager != nil {
		s.manager.CleanupClients()
	}
	s.manager = clientmgmt.NewManager(s.logger, s.level, s.registry)
}

func (s *server) backupAction(name string) (biav2.BackupItemAction, error) {
	return s.manager.GetBackupItemActionV2("stillpoint.test/" + name)
}

func (s *server) restoreAction(name string) (riav2.RestoreItemAction, error) {
	return s.manager.GetRestoreItemActionV2("stillpoint.test/" + name)
}

// discover tells what the registry learned and what each action answers to AppliesTo, for the caller to compare.
func discover(folder string, level logrus.Level) (string, error) {
	s, err := newServer(folder, level)
	if err != nil {
		return "", err
	}
	defer s.manager.CleanupClients()
	type action struct {
		Kind, Name, Command, Labels string
		Resources                   []string
	}
	var found []action
	for kind := range common.AllPluginKinds() {
		for _, each := range s.registry.List(common.PluginKind(kind)) {
			selector, err := s.appliesTo(kind, each.Name)
			if err != nil {
				return "", fmt.Errorf("%s %s: %w", kind, each.Name, err)
			}
			found = append(found, action{
				kind, each.Name, each.Command, selector.LabelSelector, selector.IncludedResources,
			})
		}
	}
	text, err := json.Marshal(found)
	return string(text), err
}

// journal keeps what the server prints, one JSON object a line.
type journal struct {
	lock    sync.Mutex
	entries []map[string]any
}

func (j *journal) Write(line []byte) (int, error) {
	var entry map[string]any
	if err := json.Unmarshal(line, &entry); err != nil {
		return 0, err
	}
	j.lock.Lock()
	defer j.lock.Unlock()
	j.entries = append(j.entries, entry)
	return len(line), nil
}

// with gives the entries whose message contains this text.
func (j *journal) with(text string) []map[string]any {
	j.lock.Lock()
	defer j.lock.Unlock()
	var found []map[string]any
	for _, entry := range j.entries {
		if strings.Contains(entry["msg"].(string), text) {
			found = append(found, entry)
		}
	}
	return found
}

// await waits for an entry: what a plugin writes to standard error arrives at its own pace.
func (j *journal) await(text string) (map[string]any, error) {
	var found []map[string]any
	if !within(10*time.Second, func() bool { found = j.with(text); return len(found) > 0 }) {
		return nil, fmt.Errorf("Velero printed no line with %q", text)
	}
	return found[0], nil
}

func within(limit time.Duration, condition func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return false
}

// failures collects what is wrong, so that one run tells all of it.
type failures struct{ found []error }

func (f *failures) unless(good bool, format string, arguments ...any) {
	if !good {
		f.found = append(f.found, fmt.Errorf(format, arguments...))
	}
}

func (f *failures) err() error { return errors.Join(f.found...) }
