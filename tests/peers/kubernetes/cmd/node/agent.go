package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// agent is the QEMU guest agent of a booted guest, spoken to as virt-launcher does through libvirt: a guest that is
// frozen is not frozen again, and one that says "thawed" is not thawed.
type agent struct {
	connection net.Conn
	lines      *bufio.Reader
}

const agentTimeout = 60 * time.Second // KubeVirt 1.8: a freeze has to return in that time

// agentOf finds the socket DIRECTORY/agents/NAMESPACE.NAME, which a test links to the one of its guest.
func (f *freezer) agentOf(made call) (string, bool) {
	path := filepath.Join(f.directory, "agents", made.Namespace+"."+made.Name)
	_, err := os.Stat(path)
	return path, err == nil
}

// settle brings the guest into the state that the verb asks for.
func settle(path, verb string) error {
	connection, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(agentTimeout)); err != nil {
		return err
	}
	guest := agent{connection, bufio.NewReader(connection)}
	if err := guest.synchronize(); err != nil {
		return err
	}
	var status string
	if err := guest.ask("guest-fsfreeze-status", &status); err != nil {
		return err
	}
	wanted, command := "frozen", "guest-fsfreeze-freeze"
	if verb == "unfreeze" {
		wanted, command = "thawed", "guest-fsfreeze-thaw"
	}
	if status == wanted {
		return nil
	}
	return guest.ask(command, new(int))
}

// synchronize passes over the answers to what was asked before, and to the byte that ends a half-said request.
func (a agent) synchronize() error {
	token := time.Now().UnixNano() % 1_000_000
	if _, err := fmt.Fprintf(a.connection, "\xff"+`{"execute":"guest-sync-delimited","arguments":{"id":%d}}`+"\n", token); err != nil {
		return err
	}
	for {
		message, err := a.read()
		if err != nil {
			return err
		}
		if string(message.Return) == fmt.Sprint(token) {
			return nil
		}
	}
}

func (a agent) ask(command string, result any) error {
	if _, err := fmt.Fprintf(a.connection, `{"execute":%q}`+"\n", command); err != nil {
		return err
	}
	return a.answer(result)
}

func (a agent) answer(result any) error {
	message, err := a.read()
	if err != nil {
		return err
	}
	if message.Error.Desc != "" {
		return errors.New(message.Error.Desc)
	}
	return json.Unmarshal(message.Return, result)
}

type message struct {
	Return json.RawMessage
	Error  struct{ Desc string }
}

func (a agent) read() (message, error) {
	read := message{}
	line, err := a.lines.ReadBytes('\n')
	if err != nil {
		return read, err
	}
	return read, json.Unmarshal(line[bytes.LastIndexByte(line, 0xff)+1:], &read)
}
