// filters: answers what Velero's own code makes of the filters of a Backup.
//
// The first line of stdin is the cluster, each further one a question; for each question one line
// of stdout is its answer. All are JSON, see the types below.
package main

import (
	"bufio"
	"encoding/json"
	"io"
	"log"
	"os"

	"github.com/sirupsen/logrus"
	api "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"github.com/vmware-tanzu/velero/pkg/discovery"
	"github.com/vmware-tanzu/velero/pkg/util/collections"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const longestLine = 1 << 20

type cluster struct {
	Resources  []resource // in the order of discovery
	Namespaces []string
}

type question struct {
	Spec       api.BackupSpec
	Namespaces []string
	Resources  []string            // as of GroupResource.String()
	Labels     []map[string]string // of one object each
	Names      []string            // that a person could write into a filter
	Combined   json.RawMessage     // an include-exclude policy
	Policies   []string            // YAML of resource policies: that of the backup, or none
	Volumes    []volume
}

type answer struct {
	Failed     string   // why the backup would fail as soon as it starts
	Namespaces []bool   // included
	Resources  []bool   // collected
	Expelled   []bool   // not even taken when an action names an object
	Labels     []bool   // selected
	Names      []string // what each stands for; empty for an unknown one
	Fates      []fate   // of each volume
}

type asked struct {
	cluster cluster
	helper  discovery.Helper
	quiet   *logrus.Logger
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, longestLine)
	output := json.NewEncoder(os.Stdout)
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)

	known := cluster{}
	next(lines, &known)
	helper, err := discovery.NewHelper(&server{resources: known.Resources}, quiet)
	if err != nil {
		log.Fatal(err)
	}
	velero := asked{known, helper, quiet}
	for each := (question{}); next(lines, &each); each = (question{}) {
		if err := output.Encode(velero.answer(each)); err != nil {
			log.Fatal(err)
		}
	}
}

func next(lines *bufio.Scanner, value any) bool {
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			log.Fatal(err)
		}
		return false
	}
	if err := json.Unmarshal(lines.Bytes(), value); err != nil {
		log.Fatalf("%v: %s", err, lines.Text())
	}
	return true
}

func (a asked) answer(q question) answer {
	found := answer{}
	found.Failed, found.Fates = a.fates(q)
	if found.Failed != "" {
		return found
	}
	for _, name := range q.Names {
		found.Names = append(found.Names, a.meaning(name))
	}
	namespaces := collections.NewNamespaceIncludesExcludes().
		ActiveNamespaces(a.cluster.Namespaces).
		Includes(q.Spec.IncludedNamespaces...).
		Excludes(q.Spec.ExcludedNamespaces...)
	if err := namespaces.ExpandIncludesExcludes(true); err != nil {
		found.Failed = err.Error()
		return found
	}
	for _, name := range q.Namespaces {
		found.Namespaces = append(found.Namespaces, namespaces.ShouldInclude(name))
	}
	resources := a.resources(q, *namespaces)
	for _, name := range q.Resources {
		found.Resources = append(found.Resources, resources.ShouldInclude(name))
		found.Expelled = append(found.Expelled, resources.ShouldExclude(name))
	}
	for _, each := range q.Labels {
		found.Labels = append(found.Labels, isSelected(q.Spec, each))
	}
	return found
}

func (a asked) meaning(name string) string {
	resource, _, err := a.helper.ResourceFor(schema.ParseGroupResource(name).WithVersion(""))
	if err != nil {
		return ""
	}
	return resource.GroupResource().String()
}

func (a asked) resources(
	q question, namespaces collections.NamespaceIncludesExcludes,
) collections.IncludesExcludesInterface {
	spec := q.Spec
	if collections.UseOldResourceFilters(spec) {
		return collections.GetGlobalResourceIncludesExcludes(a.helper, a.quiet,
			spec.IncludedResources, spec.ExcludedResources, spec.IncludeClusterResources, namespaces)
	}
	found := collections.GetScopeResourceIncludesExcludes(a.helper, a.quiet,
		spec.IncludedNamespaceScopedResources, spec.ExcludedNamespaceScopedResources,
		spec.IncludedClusterScopedResources, spec.ExcludedClusterScopedResources, namespaces)
	if q.Combined != nil {
		combine(found.CombineWithPolicy, q.Combined)
	}
	return found
}

// combine makes a policy of a type that is internal to Velero, and so has no name here.
func combine[policy any](with func(*policy), written json.RawMessage) {
	read := new(policy)
	if err := json.Unmarshal(written, read); err != nil {
		log.Fatal(err)
	}
	with(read)
}

// isSelected sends each selector through its text form, as Velero does when it asks the API server
// for a list; one list that fails makes Velero take none of that resource.
func isSelected(spec api.BackupSpec, of map[string]string) bool {
	selectors := spec.OrLabelSelectors
	if len(selectors) == 0 {
		if spec.LabelSelector == nil {
			return true
		}
		selectors = []*metav1.LabelSelector{spec.LabelSelector}
	}
	any := false
	for _, each := range selectors {
		listed, err := labels.Parse(metav1.FormatLabelSelector(each))
		if err != nil {
			return false
		}
		any = any || listed.Matches(labels.Set(of))
	}
	return any
}
