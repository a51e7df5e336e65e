package main

import (
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/vmware-tanzu/velero/pkg/plugin/clientmgmt"
	"github.com/vmware-tanzu/velero/pkg/plugin/clientmgmt/process"
	"github.com/vmware-tanzu/velero/pkg/plugin/velero"
	biav2 "github.com/vmware-tanzu/velero/pkg/plugin/velero/backupitemaction/v2"
	ibav1 "github.com/vmware-tanzu/velero/pkg/plugin/velero/itemblockaction/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

type plugin struct {
	manager clientmgmt.Manager
	pid     int
	backup  []selected[biav2.BackupItemAction]
	block   []selected[ibav1.ItemBlockAction]
}

// selected is an action and what it asked to be called for.
type selected[Action any] struct {
	action    Action
	resources []string
	labels    labels.Selector
}

func (s selected[Action]) fits(resource string, item *unstructured.Unstructured) bool {
	return slices.Contains(s.resources, resource) && s.labels.Matches(labels.Set(item.GetLabels()))
}

func start(folder string) *plugin {
	logger := logrus.New()
	logger.SetLevel(logrus.ErrorLevel)
	registry := process.NewRegistry(folder, logger, logger.Level)
	check(registry.DiscoverPlugins())
	started := &plugin{manager: clientmgmt.NewManager(logger, logger.Level, registry)}
	before := children()
	backup, err := started.manager.GetBackupItemActionsV2()
	check(err)
	for _, action := range backup {
		started.backup = append(started.backup, selection(action, action.AppliesTo))
	}
	block, err := started.manager.GetItemBlockActions()
	check(err)
	for _, action := range block {
		started.block = append(started.block, selection(action, action.AppliesTo))
	}
	for _, pid := range children() {
		if !slices.Contains(before, pid) {
			started.pid = pid
			return started
		}
	}
	log.Fatalf("no plugin process started from %s", folder)
	return nil
}

func selection[Action any](action Action, appliesTo func() (velero.ResourceSelector, error)) selected[Action] {
	selector, err := appliesTo()
	check(err)
	parsed, err := labels.Parse(selector.LabelSelector)
	check(err)
	return selected[Action]{action, selector.IncludedResources, parsed}
}

// children lists the processes that this one has started.
func children() []int {
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	check(err)
	var pids []int
	for _, task := range tasks {
		content, _ := os.ReadFile(task) // a thread may have ended meanwhile
		for _, field := range strings.Fields(string(content)) {
			pid, err := strconv.Atoi(field)
			check(err)
			pids = append(pids, pid)
		}
	}
	return pids
}

// cpu is what a process has used so far, user and system, in clock ticks of 10 ms.
func cpu(pid int) time.Duration {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	check(err)
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')'):]))
	user, err := strconv.Atoi(fields[12])
	check(err)
	system, err := strconv.Atoi(fields[13])
	check(err)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// memory is the resident size of a process in MB: now, and the most so far.
func memory(pid int) (resident, peak int) {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	check(err)
	for _, line := range strings.Split(string(content), "\n") {
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "VmRSS:"):
			resident, err = strconv.Atoi(fields[1])
		case strings.HasPrefix(line, "VmHWM:"):
			peak, err = strconv.Atoi(fields[1])
		}
		check(err)
	}
	return resident / 1000, peak / 1000
}
