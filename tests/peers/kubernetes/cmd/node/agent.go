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

// agent is the QEMU guest agent of a booted guest, spoken to as virt-launcher does through libvirt.
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

func isFrozen(path string) (bool, error) {
	status := ""
	err := speak(path, func(guest agent) error { return guest.ask("guest-fsfreeze-status", &status) })
	return status == "frozen", err
}

// tell has the guest's agent freeze or thaw.
func tell(path, verb string) error {
	command := map[string]string{"freeze": "guest-fsfreeze-freeze", "unfreeze": "guest-fsfreeze-thaw"}[verb]
	return speak(path, func(guest agent) error { return guest.ask(command, new(int)) })
}

func speak(path string, say func(agent) error) error {
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
	return say(guest)
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
