package main

import (
	"context"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// CreateVolume may be called again for a volume that exists: the name is its identity.
func (d *driver) CreateVolume(_ context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	made, known := d.volumes[request.Name]
	if !known {
		made = requested(request)
		if err := d.fill(made, request.VolumeContentSource); err != nil {
			return nil, err
		}
		if err := d.folder.linkClaim(made); err != nil {
			return nil, err
		}
		d.volumes[made.id] = made
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId: made.id, CapacityBytes: made.bytes, ContentSource: request.VolumeContentSource,
	}}, nil
}

// requested reads the claim's name from the parameters that external-provisioner adds with --extra-create-metadata.
func requested(request *csi.CreateVolumeRequest) volume {
	claim := request.Parameters["csi.storage.k8s.io/pvc/namespace"] + "/" + request.Parameters["csi.storage.k8s.io/pvc/name"]
	made := volume{id: request.Name, claim: claim, bytes: request.GetCapacityRange().GetRequiredBytes()}
	for _, capability := range request.VolumeCapabilities {
		made.block = made.block || capability.GetBlock() != nil
	}
	return made
}

func (d *driver) fill(made volume, source *csi.VolumeContentSource) error {
	switch {
	case source.GetSnapshot() != nil:
		origin, known := d.snapshots[source.GetSnapshot().SnapshotId]
		if !known {
			return status.Errorf(codes.NotFound, "no snapshot %s", source.GetSnapshot().SnapshotId)
		}
		return d.folder.fillFrom(d.folder.snapshot(origin.id), made)
	case source.GetVolume() != nil:
		origin, known := d.volumes[source.GetVolume().VolumeId]
		if !known {
			return status.Errorf(codes.NotFound, "no volume %s", source.GetVolume().VolumeId)
		}
		return d.folder.fillFrom(d.folder.volume(origin.id), made)
	default:
		return d.folder.create(made)
	}
}

func (d *driver) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if gone, known := d.volumes[request.VolumeId]; known {
		if err := d.folder.removeVolume(gone); err != nil {
			return nil, err
		}
		delete(d.volumes, gone.id)
	}
	return &csi.DeleteVolumeResponse{}, nil
}
