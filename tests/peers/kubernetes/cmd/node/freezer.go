package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	utilexec "k8s.io/utils/exec"
)

const (
	freezerPath = "/usr/bin/virt-freezer"
	holdDelay   = 20 * time.Millisecond
)

// freezer does what a test sees of KubeVirt's freezing, by virt-freezer and by its subresources: it notes every call in
// DIRECTORY/freezes.jsonl, and sets the VMI's status.fsFreezeStatus as the agent's answer would.
//
// As in KubeVirt, whoever freezes a frozen guest or thaws a thawed one has succeeded, and nothing was done
// (pkg/virt-launcher/virtwrap/storage/fsfreeze.go of kubevirt/kubevirt 1.9).
//
// A file DIRECTORY/orders/NAMESPACE.NAME.VERB.json changes how the next calls of a verb ("freeze", "unfreeze") go:
//
//	{"delay": "2s", "exitCode": 1, "message": "the agent does not answer"}
//
// "hold": true lets none go on before the file is removed.
//
// "late": "5s" leaves the VMI's status as it was for so long after a call, and then sets it as the guest is by then:
// KubeVirt asks the guest every five seconds.
//
// An executable DIRECTORY/hooks/NAMESPACE.NAME is called with "freeze" before a guest is frozen and with "thaw" after it
// was thawed, as the guest's agent calls its hook.
//
// A link DIRECTORY/agents/NAMESPACE.NAME to the socket of a real guest's agent makes it freeze that guest (agent.go).
type freezer struct {
	directory string
	api       rest.Interface
	mutex     sync.Mutex
	frozen    map[string]bool // guests that are not real
}

