// go-plugin: our backup action for virtual machines on Velero's own Go framework, for comparison.
// It works on the raw object and asks no cluster, so it does less than ours: the bound to beat.
package main

import (
	"errors"

	"github.com/sirupsen/logrus"
	"github.com/spf13/pflag"
	api "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"github.com/vmware-tanzu/velero/pkg/plugin/framework"
	"github.com/vmware-tanzu/velero/pkg/plugin/velero"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const name = "stillpoint.dev/backup-virtual-machine"

type action struct{}

func (action) Name() string { return name }

func (action) AppliesTo() (velero.ResourceSelector, error) {
	return velero.ResourceSelector{IncludedResources: []string{"virtualmachines.kubevirt.io"}}, nil
}

func (action) Execute(item runtime.Unstructured, _ *api.Backup) (runtime.Unstructured, []velero.ResourceIdentifier, string, []velero.ResourceIdentifier, error) {
	machine := item.UnstructuredContent()
	needed := pinRevisions(machine)
	volumes, _, err := unstructured.NestedSlice(machine, "spec", "template", "spec", "volumes")
	if err != nil {
		return nil, nil, "", nil, err
	}
	for _, volume := range volumes {
		needed = append(needed, references(machine, volume.(map[string]any))...)
	}
	return &unstructured.Unstructured{Object: machine}, needed, "", nil, nil
}

func (action) Progress(string, *api.Backup) (velero.OperationProgress, error) {
	return velero.OperationProgress{}, errors.New("starts no operations")
}

func (action) Cancel(string, *api.Backup) error { return nil }

func pinRevisions(machine map[string]any) []velero.ResourceIdentifier {
	var needed []velero.ResourceIdentifier
	for field, status := range map[string]string{"instancetype": "instancetypeRef", "preference": "preferenceRef"} {
		revision, found, _ := unstructured.NestedString(machine, "status", status, "controllerRevisionRef", "name")
		if !found {
			continue
		}
		_ = unstructured.SetNestedField(machine, revision, "spec", field, "revisionName")
		needed = append(needed, identifier(machine, "apps", "controllerrevisions", revision))
	}
	return needed
}

func references(machine, volume map[string]any) []velero.ResourceIdentifier {
	var needed []velero.ResourceIdentifier
	if claim, found, _ := unstructured.NestedString(volume, "dataVolume", "name"); found {
		needed = append(needed,
			identifier(machine, "cdi.kubevirt.io", "datavolumes", claim),
			identifier(machine, "", "persistentvolumeclaims", claim))
	}
	if claim, found, _ := unstructured.NestedString(volume, "persistentVolumeClaim", "claimName"); found {
		needed = append(needed, identifier(machine, "", "persistentvolumeclaims", claim))
	}
	if secret, found, _ := unstructured.NestedString(volume, "cloudInitNoCloud", "secretRef", "name"); found {
		needed = append(needed, identifier(machine, "", "secrets", secret))
	}
	return needed
}

func identifier(machine map[string]any, group, resource, name string) velero.ResourceIdentifier {
	namespace, _, _ := unstructured.NestedString(machine, "metadata", "namespace")
	return velero.ResourceIdentifier{GroupResource: schema.GroupResource{Group: group, Resource: resource}, Namespace: namespace, Name: name}
}

func main() {
	framework.NewServer().
		BindFlags(pflag.CommandLine).
		RegisterBackupItemActionV2(name, func(logrus.FieldLogger) (any, error) { return action{}, nil }).
		Serve()
}
