package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/vmware-tanzu/velero/pkg/plugin/clientmgmt/process"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework/common"
	biav2 "github.com/vmware-tanzu/velero/pkg/plugin/velero/backupitemaction/v2"
)

// raised calls an action that raises, and gives its error with the place that Velero would print.
func (s *server) raised(name string) (*common.ProtoStackError, error) {
	before, err := s.pid()
	if err != nil {
		return nil, err
	}
	_, err = s.execute(name, sampleItem(), sampleBackup())
	var placed *common.ProtoStackError
	if !errors.As(err, &placed) {
		return nil, fmt.Errorf("an error without a place: %w", orNone(err))
	}
	after, err := s.pid()
	if err != nil || after != before {
		return nil, fmt.Errorf("the process did not live on: %d, then %d (%w)", before, after, orNone(err))
	}
	return placed, nil
}

func orNone(err error) error {
	if err == nil {
		return errors.New("no error")
	}
	return err
}

// expectRaised holds an error against its code, a part of its message, and the function that raised it.
func (s *server) expectRaised(name, code, part, function string) error {
	got, err := s.raised(name)
	if err != nil {
		return err
	}
	var wrong failures
	message := got.Error()
	wrong.unless(strings.HasPrefix(message, "rpc error: code = "+code+" desc = "), "code of %.200q", message)
	wrong.unless(strings.Contains(message, part), "%.200q does not contain %q", message, part)
	wrong.unless(strings.HasSuffix(got.File(), "tests/wire/actions_for_tests.py"), "file is %s", got.File())
	wrong.unless(got.Line() > 0, "line is %d", got.Line())
	wrong.unless(got.Function() == function, "function is %s", got.Function())
	return wrong.err()
}

func ownErrorHasItsPlace(s *server) error {
	part := "desc = VirtualMachine shop/db: cannot stand still: the disk spins; HINT: wait"
	return s.expectRaised("refuse", "Unknown", part, "execute")
}

func faultHasItsPlace(s *server) error {
	part := "VirtualMachine shop/db: a fault inside stillpoint (stillpoint.test/fault): KeyError: 'spec'"
	return s.expectRaised("fault", "Aborted", part, "_innermost")
}

func systemExitIsAnswered(s *server) error {
	return s.expectRaised("system-exit", "Aborted", "SystemExit: 3", "execute")
}

func keyboardInterruptIsAnswered(s *server) error {
	return s.expectRaised("keyboard-interrupt", "Aborted", "KeyboardInterrupt", "execute")
}

func recursionIsAnswered(s *server) error {
	return s.expectRaised("recursion", "Aborted", "RecursionError", "_for_ever")
}

func endlessMessageIsCut(s *server) error {
	return s.expectRaised("endless-message", "Unknown", "shop/db: cannot say it shortly: 🐘🐘", "execute")
}

func messageWithoutUTF8IsAnswered(s *server) error {
	return s.expectRaised("broken-message", "Unknown", "cannot name it", "execute")
}

// An outcome that cannot be sent is found out in the codec, so no frame of the action is left.
func outcomeWithoutJSONIsAnswered(s *server) error {
	got, err := s.raised("no-json")
	if err == nil && !strings.Contains(got.Error(), "not JSON serializable") {
		err = got
	}
	return err
}

func missingOutcomeIsAnswered(s *server) error {
	got, err := s.raised("no-outcome")
	if err == nil && !strings.Contains(got.Error(), "a fault inside stillpoint (stillpoint.test/no-outcome)") {
		err = got
	}
	return err
}

// Velero's registry would not let a name pass that was never listed, so this asks the process itself.
func unknownActionIsNamed(s *server) error {
	id, err := s.registry.Get(common.PluginKindBackupItemActionV2, "stillpoint.test/echo")
	if err != nil {
		return err
	}
	child, err := process.NewRestartableProcessFactory().NewRestartableProcess(id.Command, s.logger, s.level)
	if err != nil {
		return err
	}
	defer child.Stop()
	key := process.KindAndName{Kind: common.PluginKindBackupItemActionV2, Name: "stillpoint.test/nobody"}
	dispensed, err := child.GetByKindAndName(key)
	if err != nil {
		return err
	}
	action := dispensed.(biav2.BackupItemAction)
	_, _, _, _, executeError := action.Execute(sampleItem(), sampleBackup())
	_, selectorError := action.AppliesTo()
	for _, err := range []error{executeError, selectorError} {
		named := err != nil && strings.Contains(err.Error(), "action 'stillpoint.test/nobody': cannot call it")
		if !named || !strings.Contains(err.Error(), "stillpoint.test/echo") {
			return fmt.Errorf("the answer is %w", orNone(err))
		}
	}
	return nil
}

func refusalIsPrintedWithItsPlace(s *server) error {
	refusal, err := s.raised("refuse")
	if err != nil {
		return err
	}
	s.logger.WithError(refusal).Error("backing up an item")
	entry, err := s.log.await("backing up an item")
	if err != nil {
		return err
	}
	file, _ := entry["error.file"].(string)
	if !strings.Contains(file, "tests/wire/actions_for_tests.py:") || entry["error.function"] != "execute" {
		return fmt.Errorf("printed as %v", entry)
	}
	return nil
}
