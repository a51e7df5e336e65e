// scale: sends a plugin what Velero sends it in a backup of many virtual machines, without Velero's own work.
//
//	scale BLOCKS BACKUP WORKERS PLUGIN_FOLDER
//
// BLOCKS has one item block per line: a JSON list of {"resource": "pods", "item": {...}}. As in Velero, one thread
// asks for what is related to each item of a block and hands the block to the workers, who execute the backup
// actions of its items. The first block warms up: it is a backup of its own. Prints one JSON line.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"
	api "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const longestLine = 64 << 20

type blockItem struct {
	Resource string         `json:"resource"`
	Item     map[string]any `json:"item"`
}

type counts struct {
	related, executed, additional, relating atomic.Int64 // the last in nanoseconds
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "run-plugins" { // the registry asks its own program, too
		framework.NewServer().BindFlags(pflag.CommandLine).Serve()
		return
	}
	blocks := open(os.Args[1])
	backup := &api.Backup{}
	read(os.Args[2], backup)
	workers, err := strconv.Atoi(os.Args[3])
	check(err)
	plugin := start(os.Args[4])

	warmUp := backup.DeepCopy()
	warmUp.UID = "warm-up"
	plugin.send(warmUp, next(blocks), &counts{})

	before, begin, counted := cpu(plugin.pid), time.Now(), &counts{}
	sendAll(plugin, backup, blocks, workers, counted)
	report(plugin.pid, time.Since(begin), cpu(plugin.pid)-before, counted)
	plugin.manager.CleanupClients()
}

func sendAll(plugin *plugin, backup *api.Backup, blocks *bufio.Scanner, workers int, counted *counts) {
	queue := make(chan []blockItem, workers)
	var done sync.WaitGroup
	for range workers {
		done.Add(1)
		go func() {
			defer done.Done()
			for block := range queue {
				plugin.execute(backup, block, counted)
			}
		}()
	}
	for block := next(blocks); block != nil; block = next(blocks) {
		asked := time.Now()
		plugin.relate(backup, block, counted)
		counted.relating.Add(int64(time.Since(asked)))
		queue <- block
	}
	close(queue)
	done.Wait()
}

func (p *plugin) send(backup *api.Backup, block []blockItem, counted *counts) {
	p.relate(backup, block, counted)
	p.execute(backup, block, counted)
}

func (p *plugin) relate(backup *api.Backup, block []blockItem, counted *counts) {
	for _, each := range block {
		item := &unstructured.Unstructured{Object: each.Item}
		for _, action := range p.block {
			if action.fits(each.Resource, item) {
				_, err := action.action.GetRelatedItems(item, backup)
				check(err)
				counted.related.Add(1)
			}
		}
	}
}

func (p *plugin) execute(backup *api.Backup, block []blockItem, counted *counts) {
	for _, each := range block {
		item := &unstructured.Unstructured{Object: each.Item}
		for _, action := range p.backup {
			if action.fits(each.Resource, item) {
				_, additional, _, _, err := action.action.Execute(item, backup)
				check(err)
				counted.executed.Add(1)
				counted.additional.Add(int64(len(additional)))
			}
		}
	}
}

func report(pid int, wall, used time.Duration, counted *counts) {
	resident, peak := memory(pid)
	line, err := json.Marshal(map[string]any{
		"wall_s":     wall.Seconds(),
		"cpu_s":      used.Seconds(),
		"rss_mb":     resident,
		"peak_mb":    peak,
		"related":    counted.related.Load(),
		"executed":   counted.executed.Load(),
		"additional": counted.additional.Load(),
		"relating_s": time.Duration(counted.relating.Load()).Seconds(),
	})
	check(err)
	fmt.Println(string(line))
}

func open(path string) *bufio.Scanner {
	file, err := os.Open(path)
	check(err)
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, longestLine)
	return lines
}

// next is the next block, or nil after the last.
func next(lines *bufio.Scanner) []blockItem {
	if !lines.Scan() {
		check(lines.Err())
		return nil
	}
	var block []blockItem
	check(json.Unmarshal(lines.Bytes(), &block))
	return block
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
