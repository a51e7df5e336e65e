package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// folder is the root of everything that the driver keeps on disk; main.go shows its layout.
type folder string

func (f folder) volume(id string) string   { return filepath.Join(string(f), "volumes", id) }
func (f folder) snapshot(id string) string { return filepath.Join(string(f), "snapshots", id) }
func (f folder) claim(name string) string  { return filepath.Join(string(f), "claims", name) }

func (f folder) prepare() error {
	for _, each := range []string{f.volume(""), f.snapshot(""), f.claim("")} {
		if err := os.MkdirAll(each, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (f folder) create(made volume) error {
	if !made.block {
		return os.MkdirAll(f.volume(made.id), 0o755)
	}
	file, err := os.Create(f.volume(made.id))
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Truncate(made.bytes)
}

func (f folder) fillFrom(source string, made volume) error {
	if err := f.copyTo(source, f.volume(made.id)); err != nil {
		return err
	}
	if made.block { // a restored disk may be larger than its snapshot
		return os.Truncate(f.volume(made.id), made.bytes)
	}
	return nil
}

func (f folder) copyTo(source, target string) error {
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	output, err := exec.Command("cp", "-a", "--sparse=always", "--reflink=auto", source, target).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copy %s to %s: %w: %s", source, target, err, output)
	}
	return nil
}

// linkClaim points the claim's name at its volume; a claim made again under its old name takes the link over.
func (f folder) linkClaim(made volume) error {
	link := f.claim(made.claim)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Symlink(f.volume(made.id), link)
}

func (f folder) removeVolume(gone volume) error {
	link := f.claim(gone.claim)
	if target, err := os.Readlink(link); err == nil && target == f.volume(gone.id) {
		if err := os.Remove(link); err != nil {
			return err
		}
	}
	return os.RemoveAll(f.volume(gone.id))
}

func (f folder) noteCut(made snapshot, finished time.Time) error {
	line, err := json.Marshal(map[string]string{
		"claim":    made.source.claim,
		"snapshot": made.id,
		"group":    made.group,
		"started":  made.cut.UTC().Format(time.RFC3339Nano),
		"finished": finished.UTC().Format(time.RFC3339Nano),
	})
	if err != nil {
		return err
	}
	journal := filepath.Join(string(f), "cuts.jsonl")
	file, err := os.OpenFile(journal, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	return err
}
