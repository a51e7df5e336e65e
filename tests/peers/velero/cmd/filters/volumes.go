package main

import (
	"context"

	api "github.com/vmware-tanzu/velero/pkg/apis/velero/v1"
	"github.com/vmware-tanzu/velero/pkg/kuberesource"
	"github.com/vmware-tanzu/velero/pkg/plugin/utils/volumehelper"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// volume is a claim, what it is bound to, and the pods of its namespace.
type volume struct {
	Claim  map[string]any
	Volume *core.PersistentVolume
	Pods   []core.Pod
}

type fate struct {
	IsCut  bool   // by a snapshot
	Failed string // why Velero cannot tell
	Action string // of the policy that matches; empty for none
	IsOurs bool   // a custom action with our parameter
}

// objects answers reads for what a question holds; nobody calls the embedded rest.
type objects struct {
	client.Client
	policies []string
	volume   volume
}

func (o *objects) Get(
	_ context.Context, key client.ObjectKey, into client.Object, _ ...client.GetOption,
) error {
	switch into := into.(type) {
	case *core.ConfigMap:
		into.Data = map[string]string{"policies": o.policies[0]}
		return nil
	case *core.PersistentVolume:
		if o.volume.Volume != nil && o.volume.Volume.Name == key.Name {
			*into = *o.volume.Volume
			return nil
		}
	}
	return errors.NewNotFound(schema.GroupResource{}, key.Name)
}

func (o *objects) List(
	_ context.Context, into client.ObjectList, _ ...client.ListOption,
) error {
	into.(*core.PodList).Items = o.volume.Pods
	return nil
}

func (a asked) fates(q question) (string, []fate) {
	found := []fate{}
	for _, each := range q.Volumes {
		backup := api.Backup{ObjectMeta: metav1.ObjectMeta{Namespace: "velero"}, Spec: q.Spec}
		if len(q.Policies) > 0 {
			reference := core.TypedLocalObjectReference{Kind: "configmap", Name: "policies"}
			backup.Spec.ResourcePolicy = &reference
		}
		helper, err := volumehelper.NewVolumeHelperWithCache(
			backup, &objects{policies: q.Policies, volume: each}, a.quiet, nil)
		if err != nil {
			return err.Error(), nil
		}
		claim := &unstructured.Unstructured{Object: each.Claim}
		one := fate{}
		if one.IsCut, err = helper.ShouldPerformSnapshot(
			runtime.Unstructured(claim), kuberesource.PersistentVolumeClaims); err != nil {
			one.Failed = err.Error()
		}
		one.IsOurs, _ = helper.ShouldPerformCustomAction(claim, kuberesource.PersistentVolumeClaims,
			map[string]any{"snapshotter": "stillpoint"})
		_, one.Action, _, _ = helper.GetActionParameters(claim, kuberesource.PersistentVolumeClaims)
		found = append(found, one)
	}
	return "", found
}