// call is one freeze or thaw that was asked for.
type call struct {
	Time      string `json:"time"`
	Verb      string `json:"verb"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Pod       string `json:"pod"` // in which virt-freezer ran; empty for a call of the subresource
	ExitCode  int    `json:"exitCode"`
	Changed   bool   `json:"changed"` // whether the guest was in the other state before
}

type order struct {
	Delay    string `json:"delay"`
	Hold     bool   `json:"hold"`
	Late     string `json:"late"`
	ExitCode int    `json:"exitCode"`
	Message  string `json:"message"`
}

// run is a call of virt-freezer in a pod.
func (f *freezer) run(ctx context.Context, pod string, arguments []string, out io.Writer) error {
	made, err := parse(arguments)
	if err != nil {
		fmt.Fprintln(out, err)
		return utilexec.CodeExitError{Err: err, Code: 2}
	}
	made.Pod = pod
	if err := f.carryOut(ctx, &made); err != nil {
		fmt.Fprintf(out, `{"component":"freezer","level":"error","msg":%q}`+"\n", err)
		return utilexec.CodeExitError{Err: err, Code: made.ExitCode}
	}
	fmt.Fprintln(out, `{"component":"freezer","level":"info","msg":"operation completed"}`)
	return nil
}

// carryOut notes a freeze after its delay and a thaw before it: the guest is at rest at most between the two times.
func (f *freezer) carryOut(ctx context.Context, made *call) error {
	made.ExitCode = 1
	ordered, delay, err := f.order(*made)
	if err != nil {
		return err
	}
	isFrozen, err := f.isFrozen(*made)
	if err != nil {
		return errors.Join(err, f.note(*made))
	}
	if isFrozen == (made.Verb == "freeze") {
		made.ExitCode = 0
		return f.note(*made)
	}
	made.ExitCode = ordered.ExitCode
	made.Changed = ordered.ExitCode == 0
	if made.Verb == "unfreeze" {
		if err := f.note(*made); err != nil {
			return err
		}
	}
	time.Sleep(delay)
	f.awaitOrder(ctx, *made)
	err = f.settle(ctx, made, ordered)
	if made.Verb == "freeze" {
		err = errors.Join(err, f.note(*made))
	}
	return err
}

// settle brings the guest into the state that the call asks for, unless the order is to fail.
func (f *freezer) settle(ctx context.Context, made *call, ordered order) error {
	err := error(nil)
	if ordered.ExitCode != 0 {
		err = errors.New(ordered.Message)
	} else if path, isReal := f.agentOf(*made); isReal {
		err = tell(path, made.Verb)
	} else if made.Verb == "freeze" {
		err = f.runHook(ctx, *made)
	}
	if err != nil {
		made.ExitCode, made.Changed = max(made.ExitCode, 1), false
		return err
	}
	f.mutex.Lock()
	f.frozen[made.guest()] = made.Verb == "freeze"
	f.mutex.Unlock()
	if made.Verb == "unfreeze" {
		err = f.runHook(ctx, *made)
	}
	late, invalid := time.ParseDuration(cmp.Or(ordered.Late, "0s"))
	if late > 0 {
		go f.setStatusLate(context.WithoutCancel(ctx), late, *made)
		return errors.Join(err, invalid)
	}
	return errors.Join(err, invalid, f.setStatus(ctx, *made, made.Verb == "freeze"))
}

func (f *freezer) setStatusLate(ctx context.Context, late time.Duration, made call) {
	time.Sleep(late)
	isFrozen, err := f.isFrozen(made)
	if err == nil {
		err = f.setStatus(ctx, made, isFrozen)
	}
	if err != nil {
		log.Printf("status of %s: %v", made.guest(), err)
	}
}

func (f *freezer) runHook(ctx context.Context, made call) error {
	path := filepath.Join(f.directory, "hooks", made.Namespace+"."+made.Name)
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	verb := map[string]string{"freeze": "freeze", "unfreeze": "thaw"}[made.Verb]
	return exec.CommandContext(ctx, path, verb).Run()
}

func (f *freezer) isFrozen(made call) (bool, error) {
	if path, isReal := f.agentOf(made); isReal {
		return isFrozen(path)
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.frozen[made.guest()], nil
}

func (c call) guest() string {
	return c.Namespace + "/" + c.Name
}

func parse(arguments []string) (call, error) {
	made := call{}
	flags := flag.NewFlagSet("virt-freezer", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	freeze := flags.Bool("freeze", false, "")
	unfreeze := flags.Bool("unfreeze", false, "")
	flags.StringVar(&made.Name, "name", "", "")
	flags.StringVar(&made.Namespace, "namespace", "", "")
	flags.Int("unfreezeTimeoutSeconds", 300, "")
	if err := flags.Parse(arguments); err != nil {
		return made, err
	}
	if *freeze == *unfreeze || made.Name == "" || made.Namespace == "" {
		return made, fmt.Errorf("expected --freeze or --unfreeze, --name and --namespace, got %q", arguments)
	}
	made.Verb = map[bool]string{true: "freeze", false: "unfreeze"}[*freeze]
	return made, nil
}

func (f *freezer) order(made call) (order, time.Duration, error) {
	ordered := order{Delay: "0s"}
	name := fmt.Sprintf("%s.%s.%s.json", made.Namespace, made.Name, made.Verb)
	content, err := os.ReadFile(filepath.Join(f.directory, "orders", name))
	if os.IsNotExist(err) {
		return ordered, 0, nil
	}
	if err == nil {
		err = json.Unmarshal(content, &ordered)
	}
	if err != nil {
		return ordered, 0, err
	}
	delay, err := time.ParseDuration(ordered.Delay)
	return ordered, delay, err
}

// awaitOrder returns when no order holds the call any more.
func (f *freezer) awaitOrder(ctx context.Context, made call) {
	for ctx.Err() == nil {
		if ordered, _, err := f.order(made); err != nil || !ordered.Hold {
			return
		}
		time.Sleep(holdDelay)
	}
}

func (f *freezer) note(made call) error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	made.Time = time.Now().UTC().Format(time.RFC3339Nano)
	line, err := json.Marshal(made)
	if err != nil {
		return err
	}
	journal := filepath.Join(f.directory, "freezes.jsonl")
	file, err := os.OpenFile(journal, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	return err
}

func (f *freezer) setStatus(ctx context.Context, made call, isFrozen bool) error {
	status := map[bool]any{true: "frozen", false: nil}[isFrozen]
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"fsFreezeStatus": status}})
	if err != nil {
		return err
	}
	path := fmt.Sprintf("/apis/kubevirt.io/v1/namespaces/%s/virtualmachineinstances/%s", made.Namespace, made.Name)
	err = f.api.Patch(types.MergePatchType).AbsPath(path).Body(patch).Do(ctx).Error()
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
