package main

import (
	"context"
	"sync"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
)

type volume struct {
	id    string
	claim string // NAMESPACE/NAME
	bytes int64
	block bool
}

type snapshot struct {
	id     string
	source volume
	cut    time.Time
	group  string // empty for a snapshot that was taken alone
}

// driver keeps its state in memory: it lives as long as the cluster that it serves.
type driver struct {
	csi.UnimplementedControllerServer
	csi.UnimplementedGroupControllerServer
	folder folder
	lag    time.Duration

	mutex     sync.Mutex
	volumes   map[string]volume
	snapshots map[string]snapshot
}

func newDriver(at folder, lag time.Duration) (*driver, error) {
	if err := at.prepare(); err != nil {
		return nil, err
	}
	return &driver{folder: at, lag: lag, volumes: map[string]volume{}, snapshots: map[string]snapshot{}}, nil
}

func (d *driver) ControllerGetCapabilities(
	context.Context, *csi.ControllerGetCapabilitiesRequest,
) (*csi.ControllerGetCapabilitiesResponse, error) {
	response := &csi.ControllerGetCapabilitiesResponse{}
	for _, kind := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
	} {
		rpc := &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: kind}}
		response.Capabilities = append(response.Capabilities, &csi.ControllerServiceCapability{Type: rpc})
	}
	return response, nil
}

func (d *driver) ValidateVolumeCapabilities(
	_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest,
) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: request.VolumeCapabilities},
	}, nil
}
