// latency: times Execute of one backup action through Velero's own registry and manager.
//
//	latency ITEM BACKUP ROUNDS PLUGIN_FOLDER...
//
// Each folder holds one plugin. They are called in turns, so that a busy moment of the machine
// meets them all, and each is given as many calls as the others. Prints one JSON line per folder:
// microseconds of wall time at the 10th and 50th percentile, and of the plugin's CPU per call.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
	api "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"github.com/vmware-tanzu/velero/pkg/plugin/clientmgmt"
	"github.com/vmware-tanzu/velero/pkg/plugin/clientmgmt/process"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework"
	biav2 "github.com/vmware-tanzu/velero/pkg/plugin/velero/backupitemaction/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	action = "stillpoint.dev/backup-virtual-machine"
	warmUp = 200
)

type plugin struct {
	folder  string
	execute biav2.BackupItemAction
	manager clientmgmt.Manager
	pid     int
	times   []time.Duration
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "run-plugins" { // the registry asks its own program, too
		framework.NewServer().BindFlags(pflag.CommandLine).Serve()
		return
	}
	item := &unstructured.Unstructured{}
	backup := &api.Backup{}
	read(os.Args[1], &item.Object)
	read(os.Args[2], backup)
	rounds, err := strconv.Atoi(os.Args[3])
	check(err)
	var plugins []*plugin
	for _, folder := range os.Args[4:] {
		plugins = append(plugins, start(folder))
	}
	call(plugins, item, backup, warmUp)
	before := make([]time.Duration, len(plugins))
	for i, p := range plugins {
		p.times = nil
		before[i] = cpu(p.pid)
	}
	call(plugins, item, backup, rounds)
	for i, p := range plugins {
		p.report(cpu(p.pid)-before[i], rounds)
		p.manager.CleanupClients()
	}
}

func start(folder string) *plugin {
	logger := logrus.New()
	logger.SetLevel(logrus.ErrorLevel)
	registry := process.NewRegistry(folder, logger, logger.Level)
	check(registry.DiscoverPlugins())
	manager := clientmgmt.NewManager(logger, logger.Level, registry)
	before := children()
	execute, err := manager.GetBackupItemActionV2(action)
	check(err)
	_, err = execute.AppliesTo() // the process starts with the first call
	check(err)
	for _, pid := range children() {
		if !slices.Contains(before, pid) {
			return &plugin{folder: folder, execute: execute, manager: manager, pid: pid}
		}
	}
	log.Fatalf("no plugin process started from %s", folder)
	return nil
}

func call(plugins []*plugin, item *unstructured.Unstructured, backup *api.Backup, rounds int) {
	for range rounds {
		for _, p := range plugins {
			copied := item.DeepCopy()
			begin := time.Now()
			_, _, _, _, err := p.execute.Execute(copied, backup)
			p.times = append(p.times, time.Since(begin))
			check(err)
		}
	}
}

func (p *plugin) report(used time.Duration, rounds int) {
	slices.Sort(p.times)
	line, err := json.Marshal(map[string]any{
		"plugin":     filepath.Base(p.folder),
		"p10_us":     p.times[len(p.times)/10].Microseconds(),
		"p50_us":     p.times[len(p.times)/2].Microseconds(),
		"cpu_us":     used.Microseconds() / int64(rounds),
		"executions": rounds,
	})
	check(err)
	fmt.Println(string(line))
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
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	check(err)
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')'):]))
	user, err := strconv.Atoi(fields[12])
	check(err)
	system, err := strconv.Atoi(fields[13])
	check(err)
	return time.Duration(user+system) * 10 * time.Millisecond
}

func read(path string, into any) {
	content, err := os.ReadFile(path)
	check(err)
	check(json.Unmarshal(content, into))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
