package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	criapi "k8s.io/cri-api/pkg/apis"
	runtimeapi "k8s.io/cri-api/pkg/apis/runtime/v1"
	crilogs "k8s.io/cri-client/pkg/logs"
)

const (
	consoleContainer = "guest-console-log"
	consoleDelay     = 50 * time.Millisecond
)

// logs are those of the containers, in files as a container runtime writes them, so that the kubelet's own code reads
// them: DIRECTORY/logs/NAMESPACE_POD_UID/CONTAINER/0.log, with lines "2026-11-24T18:21:51.123456789Z stdout F text".
// Tests write there what a container says. What a guest prints is written there as KubeVirt's virt-tail does it: a
// test links DIRECTORY/consoles/NAMESPACE.NAME to the file with the output of the guest's serial port.
type logs struct {
	directory string
	client    kubernetes.Interface
}

// ServeHTTP answers what the API server asks of a kubelet when a client reads the log of a container.
func (l logs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	options, err := logOptions(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pod, err := l.client.CoreV1().Pods(r.PathValue("namespace")).Get(r.Context(), r.PathValue("pod"), metav1.GetOptions{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	path, err := l.file(pod, r.PathValue("container"))
	if err == nil {
		out := flushing{w}
		err = crilogs.ReadLogs(r.Context(), path, "", options, podRuntime{client: l.client, pod: pod}, out, out)
	}
	if err != nil && r.Context().Err() == nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// file is the log of a container, which exists from its start on.
func (l logs) file(pod *corev1.Pod, container string) (string, error) {
	folder := filepath.Join(l.directory, "logs", fmt.Sprintf("%s_%s_%s", pod.Namespace, pod.Name, pod.UID), container)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(folder, "0.log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return "", err
	}
	return path, file.Close()
}

func logOptions(query url.Values) (*crilogs.LogOptions, error) {
	options := &crilogs.LogOptions{}
	parse := map[string]func(string) error{
		"follow":     func(text string) (err error) { options.Follow, err = strconv.ParseBool(text); return },
		"timestamps": func(text string) (err error) { options.Timestamp, err = strconv.ParseBool(text); return },
		"sinceTime":  func(text string) (err error) { options.Since, err = time.Parse(time.RFC3339, text); return },
		"tailLines":  func(text string) (err error) { options.TailLines, err = number(text); return },
		"limitBytes": func(text string) (err error) { options.LimitBytes, err = number(text); return },
		"sinceSeconds": func(text string) error {
			seconds, err := number(text)
			if err == nil {
				options.Since = time.Now().Add(-time.Duration(*seconds) * time.Second)
			}
			return err
		},
	}
	for key, values := range query {
		if known, isKnown := parse[key]; isKnown {
			if err := known(values[0]); err != nil {
				return nil, fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	return options, nil
}

func number(text string) (*int64, error) {
	value, err := strconv.ParseInt(text, 10, 64)
	return &value, err
}

// flushing sends each line at once: whoever follows a log waits for it.
type flushing struct{ http.ResponseWriter }

func (f flushing) Write(part []byte) (int, error) {
	count, err := f.ResponseWriter.Write(part)
	if err == nil {
		err = http.NewResponseController(f.ResponseWriter).Flush()
	}
	return count, err
}

// podRuntime is the container runtime, of which only one thing is asked: whether a container whose log is followed
// still runs. It does as long as its pod is there.
type podRuntime struct {
	criapi.RuntimeService
	client kubernetes.Interface
	pod    *corev1.Pod
}

func (p podRuntime) ContainerStatus(ctx context.Context, _ string, _ bool) (*runtimeapi.ContainerStatusResponse, error) {
	state := runtimeapi.ContainerState_CONTAINER_RUNNING
	found, err := p.client.CoreV1().Pods(p.pod.Namespace).Get(ctx, p.pod.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || err == nil && found.UID != p.pod.UID {
		state, err = runtimeapi.ContainerState_CONTAINER_EXITED, nil
	}
	return &runtimeapi.ContainerStatusResponse{Status: &runtimeapi.ContainerStatus{State: state}}, err
}

// keepConsoles copies what guests print, each from the moment at which its console is linked.
func (l logs) keepConsoles(ctx context.Context) {
	known := map[string]bool{}
	guests := sync.WaitGroup{}
	defer guests.Wait()
	for ctx.Err() == nil {
		links, err := os.ReadDir(filepath.Join(l.directory, "consoles"))
		if err != nil && !os.IsNotExist(err) {
			log.Printf("consoles: %v", err)
		}
		for _, link := range links {
			if known[link.Name()] {
				continue
			}
			known[link.Name()] = true
			guests.Go(func() {
				if err := l.keepConsole(ctx, link.Name()); err != nil && ctx.Err() == nil {
					log.Printf("console of %s: %v", link.Name(), err)
				}
			})
		}
		time.Sleep(consoleDelay)
	}
}

// keepConsole copies the whole lines that a guest prints, with the time at which this node saw them.
func (l logs) keepConsole(ctx context.Context, link string) error {
	printed, err := os.Open(filepath.Join(l.directory, "consoles", link))
	if err != nil {
		return err
	}
	defer printed.Close()
	namespace, name, _ := strings.Cut(link, ".")
	said, err := l.consoleLog(ctx, namespace, name)
	if err != nil {
		return err
	}
	defer said.Close()
	lines, begun := bufio.NewReader(printed), ""
	for ctx.Err() == nil {
		part, err := lines.ReadString('\n')
		begun += part
		if err == io.EOF {
			time.Sleep(consoleDelay)
			continue
		}
		if err != nil {
			return err
		}
		now := time.Now().UTC().Format(crilogs.RFC3339NanoFixed)
		if _, err := fmt.Fprintf(said, "%s stdout F %s", now, begun); err != nil {
			return err
		}
		begun = ""
	}
	return nil
}

// consoleLog opens the log of the console's container in the launcher pod of a machine, once there is such a pod.
func (l logs) consoleLog(ctx context.Context, namespace, name string) (*os.File, error) {
	selected := metav1.ListOptions{LabelSelector: "kubevirt.io=virt-launcher,vm.kubevirt.io/name=" + name}
	for {
		pods, err := l.client.CoreV1().Pods(namespace).List(ctx, selected)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			log.Printf("console of %s/%s: %v", namespace, name, err)
		} else if len(pods.Items) > 0 {
			path, err := l.file(&pods.Items[0], consoleContainer)
			if err != nil {
				return nil, err
			}
			return os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0o644)
		}
		time.Sleep(consoleDelay)
	}
}
