package main

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"
)

type resource struct {
	Group, Version, Plural, Singular, Kind string
	ShortNames                             []string
	Namespaced                             bool
}

// server answers discovery for a fixed list of resources; nobody calls the embedded rest.
type server struct {
	discovery.AggregatedDiscoveryInterface
	resources []resource
}

func (s *server) ServerVersion() (*version.Info, error) { return &version.Info{}, nil }

func (s *server) ServerGroups() (*metav1.APIGroupList, error) {
	list := &metav1.APIGroupList{}
	at := map[string]int{}
	for _, each := range s.resources {
		version := metav1.GroupVersionForDiscovery{
			GroupVersion: schema.GroupVersion{Group: each.Group, Version: each.Version}.String(),
			Version:      each.Version,
		}
		if _, known := at[each.Group]; !known {
			at[each.Group] = len(list.Groups)
			list.Groups = append(list.Groups, metav1.APIGroup{
				Name:             each.Group,
				Versions:         []metav1.GroupVersionForDiscovery{version},
				PreferredVersion: version,
			})
		}
	}
	return list, nil
}

func (s *server) ServerPreferredResources() ([]*metav1.APIResourceList, error) {
	lists := []*metav1.APIResourceList{}
	at := map[string]*metav1.APIResourceList{}
	for _, each := range s.resources {
		group := schema.GroupVersion{Group: each.Group, Version: each.Version}.String()
		if at[group] == nil {
			at[group] = &metav1.APIResourceList{GroupVersion: group}
			lists = append(lists, at[group])
		}
		at[group].APIResources = append(at[group].APIResources, metav1.APIResource{
			Name:         each.Plural,
			SingularName: each.Singular,
			Kind:         each.Kind,
			ShortNames:   each.ShortNames,
			Namespaced:   each.Namespaced,
			Verbs:        metav1.Verbs{"list", "create", "get", "delete"},
		})
	}
	return lists, nil
}

func (s *server) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	groups, _ := s.ServerGroups()
	pointers := []*metav1.APIGroup{}
	for index := range groups.Groups {
		pointers = append(pointers, &groups.Groups[index])
	}
	lists, err := s.ServerPreferredResources()
	return pointers, lists, err
}
