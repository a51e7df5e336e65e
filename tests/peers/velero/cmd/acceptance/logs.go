package main

import (
	"errors"
	"fmt"
	"strings"
)

func (s *server) say(action string) error {
	_, err := s.execute(action, sampleItem(), sampleBackup())
	return err
}

// printedAt checks the level of the one line that has this text.
func (s *server) printedAt(level, text string) error {
	entry, err := s.log.await(text)
	if err != nil {
		return err
	}
	if entry["level"] != level {
		return fmt.Errorf("%q is printed at level %v instead of %s", text, entry["level"], level)
	}
	if lines := len(s.log.with(text)); lines != 1 {
		return fmt.Errorf("%q is printed %d times", text, lines)
	}
	return nil
}

func levelsAreVeleros(s *server) error {
	if err := s.say("log"); err != nil {
		return err
	}
	return errors.Join(
		s.printedAt("debug", "said at debug"),
		s.printedAt("info", "said at info"),
		s.printedAt("warning", "said at warning"),
		s.printedAt("error", "said at error"),
		s.printedAt("error", "said at critical"),
	)
}

func fieldsAndSourceArePrinted(s *server) error {
	if err := s.say("log"); err != nil {
		return err
	}
	entry, err := s.log.await("said at info")
	if err != nil {
		return err
	}
	var wrong failures
	wrong.unless(entry["msg"] == "said at info", "the message is %q", entry["msg"])
	wrong.unless(entry["action"] == "stillpoint.test/log", "action is %v", entry["action"])
	wrong.unless(entry["item"] == "VirtualMachine shop/db", "item is %v", entry["item"])
	source, _ := entry["logSource"].(string)
	wrong.unless(strings.HasPrefix(source, "actions_for_tests.py:"), "logSource is %q", source)
	_, marked := entry["@logSourceSetBy"]
	wrong.unless(!marked, "Velero's marker was not consumed")
	_, timed := entry["time"]
	wrong.unless(timed, "no time of Velero's own")
	return wrong.err()
}

// Each of these fields would crash Velero, vanish, or overwrite what it prints itself.
func nastyFieldsAreHarmless(s *server) error {
	if err := s.say("log-nasty"); err != nil {
		return err
	}
	entry, err := s.log.await("nasty fields")
	if err != nil {
		return err
	}
	want := map[string]any{
		"msg": "nasty fields", "level": "info", "_msg": "not the message", "_level": "7", "_time": "noon",
		"_timestamp": "noon", "_@message": "1", "_@level": "None", "_@timestamp": "2", "nested": "{'a': [1]}",
		"surrogate": "half ? an elephant", "unicode": "漢字 🐘 \u2028", "lines": "one\ntwo", "zero": "\x00",
	}
	var wrong failures
	for name, value := range want {
		wrong.unless(entry[name] == value, "%s is %q instead of %q", name, entry[name], value)
	}
	return wrong.err()
}

// Beyond 64 KB go-plugin cuts a line to pieces and prints each at debug.
func longLinesStayWhole(s *server) error {
	if err := s.say("log-long"); err != nil {
		return err
	}
	return errors.Join(
		s.printedAt("error", "long text"),
		s.printedAt("error", "long elephants"),
		s.printedAt("error", "long escapes"),
		s.printedAt("error", "long fields"),
		s.printedAt("error", "long traceback"),
	)
}

func printIsDebug(s *server) error {
	if err := s.say("print"); err != nil {
		return err
	}
	return errors.Join(
		s.printedAt("debug", "printed to standard output"),
		s.printedAt("debug", "written to descriptor 1"),
	)
}

// After a raw line that starts with "panic: " go-plugin takes every other raw line for an error.
func wordsOfAGoPanicChangeNothing(s *server) error {
	if err := s.say("log-panic"); err != nil {
		return err
	}
	return errors.Join(
		s.printedAt("info", "panic: keep calm"),
		s.printedAt("info", "fatal error: keep calm"),
		s.printedAt("debug", "printed after the panic"),
	)
}
